"""E-mail: a letter is composed, signed and carried, by SMTP or by a provider's API; what becomes of it is read back.

One protocol or provider per file; all of them are listed here.
"""

from __future__ import annotations

from courtesy.channel.email.carrier import Carrier
from courtesy.channel.email.mailgun import Mailgun
from courtesy.channel.email.postmark import Postmark
from courtesy.channel.email.sendgrid import Sendgrid
from courtesy.channel.email.ses import Ses
from courtesy.channel.email.smtp import Smtp

CARRIERS: tuple[type[Carrier], ...] = (Smtp, Ses, Sendgrid, Mailgun, Postmark)
"""Every carrier there is. To add one: its file, its name here, and the contract suite runs on it."""
