"""Channels: how messages leave. One protocol or provider per file; all of them are listed here."""

from __future__ import annotations

from courtesy.channel.contract import Channel
from courtesy.channel.webhook import Webhook

CHANNELS: tuple[type[Channel], ...] = (Webhook,)
"""Every channel there is. To add one: its file, its name here, and the contract suite runs on it."""
