"""Settings: given before environment before default, each by its name, and refusals that say which it is."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.runtime.settings import Settings, decode_settings, encode_settings, from_environment

OTHERWISE: dict[str, tuple[str, Any]] = {
    "data": ("elsewhere", "elsewhere"),
    "database": ("postgresql://db/courtesy", "postgresql://db/courtesy"),
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("9090", 9090),
    "http_workers": ("7", 7),
    "fold_workers": ("0", 0),
    "partitions": ("32", 32),
    "senders": ("3", 3),
    "links_url": ("https://mail.shop.example", "https://mail.shop.example"),
    "link_hosts": ("shop.example", "shop.example"),
    "assets": ("s3://bucket/assets", "s3://bucket/assets"),
    "assets_s3_endpoint": ("http://store:9000", "http://store:9000"),
    "assets_s3_region": ("eu-central-1", "eu-central-1"),
    "assets_s3_access_key": ("AKIA", "AKIA"),
    "assets_s3_secret_key": ("secret", "secret"),
    "allow_private_webhooks": ("true", True),
    "log_retention_days": ("30", 30),
    "duplicate_days": ("14", 14),
    "outbox_days": ("30", 30),
    "spam_filter": ("spamd://127.0.0.1:783", "spamd://127.0.0.1:783"),
    "quality_every_s": ("0", 0),
    "quality_sample": ("500", 500),
    "link_key": ("a secret of at least 32 characters", "a secret of at least 32 characters"),
    "mail_url": ("smtp://mail.shop.example", "smtp://mail.shop.example"),
    "mail_from": ("hello@shop.example", "hello@shop.example"),
    "ledger_witnesses": ("http://witness:8090 w+1+key", "http://witness:8090 w+1+key"),
    "log_format": ("json", "json"),
    "otlp_endpoint": ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
    "stop_grace_s": ("5", 5),
    "lake": ("s3://bucket/prefix", "s3://bucket/prefix"),
    "lake_every_s": ("5", 5),
    "lake_s3_endpoint": ("http://store:9000", "http://store:9000"),
    "lake_s3_region": ("eu-central-1", "eu-central-1"),
    "lake_s3_access_key": ("AKIA", "AKIA"),
    "lake_s3_secret_key": ("secret", "secret"),
}
"""A text for every setting as it may stand in the environment, and what it means."""


@pytest.mark.parametrize("name", get_type_hints(Settings))
def test_every_setting_can_be_read_from_the_environment(name: str) -> None:
    """By its name in capitals; what was given on the command line counts before it, and None is not given."""
    text, value = OTHERWISE[name]
    environment = {f"COURTESY_{name.upper()}": text}
    default = getattr(from_environment({}, {}), name)
    assert value != default
    assert getattr(from_environment({}, environment), name) == value
    assert getattr(from_environment({name: None}, environment), name) == value
    assert getattr(from_environment({name: default}, environment), name) == (default if default is not None else value)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_is_not_set(text: str) -> None:
    """A database that is called nothing is none."""
    environment = {f"COURTESY_{name.upper()}": text for name in OTHERWISE}
    assert from_environment({}, environment) == from_environment({}, {})


def test_other_variables_are_not_ours() -> None:
    """Neither those without the prefix nor those with another name."""
    assert from_environment({}, {"PORT": "1", "COURTESY_UNKNOWN": "x", "courtesy_port": "2"}) == from_environment(
        {}, {}
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "many"),
        ("port", "0"),
        ("port", "65536"),
        ("port", "80.5"),
        ("http_workers", "0"),
        ("fold_workers", "-1"),
        ("partitions", "0"),
        ("partitions", "1025"),
        ("duplicate_days", "6"),
        ("log_retention_days", "0"),
        ("quality_every_s", "-1"),
        ("quality_sample", "99"),
        ("log_format", "xml"),
        ("allow_private_webhooks", "maybe"),
        ("stop_grace_s", "0"),
    ],
)
def test_a_value_that_can_not_be_is_refused(name: str, text: str) -> None:
    """With what was expected, what came, and the name of the setting."""
    with pytest.raises(CourtesyError) as caught:
        from_environment({}, {f"COURTESY_{name.upper()}": text})
    assert (caught.value.code, caught.value.place) == (Code.INVALID, name)
    assert text in caught.value.message
    assert f"COURTESY_{name.upper()}" in caught.value.hint


def test_settings_reach_other_processes_whole() -> None:
    """As one line, whatever they are."""
    settings = msgspec.convert({name: value for name, (_, value) in OTHERWISE.items()}, Settings)
    line = encode_settings(settings)
    assert "\n" not in line
    assert decode_settings(line) == settings
