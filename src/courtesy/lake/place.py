"""Where the lake lies: a local folder or an S3-compatible store; and its catalogue, in PostgreSQL."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from psycopg.conninfo import conninfo_to_dict
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy import URL

from courtesy.base.errors import Code, CourtesyError

CATALOG = "courtesy"
NAMESPACE = "courtesy"
TABLE = (NAMESPACE, "events")
OFF = "off"

CONNECT_S = 10
REQUEST_S = 60


class Settings(Protocol):
    """What the lake needs to be told."""

    @property
    def data(self) -> str:
        """The data folder; the lake is in its subfolder `lake` unless said otherwise."""

    @property
    def lake(self) -> str | None:
        """A folder, `s3://bucket/prefix`, or `off`."""

    @property
    def lake_s3_endpoint(self) -> str | None:
        """URL of an S3-compatible store that is not Amazon's."""

    @property
    def lake_s3_region(self) -> str | None:
        """Region of the bucket."""

    @property
    def lake_s3_access_key(self) -> str | None:
        """Public part of the key to the store."""

    @property
    def lake_s3_secret_key(self) -> str | None:
        """Secret part of the key to the store."""

    @property
    def partitions(self) -> int:
        """Partitions of the log."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the lake lies. `warehouse` is a URI; `files` are PyIceberg's properties of the way there."""

    warehouse: str
    files: dict[str, str]

    def catalog(self, url: str) -> SqlCatalog:
        """The catalogue in the database at a libpq URL. Its tables are made by the engine's migrations."""
        properties = {
            "warehouse": self.warehouse,
            "init_catalog_tables": "false",
            "pool_pre_ping": "true",
            **self.files,
        }
        return SqlCatalog(CATALOG, uri=catalog_url(url), **properties)


def place_of(settings: Settings) -> Place | None:
    """Where the settings want the lake; None when it is off. Raises CourtesyError(INVALID)."""
    where = settings.lake or str(Path(settings.data) / "lake")
    if where == OFF:
        return None
    if "://" not in where:
        return Place(f"file://{_folder(where)}", _local())
    scheme, _, rest = where.partition("://")
    if scheme != "s3" or not rest.split("/")[0]:
        raise CourtesyError(
            Code.INVALID,
            f"expected a folder, s3://bucket/prefix or {OFF!r}, got {where!r}",
            hint="other stores that speak S3 are reached with COURTESY_LAKE_S3_ENDPOINT",
            place="lake",
        )
    return Place(where.rstrip("/"), _s3(settings))


def _folder(where: str) -> str:
    folder = os.path.abspath(where)
    if any(sign in folder for sign in "#?"):
        raise CourtesyError(
            Code.INVALID, f"expected a folder without '#' and '?' in its path, got {folder!r}", place="lake"
        )
    return folder


def _local() -> dict[str, str]:
    return {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}


def _s3(settings: Settings) -> dict[str, str]:
    """The way to the store. What is not set follows from the usual variables of AWS."""
    region = settings.lake_s3_region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    given = {
        "s3.endpoint": settings.lake_s3_endpoint,
        "s3.access-key-id": settings.lake_s3_access_key,
        "s3.secret-access-key": settings.lake_s3_secret_key,
        "s3.region": region or "us-east-1",
        "s3.connect-timeout": str(CONNECT_S),
        "s3.request-timeout": str(REQUEST_S),
    }
    return {**_local(), **{name: value for name, value in given.items() if value}}


def catalog_url(url: str) -> str:
    """A libpq URL as SQLAlchemy wants it, with the password in it."""
    parts = {name: str(value) for name, value in conninfo_to_dict(url.replace("+psycopg", "", 1)).items()}
    parts.setdefault("connect_timeout", str(CONNECT_S))
    name, user, password = (parts.pop(each, None) for each in ("dbname", "user", "password"))
    made = URL.create("postgresql+psycopg", username=user, password=password, database=name, query=parts)
    return made.render_as_string(hide_password=False)
