"""Which user of the machine runs PostgreSQL, and how it gets past folders that only root may enter.

PostgreSQL refuses to run as root. A root process therefore starts it as somebody else, who can often enter neither
the data folder nor the virtual environment that holds the programs, since both tend to lie below `/root`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from courtesy.base.errors import Code, CourtesyError

_UNPRIVILEGED = ("postgres", "nobody")

# The smallest power first: without help; then reading anywhere; then, for programs installed without an execute bit
# for others, every file. Containers commonly grant the last and not the second.
_CAPABILITIES = ("", "dac_read_search", "dac_override")

# A shell tries it, because setpriv itself still has root's powers at the moment when it starts a program.
_TRIAL = 'cd -- "$1" && : <"$2" && exec "$3" --version'


@dataclass(frozen=True, slots=True)
class Account:
    """The user that owns a cluster and runs it. Never root.

    `is_other` is true when that is not the user of this process (which then is root). `capability` is what the
    account is lent to pass closed folders; empty when it needs nothing.
    """

    uid: int
    gid: int
    name: str
    is_other: bool
    capability: str = ""

    def command(self, argv: Sequence[str | Path]) -> list[str]:
        """The command that runs `argv` as this account."""
        plain = [str(part) for part in argv]
        if not self.is_other:
            return plain
        return [_setpriv(), f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", *self._lending(), *plain]

    def own(self, descriptor: int) -> None:
        """Make an open file or folder the account's."""
        if self.is_other:
            os.fchown(descriptor, self.uid, self.gid)

    def _lending(self) -> list[str]:
        """The arguments of setpriv that pass the capability on to the program and to all that it starts.

        Without `no_setuid_fixup` the kernel leaves capabilities out of access(2), by which PostgreSQL checks its
        own program file.
        """
        if not self.capability:
            return ["--no-new-privs"]
        only = f"-all,+{self.capability}"
        return [f"--inh-caps={only}", f"--ambient-caps={only}", "--securebits=+no_setuid_fixup", "--no-new-privs"]


def choose_account(data_dir: Path, cluster: Path) -> Account:
    """Who runs (or shall run) the cluster: its owner, else the owner of the data folder, else `postgres` or `nobody`.

    Fails with `SETUP` when that would be root, or somebody other than the user of this process without it being root.
    """
    owner = (cluster if cluster.exists() else data_dir).stat().st_uid
    me = os.geteuid()
    if me not in (0, owner):
        raise CourtesyError(
            Code.SETUP,
            f"the data folder belongs to {user_name(owner)!r}, this process runs as {user_name(me)!r}",
            hint=f"run it as {user_name(owner)!r} or as root",
            place=str(data_dir),
        )
    if owner != 0:
        return _account(owner, is_other=me == 0)
    if cluster.exists() and any(cluster.iterdir()):
        raise CourtesyError(
            Code.SETUP,
            "PostgreSQL's data belongs to root, and PostgreSQL refuses to run as root",
            hint=f"give it to an ordinary user: chown -R {_unprivileged().pw_name} '{cluster}'",
            place=str(cluster),
        )
    return _account(_unprivileged().pw_uid, is_other=True)


def able_to_reach(account: Account, data_dir: Path, binaries: Path) -> Account:
    """The account with the least capability that lets it enter `data_dir` and run what is in `binaries`.

    Each is tried for real, as the machine may have rules beyond the permission bits. Fails with `SETUP`, and names the
    folder that is closed, when none is enough.
    """
    if not account.is_other:
        return account
    complaint = ""
    for capability in _CAPABILITIES:
        candidate = replace(account, capability=capability)
        complaint = _complaint(candidate, data_dir, binaries)
        if not complaint:
            return candidate
    raise _unreachable(account, data_dir, binaries, complaint)


def user_name(uid: int) -> str:
    """The name of a user of this machine; the number as text when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _account(uid: int, *, is_other: bool) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise CourtesyError(
            Code.SETUP,
            f"user number {uid} has no name on this machine, and PostgreSQL does not run without one",
            hint="add the user to /etc/passwd, or run as a user that is in it",
        ) from None
    return Account(uid=uid, gid=entry.pw_gid, name=entry.pw_name, is_other=is_other)


def _unprivileged() -> pwd.struct_passwd:
    for name in _UNPRIVILEGED:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise CourtesyError(
        Code.SETUP,
        "PostgreSQL refuses to run as root, and this machine has neither a user 'postgres' nor 'nobody' to run it as",
        hint="run as an ordinary user",
    )


def _setpriv() -> str:
    found = shutil.which("setpriv", path=os.defpath + ":/usr/sbin:/sbin") or shutil.which("setpriv")
    if found is None:
        raise CourtesyError(
            Code.SETUP,
            "PostgreSQL refuses to run as root, and the command 'setpriv', which would start it as another user, is "
            "missing",
            hint="install the package util-linux, or run as an ordinary user",
        )
    return found


def _complaint(account: Account, data_dir: Path, binaries: Path) -> str:
    """What stands in the account's way, in the words of the system; empty when nothing does."""
    data = binaries.parent / "share" / "postgresql" / "postgres.bki"
    trial: list[str | Path] = ["/bin/sh", "-c", _TRIAL, "sh", data_dir, data, binaries / "postgres"]
    done = subprocess.run(account.command(trial), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode == 0:
        return ""
    return done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"


def _unreachable(account: Account, data_dir: Path, binaries: Path, complaint: str) -> CourtesyError:
    closed = next(_closed_folders(account, data_dir), None) or next(_closed_folders(account, binaries), None)
    who = f"PostgreSQL has to run as {account.name!r} (it refuses to run as root)"
    if closed is None:
        return CourtesyError(
            Code.SETUP,
            f"{who}, which does not work here: {complaint}",
            hint="run as an ordinary user",
            place=str(data_dir),
        )
    mode = stat.S_IMODE(closed.stat().st_mode)
    return CourtesyError(
        Code.SETUP,
        f"{who}, which may not enter {closed} (mode {mode:04o}), and this root may not lend it the capability to do so",
        hint=f"allow it: chmod o+x '{closed}'; or use a folder outside of it; or run as an ordinary user",
        place=str(closed),
    )


def _closed_folders(account: Account, path: Path) -> Iterator[Path]:
    """The folders on the way to `path`, outermost first, whose permission bits keep the account out."""
    for folder in reversed([path, *path.parents]):
        facts = folder.stat()
        shift = 6 if facts.st_uid == account.uid else 3 if facts.st_gid == account.gid else 0
        if not facts.st_mode >> shift & stat.S_IXOTH:
            yield folder
