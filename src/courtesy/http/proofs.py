"""Proofs over HTTP: mails to one's own people as customers would get them, and to whom they may go."""

from __future__ import annotations

import msgspec

from courtesy.base.errors import Code
from courtesy.delivery.proof import Address, ProofAddresses
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.mail_proof import ProofAsk, SentProof, SentProofs


async def send_proofs(asked: Asked[NoQuery, ProofAsk]) -> SentProofs:
    """Send a proof."""
    return await asked.app.post.proofs.send(asked.body, asked.by)


class TryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To which of the permitted proof addresses."""

    to: Address


async def try_connection(asked: Asked[NoQuery, TryBody]) -> SentProof:
    """Send a few words over a connection."""
    return await asked.app.post.proofs.try_out(asked.path["name"], asked.body.to)


async def read_proof_addresses(asked: Asked[NoQuery, None]) -> ProofAddresses:
    """To whom proofs may go."""
    await asked.app.catalog.refresh()
    return asked.app.catalog.now.proof_addresses


async def define_proof_addresses(asked: Asked[NoQuery, ProofAddresses]) -> ProofAddresses:
    """Change that."""
    await asked.app.catalog.define_proof_addresses(asked.body, asked.by)
    return asked.app.catalog.now.proof_addresses


OPERATIONS = (
    Operation(
        "POST",
        "/v1/proofs",
        "content",
        "Send a mail to your own people, as somebody would get it.",
        send_proofs,
        doc="Only to permitted addresses. It is marked in its subject, its links are nobody's, and it is noted at the"
        " item who asked for it and where it went. Nothing is told of the people for whom it is written.",
        scope=Scope.ADMIN,
        body=ProofAsk,
        answer=SentProofs,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
    ),
    Operation(
        "POST",
        "/v1/connections/{name}/test",
        "sending",
        "Send a few words over a connection, to see whether it works.",
        try_connection,
        doc="To a permitted proof address; answers what the mail server said.",
        scope=Scope.ADMIN,
        body=TryBody,
        answer=SentProof,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs={"name": "The connection, percent-encoded."},
    ),
    Operation(
        "GET",
        "/v1/proof-addresses",
        "content",
        "To whom proofs may be sent.",
        read_proof_addresses,
        scope=Scope.ADMIN,
        answer=ProofAddresses,
    ),
    Operation(
        "PUT",
        "/v1/proof-addresses",
        "content",
        "Say to whom proofs may be sent.",
        define_proof_addresses,
        doc="Proofs are sent whatever people allow, so only to addresses of your own that are named here.",
        scope=Scope.ADMIN,
        body=ProofAddresses,
        answer=ProofAddresses,
    ),
)
