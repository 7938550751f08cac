"""Settings: one place, each documented, read from the command line or from `COURTESY_*` in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PARTITION_COUNT

WORKERS_MAX = 8
"""Of a kind, unless set: more would take connections from the database that only a large one has."""


def _as_many_as_cores() -> int:
    return min(os.cpu_count() or 1, WORKERS_MAX)


def _half_as_many() -> int:
    return max(1, _as_many_as_cores() // 2)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How one installation runs. Every field can be set as `COURTESY_<FIELD>` in the environment."""

    data: Annotated[str, Meta(description="Folder for everything that is kept: the embedded database, logs.")] = "data"
    database: Annotated[
        str | None, Meta(description="URL of a PostgreSQL 15 or later to use instead of the embedded one.")
    ] = None
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on.", ge=1, le=65_535)] = 8080
    http_workers: Annotated[
        int, Meta(description="Processes that answer HTTP. As many as cores, up to 8, unless set.", ge=1)
    ] = msgspec.field(default_factory=_as_many_as_cores)
    fold_workers: Annotated[
        int,
        Meta(
            description="Processes that fold. One for two cores, up to 4, unless set; 0 for a host that only answers.",
            ge=0,
        ),
    ] = msgspec.field(default_factory=_half_as_many)
    senders: Annotated[
        int, Meta(description="Processes that send messages. More send more, up to the cores.", ge=1, le=64)
    ] = 1
    links_url: Annotated[
        str,
        Meta(
            description="Where links in messages lead: the address by which the world reaches this server, best a "
            "domain of its own, such as `https://mail.shop.example`. The host and port of the server unless set.",
            pattern=r"^(https?://[^/?#\s]+)?$",
        ),
    ] = ""
    link_hosts: Annotated[
        str,
        Meta(
            description="Hosts to which links may lead whose whole address differs from person to person, with commas "
            "between them: `shop.example,blog.example`. Their subdomains, too."
        ),
    ] = ""
    spam_filter: Annotated[
        str,
        Meta(
            description="What scores mails before they are published: `http://host:11333` of an rspamd, "
            "`spamd://host:783` of a SpamAssassin, `spamassassin` for the program, or `off`. Whatever of these runs or "
            "is installed on this machine unless set.",
            pattern="^(off|spamassassin|(https?|spamd)://[^/?#\\s]+/?)?$",
        ),
    ] = ""
    partitions: Annotated[
        int, Meta(description="Partitions of the log, fixed when a store is made.", ge=1, le=1_024)
    ] = PARTITION_COUNT
    allow_private_webhooks: Annotated[
        bool, Meta(description="Let webhooks call private and loopback addresses. For tests and closed networks.")
    ] = False
    log_retention_days: Annotated[
        int,
        Meta(
            description="How long folded records stay in the log. Nothing unfolded is dropped, nor what a lake lacks.",
            ge=1,
        ),
    ] = 90
    lake: Annotated[
        str,
        Meta(
            description="Where all events are kept as an Iceberg table: a folder, `s3://bucket/prefix`, or `off`. "
            "The folder `lake` in the data folder unless set.",
            pattern="^(s3://[^/]|(?!.*://))",
        ),
    ] = ""
    lake_every_s: Annotated[int, Meta(description="How often new events are written to the lake.", ge=1, le=40)] = 20
    lake_s3_endpoint: Annotated[
        str | None, Meta(description="URL of the S3-compatible store of the lake, when it is not Amazon's.")
    ] = None
    lake_s3_region: Annotated[
        str | None, Meta(description="Region of the lake's bucket. `AWS_REGION`, or else `us-east-1`, unless set.")
    ] = None
    lake_s3_access_key: Annotated[
        str | None, Meta(description="Key id for the lake's store. What AWS's own tools would take unless set.")
    ] = None
    lake_s3_secret_key: Annotated[str | None, Meta(description="The secret that belongs to that key id.")] = None
    assets: Annotated[
        str,
        Meta(
            description="Where pictures and documents are kept: a folder, or `s3://bucket/prefix`. The folder `assets` "
            "in the data folder unless set.",
            pattern="^(s3://[^/]|(?!.*://))",
        ),
    ] = ""
    assets_s3_endpoint: Annotated[
        str | None, Meta(description="URL of the S3-compatible store of assets, when it is not Amazon's.")
    ] = None
    assets_s3_region: Annotated[
        str | None, Meta(description="Region of their bucket. `AWS_REGION`, or else `us-east-1`, unless set.")
    ] = None
    assets_s3_access_key: Annotated[
        str | None, Meta(description="Key id for their store. What AWS's own tools would take unless set.")
    ] = None
    assets_s3_secret_key: Annotated[str | None, Meta(description="The secret that belongs to that key id.")] = None
    duplicate_days: Annotated[
        int, Meta(description="How long message ids are remembered to recognise duplicates.", ge=7)
    ] = 7
    outbox_days: Annotated[
        int,
        Meta(
            description="How long it is kept what each message and call said and came to, after its end. What comes "
            "back later is not told of any more; nothing is sent twice.",
            ge=7,
        ),
    ] = 90
    quality_every_s: Annotated[
        int, Meta(description="How often the quality of what sources send is judged, in seconds; 0 for never.", ge=0)
    ] = 300
    quality_sample: Annotated[
        int, Meta(description="How many of a day's events are looked at each time.", ge=100, le=100_000)
    ] = 5_000
    link_key: Annotated[
        Annotated[str, Meta(min_length=32)] | None,
        Meta(
            description="Secret that signs links to the preference centre and names people for recipients; the same "
            "for all hosts of one database. Made in the data folder unless set."
        ),
    ] = None
    mail_url: Annotated[
        str | None,
        Meta(
            description="Mail server for codes: `smtp://user:password@host:port`, with STARTTLS unless `?tls=none`, or "
            "`smtps://`. Without it the preference centre offers neither download nor deletion."
        ),
    ] = None
    mail_from: Annotated[str | None, Meta(description="Who that mail is from, like `Shop <hello@shop.example>`.")] = (
        None
    )
    ledger_witnesses: Annotated[
        str,
        Meta(
            description="Who signs the ledger's checkpoints beside us: URL and key of each witness, a blank between "
            "them, commas between witnesses."
        ),
    ] = ""
    log_format: Annotated[
        str, Meta(description="`text` for people or `json` for machines.", pattern="^(text|json)$")
    ] = "text"
    otlp_endpoint: Annotated[
        str | None, Meta(description="URL of an OpenTelemetry collector (OTLP over HTTP, `/v1/traces`).")
    ] = None
    stop_grace_s: Annotated[
        int, Meta(description="How long a stop waits for what is under way before it is ended.", ge=1)
    ] = 30

    @property
    def linked_hosts(self) -> tuple[str, ...]:
        """The hosts of `link_hosts`."""
        return tuple(each.strip().lower() for each in self.link_hosts.split(",") if each.strip())

    @property
    def has_lake(self) -> bool:
        """Whether events flow to a lake."""
        return self.lake != "off"


def from_environment(given: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Settings from what was given, then the environment, then defaults. None and empty variables count as not given.

    Raises CourtesyError(INVALID) that names the setting.
    """
    values: dict[str, Any] = {}
    for name in get_type_hints(Settings):
        if given.get(name) is not None:
            values[name] = given[name]
        elif text := environment.get(f"COURTESY_{name.upper()}", "").strip():
            values[name] = text
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), values) from None


def _refusal(said: str, values: Mapping[str, Any]) -> CourtesyError:
    """msgspec says "Expected `int` <= 65535 - at `$.port`", maybe with ", got `str`". Say what it got, and where."""
    expected, _, place = said.partition(" - at `$.")
    name = place.rstrip("`")
    return CourtesyError(
        Code.INVALID,
        f"{expected.partition(', got ')[0].replace('Expected', 'expected', 1)}, got {values.get(name)!r}",
        hint=f"`courtesy serve --help` and the variable COURTESY_{name.upper()} say what it takes",
        place=name,
    )


def encode_settings(settings: Settings) -> str:
    """One line that `decode_settings` reads in another process."""
    return msgspec.json.encode(settings).decode()


def decode_settings(text: str) -> Settings:
    """The inverse of `encode_settings`."""
    return msgspec.json.decode(text, type=Settings)
