"""Mail programs of others, each with its own folder, on loopback ports: Postfix, smtp-sink, opendkim, SpamAssassin,
rspamd."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sim.server import free_port

SBIN = Path("/usr/sbin")
PATIENCE_S = 30

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.shop.example
mydestination =
mynetworks = 127.0.0.0/8
relay_domains = home.example
transport_maps = texthash:{folder}/transport
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/recipients, permit_mynetworks, reject
alias_maps =
local_recipient_maps =
"""

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def postfix(ways: dict[str, int], dead: Iterable[str] = ()) -> Iterator[int]:
    """A Postfix with its own settings and queue, which hands mail for each domain to a port; the port it listens on.

    It bounces as Postfix does, and refuses at once what is for the addresses `dead`. Its master must be root, which the
    tests of a container are.
    """
    folder = Path(tempfile.mkdtemp(prefix="courtesy-postfix-"))
    port = free_port()
    folder.chmod(0o755)
    for name in ("config", "data", "queue"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    lines = [f"{domain} smtp:[127.0.0.1]:{way}" for domain, way in ways.items()]
    (folder / "transport").write_text("\n".join(lines) + "\n")
    refused = [f"{address} 550 5.1.1 User unknown" for address in dead]
    (folder / "recipients").write_text("\n".join(refused) + "\n")
    (folder / "config" / "main.cf").write_text(_MAIN.format(folder=folder))
    (folder / "config" / "master.cf").write_text(_MASTER.format(port=port))
    command = [str(SBIN / "postfix"), "-c", str(folder / "config")]
    try:
        subprocess.run([*command, "start"], check=True, capture_output=True)
        yield port
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def smtp_sink() -> Iterator[tuple[int, Path]]:
    """Postfix' own sink, which takes everything: its port, and the file into which all of it goes."""
    folder = Path(tempfile.mkdtemp(prefix="courtesy-sink-"))
    folder.chmod(0o777)
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([SBIN / "smtp-sink", *user, "-D", folder / "taken", f"127.0.0.1:{port}", "100"])
    try:
        until_it_listens(port)
        yield port, folder / "taken"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def until_it_listens(port: int) -> None:
    """Wait until somebody takes connections there."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < end, f"nobody listens on {port}"
            time.sleep(0.02)
        else:
            return


def opendkim_says(content: bytes, records: dict[str, str]) -> list[str]:
    """What opendkim finds of each signature: `pass`, or something else. `records` are the keys by their name in DNS."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "keys").write_text("".join(f"{host} {record}\n" for host, record in records.items()))
        (folder / "conf").write_text(f"TestPublicKeys {folder}/keys\nMode v\n")
        (folder / "mail").write_bytes(content)
        command = [f"{SBIN}/opendkim", "-x", f"{folder}/conf", "-t", f"{folder}/mail", "-v", "-v"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return re.findall(r"dkim=(\w+)", said)


@dataclass(frozen=True)
class SpamScore:
    """What SpamAssassin makes of a mail: its points, and the rules that gave them."""

    points: float
    rules: frozenset[str]


def spam_score(content: bytes) -> SpamScore:
    """By its own rules alone: it asks nobody."""
    with tempfile.TemporaryDirectory() as home:
        command = ["spamassassin", "-L", "-t", "-x", "--siteconfigpath=/etc/spamassassin"]
        done = subprocess.run(command, input=content, capture_output=True, check=True, env={**os.environ, "HOME": home})
    (found,) = re.findall(rb"X-Spam-Status: (.*?)\n(?!\s)", done.stdout, re.DOTALL)
    status = b" ".join(found.split()).decode()
    points, rules = re.search(r"score=(-?[\d.]+)", status), re.search(r"tests=([A-Z0-9_, ]*)", status)
    assert points is not None
    assert rules is not None
    return SpamScore(float(points[1]), frozenset(rules[1].replace(" ", "").split(",")))


@contextmanager
def spamd() -> Iterator[int]:
    """SpamAssassin as a server, by its own rules alone; its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        options = ["-L", "-x", "-m", "1", "-i", "127.0.0.1", "-p", str(port), "-H", home]
        process = subprocess.Popen(
            [SBIN / "spamd", *options, "-s", "null"], env={**os.environ, "HOME": home}, stderr=subprocess.DEVNULL
        )
        try:
            until_it_listens(port)
            yield port
        finally:
            process.terminate()
            process.wait()


_RSPAMD = """
lua = "{folder}/own.lua";
options {{
    pidfile = "{folder}/rspamd.pid";
    control_socket = "{folder}/control.sock mode=0600";
    filters = "";
    url_tld = "{folder}/suffixes";
    cache_file = "{folder}/symbols.cache";
    tempdir = "{folder}";
    dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.05s; retransmits = 1; }}
    disable_hyperscan = true;
}}
actions {{ reject = 15; add_header = 6; greylist = 4; }}
logging {{ type = "console"; level = "error"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; mime = true; }}
"""

_SHOUTING = """
rspamd_config:register_symbol({
  name = "SHOUTING", score = 7.5, description = "The subject is in capitals",
  callback = function(task)
    local subject = task:get_subject() or ""
    return #subject > 5 and subject:upper() == subject
  end,
})
"""


@contextmanager
def rspamd() -> Iterator[int]:
    """rspamd with one rule, since its own take half a minute to load; the port of its worker."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "own.lua").write_text(_SHOUTING)
        (folder / "suffixes").write_text("com\nexample\n")
        (folder / "rspamd.conf").write_text(_RSPAMD.format(folder=folder, port=port))
        options = ["-f", "-i", "-c", str(folder / "rspamd.conf")]
        variables = [f"--var={each}={folder}" for each in ("DBDIR", "RUNDIR", "LOGDIR")]
        process = subprocess.Popen(["rspamd", *options, *variables], stderr=subprocess.DEVNULL)
        try:
            until_it_listens(port)
            yield port
        finally:
            process.terminate()
            process.wait()
