"""Requests of people on a real server with PostgreSQL: each kind from the letter to the proof that it was done."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sim.server import Server
from tests.e2e.asking import ask, person_of, person_path, tell
from tests.e2e.processes import run
from tests.e2e.walking import LAPTOP, PHONE, customer, walk


def asks(server: Server, user: str, kind: str, **details: Any) -> int:
    """Somebody asks for something; the number of the request."""
    person = {"kind": "user_id", "value": user}
    taken_in = server.send("POST", "/v1/requests", {"kind": kind, "person": person, "details": details})
    assert (taken_in["state"], taken_in["overdue"]) == ("open", False)
    return int(taken_in["number"])


def fulfilled(server: Server, user: str, kind: str, **details: Any) -> dict[str, Any]:
    """It is done."""
    done: dict[str, Any] = server.send("POST", f"/v1/requests/{asks(server, user, kind, **details)}/fulfil")
    assert done["state"] == "fulfilled"
    return done


def why(server: Server, user: str, purpose: str = "marketing", more: str = "") -> str:
    """Why somebody may or may not be used."""
    path = f"{person_path('user_id', user)}/allowed?purpose={purpose}&channel=email{more}"
    return str(server.get(path)["why"])


def chooses(server: Server, user: str) -> None:
    """They allow marketing by e-mail."""
    choice = {"action": "grant", "purpose": "marketing", "channel": "email", "method": "web form"}
    tell(server, [{"type": "consent", "userId": user, "messageId": f"{user}-c", "choices": [choice]}])


@pytest.fixture(scope="module")
def page(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The answer to a request for access of somebody of whom much is known, as a file."""
    customer(server, "reader")
    chooses(server, "reader")
    answer = ask(server.port, "GET", f"/v1/requests/{asks(server, 'reader', 'access')}/page", key=server.admin_key)
    assert answer.status == 200
    file = tmp_path_factory.mktemp("answer") / "page.html"
    file.write_bytes(answer.body)
    return file


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_the_page_is_readable_by_everybody(page: Path, node_modules: Path, viewport: dict[str, int]) -> None:
    """axe finds nothing, it fits, asks nobody for anything, and says in words where each thing came from."""
    seen = walk(node_modules, ("open", page.as_uri()), ("axe",), ("layout",), ("text",), viewport=viewport)
    assert seen.answers[1] == []
    assert seen.answers[2]["wide"] <= viewport["width"]
    for text in ("What we hold about you", "favourite_colour", "we got it from others", "you allowed", "Complain to"):
        assert text in seen.answers[3]
    assert set(seen.hosts) <= {""}
    assert seen.refused == []


def test_access_and_portability_are_handed_out(server: Server, tmp_path: Path) -> None:
    """On the command line, while the server runs: what a broker guessed is in the one and not in the other."""
    customer(server, "mover")
    held = {}
    for kind in ("access", "portability"):
        number = asks(server, "mover", kind)
        done = run("request", "package", f"R-{number}", "--out", str(tmp_path), "--data", str(server.data))
        assert done.returncode == 0, done.stderr
        with zipfile.ZipFile(io.BytesIO((tmp_path / f"R-{number}-{kind}.zip").read_bytes())) as archive:
            held[kind] = archive.read("data.json").decode()
        done = run("request", "fulfil", str(number), "--data", str(server.data))
        assert json.loads(done.stdout)["state"] == "fulfilled"
    assert {kind for kind, text in held.items() if "household_income" in text} == {"access"}
    assert {kind for kind, text in held.items() if "favourite_colour" in text} == {"access", "portability"}


def test_what_is_put_right_stays_right(server: Server) -> None:
    """Whatever the shop sends later."""
    customer(server, "namesake")
    fulfilled(server, "namesake", "rectification", traits={"size": 43, "favourite_colour": None})
    told = {"type": "identify", "userId": "namesake", "messageId": "namesake-3", "traits": {"size": 41}}
    tell(server, [told])
    traits = person_of(server, "user_id", "namesake")["traits"]
    assert (traits["size"], "favourite_colour" in traits) == (43, False)


def test_who_is_restricted_gets_no_permit_until_it_is_lifted(server: Server) -> None:
    """And audits that ask again find nothing else; as of the time between it still held."""
    customer(server, "hermit")
    chooses(server, "hermit")

    def permit(message: str) -> Any:
        letter = {"kind": "user_id", "value": "hermit", "purpose": "marketing", "channel": "email"}
        letter |= {"message": message, "message_hash": "0" * 64}
        return server.send("POST", "/v1/permits", {"permits": [letter]})["answers"][0]

    assert permit("hermit-1")["permit"] is not None
    between = fulfilled(server, "hermit", "restriction")["settled"]
    assert permit("hermit-2")["refusal"]["why"] == "restricted"
    assert why(server, "hermit", "service") == "restricted"
    fulfilled(server, "hermit", "restriction", restricted=False)
    assert permit("hermit-3")["permit"] is not None
    assert why(server, "hermit", more=f"&at={between}") == "restricted"
    assert why(server, "hermit", more=f"&at={between}&known={between}") == "restricted"
    assert server.get("/v1/audit/differences?channel=email")["differences"] == []


def test_who_objects_is_left_alone(server: Server) -> None:
    """The choice in the ledger names the request."""
    customer(server, "objector")
    chooses(server, "objector")
    done = fulfilled(server, "objector", "objection")
    assert why(server, "objector") == "refused"
    exported = server.get(f"{person_path('user_id', 'objector')}/export")
    assert [each["request"] for each in exported["choices"] if each["action"] == "object"] == [done["request"]]


def test_who_was_erased_is_told_so(server: Server) -> None:
    """By an identifier that was theirs; nobody is there any more, and the request says by whom it was done."""
    customer(server, "ghost")
    server.wait_folded()
    done = fulfilled(server, "ghost", "erasure")
    assert (done["person"], done["identifier"], done["details"]) == (None, None, {})
    assert ask(server.port, "GET", person_path("user_id", "ghost"), key=server.admin_key).status == 404
    found = server.get(f"{person_path('email', 'ghost@example.com')}/requests")["requests"]
    assert [each["request"] for each in found] == [done["request"]]
    assert {line["what"] for line in done["log"]} == {"received", "fulfilled"}


def test_an_officer_handles_a_request_on_the_command_line(server: Server) -> None:
    """Taken in, confirmed, put off, listed, refused and looked at, while the server runs."""
    customer(server, "writer")
    data = ("--data", str(server.data))

    def officer(*words: str) -> Any:
        done = run("request", *words, *data)
        assert done.returncode == 0, done.stderr
        return done.stdout

    details = json.dumps({"traits": {"size": 44}, "note": "it pinches"})
    opened = json.loads(
        officer("open", "rectification", "email", "writer@example.com", "--details", details, "--unconfirmed")
    )
    name = opened["request"]
    assert (opened["state"], opened["law"], opened["details"]["note"]) == ("confirming", "gdpr", "it pinches")
    assert json.loads(officer("confirm", name, "--note", "called back"))["state"] == "open"
    later = json.loads(officer("extend", name, "--reason", "on holiday"))["due"]
    assert f"{name}\trectification\topen\t{later}\n" in officer("list", "--pending", "--kind", "rectification")
    officer("refuse", name, "--reason", "the size was right")
    shown = json.loads(officer("show", name))
    assert (shown["state"], shown["told"]) == ("refused", "nobody")
    assert [line["note"] for line in shown["log"]] == ["", "called back", "on holiday", "the size was right"]
    wrong = run("request", "fulfil", name, *data)
    assert wrong.returncode == 65  # EX_DATAERR
    assert "is refused" in wrong.stderr
