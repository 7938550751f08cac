"""Proofs over HTTP: mails to one's own people as customers would get them, and to whom they may go."""

from __future__ import annotations

from courtesy.base.errors import Code
from courtesy.delivery.proof import ProofAddresses
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.mail_proof import ProofAsk, SentProofs


async def send_proofs(asked: Asked[NoQuery, ProofAsk]) -> SentProofs:
    """Send a proof."""
    return await asked.app.post.proofs.send(asked.body, asked.by)


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
