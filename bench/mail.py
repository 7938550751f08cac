"""The way of a letter of a campaign: rendered, composed, signed, and handed to a mail server on the same machine.

Two processes do it, beside a sink that takes everything, so the two cores carry both sides. The bare rate of RSA-2048
signatures by one process with nothing else to do is measured in the same run: signing is the floor, and a ratio to it
means the same on every machine. The note tells the rate of two processes as well, since two cores are in use.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool
from typing import Any

import minijinja
import uvloop
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bench.results import Figure
from courtesy.base.time import SystemClock
from courtesy.channel.address import EVERYWHERE
from courtesy.channel.contract import Outside
from courtesy.channel.email.letter import Letter
from courtesy.channel.email.smtp import Smtp
from courtesy.channel.guard import GuardedNetwork, SystemResolver
from courtesy.channel.message import Accepted
from sim.server import free_port

PROCESSES = 2
AT_ONCE = 64
SIGNATURES_SHARE = 2  # for so many letters one bare signature
HTML_BYTES = 18_000
NOW_MS = 1_793_448_000_000
_PADDING = "<!-- what a mail of a shop brings along: styles, rows of tables, conditions for old programs -->\n"

_HEAD = """<html lang="{{ locale }}"><body><h1>Hello {{ first_name }},</h1>
<p>{{ city }} has new shoes. You have {{ points }} points since {{ since }}.</p><table>
{% for product in products %}<tr>
<td><img src="https://shop.example/i/{{ product.id }}.jpg" alt="{{ product.name }}"></td>
<td><a href="https://go.shop.example/c/{{ token }}/{{ loop.index }}">{{ product.name }}</a> {{ product.price }}</td>
</tr>{% endfor %}</table>
"""
_TEXT = """Hello {{ first_name }},

{{ city }} has new shoes. You have {{ points }} points since {{ since }}.
{% for product in products %}
{{ product.name }}: {{ product.price }}
{% endfor %}
"""
_PRODUCTS = [{"id": number, "name": f"Shoe no. {number}", "price": f"{number}9.90 EUR"} for number in range(1, 9)]


@dataclass(frozen=True, slots=True)
class _Run:
    """What one process is to do."""

    first: int
    count: int
    port: int
    pem: str


def mail(count: int) -> list[Figure]:
    """Send `count` letters, and sign and render alone for comparison."""
    pem = new_pem()
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES) as pool, sink() as port:
        pool.map(_prepared, [pem] * PROCESSES, chunksize=1)
        signatures = _runs(count // SIGNATURES_SHARE, port, pem)
        before_per_s = _rate(pool, _signed, signatures[:1])
        rendered_per_s = _rate(pool, _rendered, _runs(2 * count, port, pem)[:1])
        sent_per_s = _rate(pool, _sent, _runs(count, port, pem))
        after_per_s = _rate(pool, _signed, signatures[:1])
        both_per_s = _rate(pool, _signed, signatures)
    # Before and after, since a busy machine changes its mind in between.
    floor_per_s = (before_per_s + after_per_s) / 2
    note = f"{PROCESSES} processes, {HTML_BYTES // 1000} KB of HTML, smtp-sink on the same {os.cpu_count()} cores"
    bare = f"bare RSA-2048 signatures/s: {floor_per_s:,.0f} by one process, {both_per_s:,.0f} by {PROCESSES}"
    return [
        Figure("mail_pipeline_per_s", sent_per_s, "messages/s", count, note),
        Figure("mail_ratio_to_rsa", sent_per_s / floor_per_s, "ratio", count, bare),
        Figure("renders_per_s", rendered_per_s, "renders/s", 2 * count, f"one process, {HTML_BYTES // 1000} KB"),
    ]


def new_pem() -> str:
    """A key of RSA-2048 that letters are signed with."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


@contextmanager
def sink() -> Iterator[int]:
    """smtp-sink on a port of its own."""
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(["/usr/sbin/smtp-sink", *user, f"127.0.0.1:{port}", "200"])
    try:
        time.sleep(1)
        yield port
    finally:
        process.terminate()
        process.wait()


def _runs(count: int, port: int, pem: str) -> list[_Run]:
    each = count // PROCESSES
    return [_Run(number * each, each, port, pem) for number in range(PROCESSES)]


def _rate(pool: Pool, work: Any, runs: list[_Run]) -> float:
    """How much all processes do together in a second."""
    began = time.perf_counter()
    pool.map(work, runs, chunksize=1)
    return sum(run.count for run in runs) / (time.perf_counter() - began)


def _prepared(pem: str) -> None:
    """Load what a process loads once."""
    uvloop.run(_carried(_Run(0, 0, 1, pem)))
    time.sleep(0.2)  # so that each process takes one


def _signed(run: _Run) -> None:
    key = serialization.load_pem_private_key(run.pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    data = b"x" * 600
    for _ in range(run.count):
        key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class _Templates:
    """The mail of a campaign, compiled once."""

    def __init__(self) -> None:
        more = _PADDING * ((HTML_BYTES - 2_500) // len(_PADDING)) + "</body></html>"
        self._environment = minijinja.Environment(
            templates={"mail.html": _HEAD + more, "mail.txt": _TEXT}, auto_escape_callback=lambda name: "html"
        )

    def letter(self, number: int) -> Letter:
        """The letter to one person."""
        person = {
            "first_name": f"Ann {number}",
            "city": "Köln",
            "points": number % 1000,
            "since": "May 2021",
            "locale": "en",
            "token": f"t{number}",
            "products": _PRODUCTS,
        }
        return Letter(
            from_address="hello@shop.example",
            from_name="Shoes & More",
            to=f"ann{number}@home{number % 50}.example",
            to_name=f"Ann {number}",
            subject=f"Ann, Köln has new shoes ({number})",
            text=self._environment.render_template("mail.txt", **person),
            html=self._environment.render_template("mail.html", **person),
            message_id=f"{number}.bench@shop.example",
            date_ms=NOW_MS,
            locale="en",
            list_id="news.shop.example",
            feedback_id="autumn:a:marketing:shop",
            unsubscribe_url=f"https://go.shop.example/u/t{number}",
            unsubscribe_mailto=f"mailto:unsubscribe@shop.example?subject=t{number}",
            return_path=f"b-t{number}@bounce.shop.example",
            token=f"t{number}",
        )


def _rendered(run: _Run) -> None:
    templates = _Templates()
    for number in range(run.first, run.first + run.count):
        assert len(templates.letter(number).html) > HTML_BYTES * 0.9


def _sent(run: _Run) -> None:
    uvloop.run(_carried(run))


async def _carried(run: _Run) -> None:
    """Keep so many letters under way at once, as a worker of a campaign does."""
    network = GuardedNetwork(SystemResolver(), EVERYWHERE)
    carrier = Smtp(Outside(SystemClock(), network))
    config = {
        "host": "127.0.0.1",
        "port": run.port,
        "security": "none",
        "dkim_domain": "shop.example",
        "dkim_keys": [f"b1:{run.pem}"],
        "messages_per_connection": 1_000,
    }
    templates, numbers = _Templates(), iter(range(run.first, run.first + run.count))

    async def one_after_the_other() -> None:
        for number in numbers:
            answer = await carrier.carry(templates.letter(number), config)
            assert isinstance(answer, Accepted), answer

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    await carrier.aclose()
