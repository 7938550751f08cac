"""Signed links: read again by whoever has the key, and made by nobody else."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.runtime.links import KEY_BYTES, KEY_FILE, Link, LinkKind, Signer, key_of
from courtesy.runtime.settings import Settings

SIGNER = Signer(Settings(link_key="a" * 32))
LINKS = st.builds(
    Link,
    st.sampled_from(LinkKind),
    st.integers(1, 2**62).map(PersonId),
    st.integers(0, 2**40),
    st.text(max_size=30),
    st.text(max_size=30),
)


@given(LINKS)
def test_a_link_is_read_as_it_was_made(link: Link) -> None:
    """From a token that stands in an address as it is."""
    token = SIGNER.token(link)
    assert SIGNER.link(token) == link
    assert token.replace("-", "").replace("_", "").isalnum()


@given(LINKS, st.data())
def test_no_other_token_opens_anything(link: Link, data: st.DataObject) -> None:
    """Changed in one character, cut short, or with something behind it."""
    token = SIGNER.token(link)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("AZaz09-_").filter(lambda char: char != token[place]))
    assert SIGNER.link(token[:place] + other + token[place + 1 :]) is None
    assert SIGNER.link(token[:place]) is None
    assert SIGNER.link(token + other) is None


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    """Never an error."""
    assert SIGNER.link(text) is None


def test_what_is_signed_for_one_end_is_no_good_for_another() -> None:
    """Nor with another key."""
    text = SIGNER.signed("form", b"content")
    assert SIGNER.opened("form", text) == b"content"
    assert SIGNER.opened("link", text) is None
    assert Signer(Settings(link_key="b" * 32)).opened("form", text) is None


def test_processes_of_one_data_folder_share_a_key(tmp_path: Path) -> None:
    """Whoever comes first makes it, for the owner's eyes alone; nothing else is left behind."""
    settings = Settings(data=str(tmp_path / "data"))
    found: list[bytes] = []
    starting = threading.Barrier(8)

    def take() -> None:
        starting.wait()
        found.append(key_of(settings))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(found[0]) == KEY_BYTES
    assert [(path.name, path.stat().st_mode & 0o777) for path in (tmp_path / "data").iterdir()] == [(KEY_FILE, 0o600)]
    assert key_of(Settings(data=str(tmp_path / "other"))) != found[0]


def test_hosts_with_the_same_setting_share_a_key(tmp_path: Path) -> None:
    """Whatever their folders hold."""
    keys = {key_of(Settings(data=str(tmp_path / name), link_key="k" * 32)) for name in ("a", "b")}
    assert len(keys) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_none_is_told(tmp_path: Path) -> None:
    """Rather than replaced, which would end every link."""
    (tmp_path / KEY_FILE).write_text("abc")
    with pytest.raises(CourtesyError) as told:
        key_of(Settings(data=str(tmp_path)))
    assert told.value.code is Code.SETUP
    (tmp_path / "file").write_text("")
    with pytest.raises(CourtesyError) as told:
        key_of(Settings(data=str(tmp_path / "file")))
    assert told.value.code is Code.UNAVAILABLE
