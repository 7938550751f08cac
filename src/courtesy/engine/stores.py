"""The sides of an engine that have a contract of their own, all together."""

from __future__ import annotations

from typing import Protocol

from courtesy.engine.answers import AnswerCounting
from courtesy.engine.catalogue import CatalogueStore
from courtesy.engine.code import CodeStore
from courtesy.engine.content import ContentStore
from courtesy.engine.delivery import DeliveryStore
from courtesy.engine.ledger import LedgerReading
from courtesy.engine.offer import OfferStore
from courtesy.engine.outbox import OutboxStore
from courtesy.engine.permit import PermitStore
from courtesy.engine.propagation import PropagationStore
from courtesy.engine.quality import QualityStore
from courtesy.engine.request import RequestStore
from courtesy.engine.segment import SegmentStore


class Stores(
    LedgerReading,
    PermitStore,
    PropagationStore,
    RequestStore,
    AnswerCounting,
    CodeStore,
    SegmentStore,
    OfferStore,
    ContentStore,
    CatalogueStore,
    QualityStore,
    OutboxStore,
    DeliveryStore,
    Protocol,
):
    """What an engine keeps beside the log, the states and who is who."""
