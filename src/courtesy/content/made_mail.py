"""A mail of blocks as it is published in a locale: its templates, with a slot for each link."""

from __future__ import annotations

from dataclasses import dataclass

from courtesy.content.blocks import Mail
from courtesy.content.links import Linked, rewrite
from courtesy.content.mail import Compiled, FragmentBlocks, compile_mail


@dataclass(frozen=True, slots=True)
class MadeMail:
    """The blocks, what they were compiled to, and that with its links as calls of `link`. `fragments`: where those in
    it are from."""

    mail: Mail
    compiled: Compiled
    linked: Linked
    fragments: FragmentBlocks | None = None


def make_mail(mail: Mail, locale: str, fragments: FragmentBlocks | None = None) -> MadeMail:
    """Raises CourtesyError(INVALID): for a link that nothing could make safe; with a JSON pointer for a fragment that
    there is none of, or that holds itself."""
    compiled = compile_mail(mail, locale, fragments)
    return MadeMail(mail, compiled, rewrite(compiled.html, compiled.text), fragments)
