"""Proofs: mails as real people would get them, sent to one's own people to be looked at in real mail programs.

A proof is a preview that is handed to the mail server: marked in its subject, with links that are nobody's and none to
unsubscribe by one click. It is no message: the people for whom it is written hear and lose nothing by it. It goes only
to addresses that somebody has permitted, and who asked for it is noted at the item before it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_bytes
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import MINUTE_MS
from courtesy.channel.message import MessageChannel, Outgoing
from courtesy.content.items import key_of
from courtesy.content.wording import EMAIL
from courtesy.delivery.desk import Desk
from courtesy.delivery.message import Message
from courtesy.delivery.proof import Address
from courtesy.engine.content import NoteKind
from courtesy.event.choice import ANY, Word
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.connections import SignedTokens
from courtesy.runtime.content import Contents
from courtesy.runtime.message_preview import PURPOSE, MessagePreviews, columns
from courtesy.runtime.previewed import LocaleWord, PreviewAsk, Short, Somebody

MARK = "[Proof] "
PROOF = "proof"
PEOPLE_MAX, ADDRESSES_MAX = 10, 10


class ProofAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mail that is to be looked at, by whom and as whom: one for each of both.

    `content`: an item as `kind/name`; `version`: a number, `live`, or `draft`, the item as it stands. `to`: permitted
    proof addresses. `people`: whom it is written for; without, somebody of whom nothing is known. `locale`: in which,
    instead of their own. `data`, `offer`, `brand` and `connection` as for a message.
    """

    content: Short
    to: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=ADDRESSES_MAX)]
    people: Annotated[tuple[Somebody, ...], Meta(max_length=PEOPLE_MAX)] = ()
    version: Annotated[int, Meta(ge=1)] | Literal["live", "draft"] = "draft"
    locale: LocaleWord = ""
    data: dict[str, Any] = {}
    offer: Short = ""
    brand: Word = ANY
    connection: Short = ""


class SentProof(msgspec.Struct, frozen=True):
    """A mail: to whom, as whom, in which locale (empty: that of everybody else), with which subject. `outcome`:
    `accepted` by the mail server, or `refused`, `later` or `unsure`, in whose `words`."""

    to: str
    person: str
    locale: str
    subject: str
    outcome: str
    words: str


class SentProofs(msgspec.Struct, frozen=True):
    """What was sent, of which state of the item; `note`: the number of the note at the item that says so."""

    content: str
    source: str
    note: int
    sent: list[SentProof]


class _Written(msgspec.Struct, frozen=True):
    """A mail for somebody, before it is addressed."""

    person: str
    locale: str
    reads: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MailProofs:
    """Sends proofs. `make_channels` makes what carries them, for one call."""

    previews: MessagePreviews
    contents: Contents
    catalog: CatalogCache
    tokens: SignedTokens
    make_channels: Callable[[], dict[str, MessageChannel]]

    async def send(self, ask: ProofAsk, by: str) -> SentProofs:
        """Send a proof to each address as each person, and say what became of them; none is tried twice.

        Raises CourtesyError: FORBIDDEN for an address that is not permitted, CONFLICT when nothing is connected that
        sends mail or the item says nothing by mail, else as a preview; then nothing is sent.
        """
        await self.catalog.refresh()
        addresses = tuple(dict.fromkeys(each.lower() for each in ask.to))
        self._check(addresses)
        connection = self._connection(ask)
        key, written, source = key_of(ask.content, "content"), list[_Written](), ""
        for somebody in ask.people or (Somebody(),):
            found, source = await self._written(ask, somebody)
            written.append(found)
        count = f"{len(written)} {'person gets' if len(written) == 1 else 'people get'} it"
        said = f"Proof of {source}, as {count}, to {', '.join(addresses)}"
        # Before it leaves: what nobody noted is never sent.
        note = await self.contents.note(NoteKind.PROOF, key, said, by)
        await self.contents.settle_note(key, note.number, by)
        return SentProofs(ask.content, source, note.number, await self._sent(connection, written, addresses))

    async def try_out(self, connection: str, to: str) -> SentProof:
        """Send a few words over a connection, to see whether it works.

        Raises CourtesyError: FORBIDDEN for an address that is not permitted, NOT_FOUND, and CONFLICT for a connection
        that does not send mail.
        """
        await self.catalog.refresh()
        self._check((to,))
        body = self.catalog.now.connections.get(connection)
        if body is None:
            raise CourtesyError(Code.NOT_FOUND, f"no connection named {connection!r:.120}", place="name")
        if body.declared.channel != EMAIL:
            raise CourtesyError(
                Code.CONFLICT, f"{connection} sends no e-mail, so there is nothing to try", place="name"
            )
        words = {"subject": f"{MARK}{connection}", "text": f"The connection {connection} sends.\n"}
        (sent,) = await self._sent(connection, [_Written("", "", "en", words)], (to,))
        return sent

    def _check(self, addresses: tuple[str, ...]) -> None:
        permitted = self.catalog.now.proof_addresses
        for each in addresses:
            if not permitted.permits(each):
                raise CourtesyError(
                    Code.FORBIDDEN,
                    f"{each} is no address for proofs",
                    hint="an administrator permits it: PUT /v1/proof-addresses",
                    place="to",
                )

    def _connection(self, ask: ProofAsk) -> str:
        """The connection that would send it. Raises CourtesyError(CONFLICT)."""
        desk = self.catalog.catalog().desk
        assert isinstance(desk, Desk)
        meant = Message(PROOF, PURPOSE, (EMAIL,), ask.content, 0, brand=ask.brand, connection=ask.connection)
        found = desk.connection(meant, EMAIL)
        if found is None:
            raise CourtesyError(
                Code.CONFLICT,
                "nothing is connected that sends e-mail",
                hint="PUT /v1/connections/{name}",
                place="connection",
            )
        return found.name

    async def _written(self, ask: ProofAsk, somebody: Somebody) -> tuple[_Written, str]:
        """The mail for somebody, and of which state of the item it is."""
        locales = (ask.locale,) if ask.locale else ()
        look = PreviewAsk(
            ask.content, ask.version, None, somebody, locales, ("email",), ask.data, ask.offer, brand=ask.brand
        )  # fmt: skip
        case = await self.previews.case(look)
        found = [each for each in columns(case) if each.wording is not None]
        column = next((each for each in found if each.theirs), found[0] if found else None)
        if column is None:
            wrong = next(iter(case.said.findings), None)
            hint = "" if wrong is None else wrong.message
            raise CourtesyError(Code.CONFLICT, f"{ask.content} says nothing by e-mail", hint=hint, place="content")
        parts = (await self.previews.words(case, column)).parts
        marked = {**parts, "subject": f"{MARK}{parts.get('subject', '')}"}
        return _Written(case.reader.label, column.locale, column.reads, marked), case.said.source

    async def _sent(self, connection: str, written: list[_Written], addresses: tuple[str, ...]) -> list[SentProof]:
        body = self.catalog.now.connections[connection]
        channels = self.make_channels()
        try:
            carrier = channels[body.component]
            found = []
            for each in written:
                for address in addresses:
                    answer = await carrier.carry(self._outgoing(each, address), body.config)
                    outcome = type(answer).__name__.lower()
                    subject = each.parts["subject"]
                    found.append(SentProof(address, each.person, each.locale, subject, outcome, answer.words[:500]))
            return found
        finally:
            for channel in channels.values():
                await channel.aclose()

    def _outgoing(self, written: _Written, address: str) -> Outgoing:
        """A mail that belongs to nobody: what comes back of it is of no message."""
        key, now_ms = token_bytes(16), self.previews.clock.now_ms()
        return Outgoing(
            key=key,
            person=PersonId(0),
            message=f"{PROOF}/{key.hex()}",
            campaign=PROOF,
            address=address,
            parts=written.parts,
            locale=written.reads,
            token=self.tokens.token(key),
            asked_ms=now_ms,
            expires_ms=now_ms + MINUTE_MS,
        )
