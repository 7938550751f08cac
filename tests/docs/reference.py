"""The reference, derived from the code: `python -m tests.docs.reference --write` writes `docs/reference`.

Without `--write` it says which pages are out of date, and ends with status 1 when one is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, get_args

import msgspec
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from courtesy.base.errors import EXIT_STATUS, HTTP_STATUS, Code
from courtesy.base.ids import Partition, Position
from courtesy.channel import CHANNELS
from courtesy.channel.contract import MAX_ATTEMPTS, FailCause, RetryCause
from courtesy.channel.email import CARRIERS
from courtesy.component.reference import reference_markdown
from courtesy.content import blocks
from courtesy.content.blocks import Theme
from courtesy.content.filters import FILTERS
from courtesy.content.findings import MEANING as CHECK_MEANING
from courtesy.content.items import CHANNELS as CONTENT_CHANNELS
from courtesy.content.items import Field, Kind
from courtesy.content.kinds import KINDS, Representation
from courtesy.content.scope import FUNCTIONS, SCOPE, TESTS
from courtesy.delivery.bot_verdict import Reason as BotReason
from courtesy.delivery.cause import REACTION, DeliveryCause, Reaction
from courtesy.delivery.outcome import OutcomeKind
from courtesy.engine.contract import PartitionStatus
from courtesy.event.cause import FATE, MEANING, Cause
from courtesy.http import metrics as http_metrics
from courtesy.http.app import OPERATIONS
from courtesy.http.errors import BUG_RETRY_AFTER_S, INTERNAL, METHOD_NOT_ALLOWED, RETRY_AFTER_S
from courtesy.http.operation import Operation
from courtesy.identity.resolve import RefusalReason
from courtesy.identity.rules import EXTERNAL, VALUE_CHARS_MAX, IdentityRules
from courtesy.offer import terms
from courtesy.person.standards import TRAITS
from courtesy.runtime import telemetry
from courtesy.runtime.offer_desk import Low
from courtesy.runtime.settings import Settings
from courtesy.segment import tree
from courtesy.standard.value import FORMS, MARKS, REASONS, Mark, Reason
from courtesy.standard.value import Kind as StandardKind
from tests.docs.commands import Command, Parameter, commands
from tests.tidy.checkout import ROOT

FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- Derived from the code by `python -m tests.docs.reference --write`. Changes made here are lost. -->"

ERROR_MEANING: dict[str, str] = {
    Code.INVALID: "A parameter, a field or a setting has a value that is not allowed.",
    Code.UNREADABLE: "What came is not in the format that was expected: not JSON, not a table, cut short.",
    Code.UNAUTHENTICATED: "No key, or one that is unknown, revoked or expired.",
    Code.FORBIDDEN: "The key is valid, but its scope or its source does not allow this.",
    Code.NOT_FOUND: "There is no person, definition or file of that name.",
    Code.CONFLICT: "It can't be done as things are now, such as reading at a position that the log has not reached.",
    Code.TOO_LARGE: "The body is larger than is taken at once. The tracking API answers 400 instead of 413.",
    Code.TOO_MANY: "More is waiting to be stored than the server takes on. Nothing was stored; send it again.",
    Code.UNAVAILABLE: "The database does not answer, or the server is stopping. Sending again is safe.",
    Code.STORAGE_FULL: "There is no room left on the disk. Nothing was stored; sending again is safe.",
    Code.SETUP: "The installation can't work as it is: the data folder, the database, the number of partitions.",
    METHOD_NOT_ALLOWED: "The path exists, but not for this method.",
    INTERNAL: "A bug. The server's log has the place; it has no data of people.",
}
HTTP_ONLY = {METHOD_NOT_ALLOWED: "405", INTERNAL: "500; 503 where events are sent"}
REFUSAL_MEANING = {
    RefusalReason.OVER_CAP: "The person, or the two together, would hold more values of the kind than its cap.",
    RefusalReason.OTHER_PERSON: "The identifier belongs to somebody with whom the person of the event can't be one.",
    RefusalReason.BANNED: "Somebody said that the two are not one, by an unmerge or a split.",
}


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; bars inside of cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def page(title: str, *parts: str) -> str:
    """A page of the reference."""
    return "\n\n".join([f"# {title}", NOTE, *(part.strip() for part in parts)]) + "\n"


def settings_page() -> str:
    """Every field of `Settings`."""
    options = {name for command in commands() for name in command.names}
    info = msgspec.inspect.type_info(Settings)
    assert isinstance(info, msgspec.inspect.StructType)
    fields = zip(msgspec.structs.fields(Settings), info.fields, strict=True)
    return page(
        "Settings",
        """Each setting is a field with a default. It is set by its variable in the environment, or by the option of
`courtesy serve` where there is one; the option goes before the variable. Commands that open a store (`keys`, `person`,
`import`) take `--data` and `--database` and heed the same variables.""",
        table(("variable", "option", "type", "default", "meaning"), (_setting_row(*each, options) for each in fields)),
        "Booleans are written `true` or `false`.",
    )


def _setting_row(field: Any, info: Any, options: set[str]) -> Sequence[str]:
    meta, inner = _unwrapped(info.type)
    option = f"--{field.name.replace('_', '-')}"
    return (
        f"`COURTESY_{field.name.upper()}`",
        f"`{option}`" if option in options else "",
        _type_words(inner),
        _default_words(field),
        " ".join(meta.split()),
    )


def _unwrapped(info: Any) -> tuple[str, Any]:
    """Description and type proper of a field's type, which may be annotated and optional."""
    meaning = ""
    if isinstance(info, msgspec.inspect.Metadata):
        meaning = (info.extra_json_schema or {}).get("description", "")
        info = info.type
    if isinstance(info, msgspec.inspect.UnionType):
        others = [each for each in info.types if not isinstance(each, msgspec.inspect.NoneType)]
        inner_meaning, info = _unwrapped(others[0])
        meaning = meaning or inner_meaning
    return meaning, info


def _type_words(info: Any) -> str:
    match info:
        case msgspec.inspect.IntType(ge=low, le=high):
            return f"integer from {low}" + (f" to {high}" if high is not None else "")
        case msgspec.inspect.BoolType():
            return "boolean"
        case msgspec.inspect.StrType(pattern=str() as pattern) if re.fullmatch(r"\^\([a-z|]+\)\$", pattern):
            return " or ".join(f"`{word}`" for word in pattern.strip("^$()").split("|"))
        case msgspec.inspect.StrType():
            return "text"
        case _:
            raise AssertionError(f"no words for {info}")


def _default_words(field: Any) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return str(field.default_factory.__name__).strip("_").replace("_", " ")
    return "none" if field.default in (None, "") else f"`{msgspec.json.encode(field.default).decode().strip(chr(34))}`"


def causes_page() -> str:
    """Every cause of rejection."""
    return page(
        "Why an event was not stored",
        """The list is closed. The causes are in the order in which the checks are made; an event is turned away for
the first that applies. `received = stored + quarantined + duplicate + suppressed` holds for each source and hour.

- *quarantined*: kept as it came, with its cause, to be [mended](../how-to/quarantine.md).
- *duplicate*: known already; dropped, because it is stored.
- *suppressed*: not wanted by the customer or the operator; dropped and counted, not kept.
- *stored*: a remark on an event that is stored like any other.""",
        table(("cause", "fate", "meaning"), ((f"`{cause}`", FATE[cause], MEANING[cause]) for cause in Cause)),
    )


def errors_page() -> str:
    """Every error code, with its HTTP and exit status."""
    rows = [(f"`{code}`", HTTP_STATUS[code], EXIT_STATUS[code], ERROR_MEANING[code]) for code in Code]
    rows += [(f"`{code}`", status, "", ERROR_MEANING[code]) for code, status in HTTP_ONLY.items()]  # type: ignore[misc]
    waits = ", ".join(f"{seconds} s with {status}" for status, seconds in RETRY_AFTER_S.items())
    return page(
        "Errors",
        f"""Every error has the same form, `{{"code", "message", "hint", "place"}}`: a code for programs, a message that
says what was expected and what came, what to do about it, and where it is. A command prints message and hint on
standard error and ends with the exit status (those of `sysexits.h`).

Where to send again makes sense, the answer carries `Retry-After`: {waits}, {BUG_RETRY_AFTER_S} s after a bug.

A body of the tracking API that can't be read at all is answered 400 with the [cause](causes.md) as its code.""",
        table(("code", "HTTP status", "exit status", "meaning"), rows),
    )


def commands_page() -> str:
    """Every command with its arguments and options."""
    return page(
        "Commands",
        "`courtesy <command> --help` shows the same. Exit statuses are in [errors](errors.md).",
        *(_command_part(command) for command in commands()),
    )


def _command_part(command: Command) -> str:
    words = [f"<{each.name}>" if each.default == "required" else f"[{each.name}]" for each in command.arguments]
    rows = [_parameter_row(each) for each in command.parameters]
    parts = [f"## {command.name}", command.summary, f"```sh\n{' '.join([command.name, *words])}\n```"]
    return "\n\n".join(parts + ([table(("argument or option", "takes", "default", "meaning"), rows)] if rows else []))


def _parameter_row(parameter: Parameter) -> Sequence[str]:
    return (f"`{parameter.name}`", parameter.takes, parameter.default, parameter.meaning)


def metrics_page() -> str:
    """Every metric that `GET /metrics` can show."""
    counted = [
        (_exposed_name(each), each._type, each._labelnames, each._documentation)
        for module in (telemetry, http_metrics)
        for each in vars(module).values()
        if isinstance(each, Counter | Histogram | Gauge)
    ]
    rows = sorted({name: (name, kind, labels, text) for name, kind, labels, text in [*counted, *_lags()]}.values())
    return page(
        "Metrics",
        """`GET /metrics` in the format of Prometheus, without a key and without personal data. Counters and histograms
are summed over all processes of one server, and begin at nothing when it starts. A histogram also has `_bucket`, `_sum`
and `_count`. Metrics of partitions are asked of the store, so every server of a cluster tells the same of them.""",
        table(
            ("metric", "kind", "labels", "meaning"),
            ((f"`{name}`", kind, ", ".join(f"`{each}`" for each in labels), text) for name, kind, labels, text in rows),
        ),
    )


def _exposed_name(metric: Counter | Histogram | Gauge) -> str:
    """A counter's name ends in `_total` where it is exposed."""
    return f"{metric._name}_total" if isinstance(metric, Counter) else metric._name


def _lags() -> Iterable[tuple[str, str, tuple[str, ...], str]]:
    """The gauges that are made when the page is asked for, read off such a page."""
    status = PartitionStatus(Partition(0), Position(0), 1, 0, None)
    for family in text_string_to_metric_families(
        http_metrics.page([status], 0, low=[Low("offer", "welcome", 3)]).decode()
    ):
        # Beside each counter there is a gauge that tells when it was made.
        if family.type == "gauge" and family.name.startswith("courtesy_") and not family.name.endswith("_created"):
            yield family.name, family.type, tuple(family.samples[0].labels), family.documentation


def email_page() -> str:
    """Every carrier of e-mail, and the closed lists of what becomes of a letter."""
    return page(
        "E-mail",
        "A carrier is how e-mail leaves: by SMTP, or by the API of a provider. Each declares its configuration.",
        *(reference_markdown(carrier.component) for carrier in CARRIERS),
        "## What becomes of a letter",
        "Whoever reports it, in whatever form, it becomes one of these.",
        table(("outcome", "meaning"), [(f"`{kind.value}`", kind.doc) for kind in OutcomeKind]),
        "## Causes",
        "Why a letter did not arrive or is not wanted, and what follows.",
        table(
            ("cause", "meaning", "what follows"),
            [(f"`{cause.value}`", cause.doc, f"`{REACTION[cause].value}`") for cause in DeliveryCause],
        ),
        table(("what follows", "meaning"), [(f"`{each.value}`", each.doc) for each in Reaction]),
        "## Why an open or a click is thought to be a machine's",
        table(("reason", "meaning"), [(f"`{reason.value}`", reason.doc) for reason in BotReason]),
    )


def channels_page() -> str:
    """Every channel's declaration, and what becomes of an attempt."""
    return page(
        "Channels",
        "A channel is how a message leaves. Each declares its configuration; what follows is that declaration.",
        *(reference_markdown(channel.component) for channel in CHANNELS),
        "## Outcomes of an attempt",
        f"""An attempt delivers, fails for good, or may be repeated: at most {MAX_ATTEMPTS} attempts over about three
days. The last failure is then final, with its cause.""",
        table(
            ("cause", "repeated", "meaning"),
            [
                *((f"`{cause.value}`", "yes", cause.doc) for cause in RetryCause),
                *((f"`{cause.value}`", "no", cause.doc) for cause in FailCause),
            ],
        ),
    )


def identity_page() -> str:
    """The default rules of identity."""
    rules = IdentityRules()
    return page(
        "Identifier kinds",
        f"""The rules that hold until others are set (`PUT /v1/identity/rules`). Of the identifiers of an event the one
with the lowest priority number decides first. A person holds at most *cap* values of a kind. Two values of a *unique*
kind are two people, who are joined by an alias only. A *shareable* value that turns up with people who can't be one is
set apart. Every kind that is not listed follows the rules of `{EXTERNAL}`.""",
        table(
            ("kind", "priority", "cap", "unique", "shareable", "blocked, beside the common values"),
            (
                (
                    f"`{kind.name}`",
                    kind.priority,
                    kind.cap,
                    "yes" if kind.unique else "",
                    "yes" if kind.shareable else "",
                    _codes(kind.blocked),
                )
                for kind in rules.kinds
            ),
        ),
        "## Values that identify nobody",
        f"""Compared as a whole and in any case. Values of more than {VALUE_CHARS_MAX} characters identify nobody
either; an e-mail address must look like one, and a phone number must begin with `+` and its
country code, or something must say [of which country](../how-to/standards.md#phone-numbers) it is.""",
        _codes(rules.blocked),
        """And whatever matches this pattern as a whole, such as zeros and separators, one character over and over, or
the name of a field that a template did not fill in:""",
        f"```text\n{rules.blocked_pattern}\n```",
        "## Why an identifier was not linked",
        table(("reason", "meaning"), ((f"`{reason}`", REFUSAL_MEANING[reason]) for reason in RefusalReason)),
        f"An identifier refused to {rules.alarm_degree} people or more as another's (`alarm_degree`) raises an alarm: "
        "`GET /v1/identity/alarms`.",
    )


def _codes(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def api_page() -> str:
    """Every operation of the HTTP API, by tag."""
    by_tag: dict[str, list[Operation]] = {}
    for operation in OPERATIONS:
        by_tag.setdefault(operation.tag, []).append(operation)
    return page(
        "API",
        """Every path of the HTTP API. A running server describes them in full, with all fields, at `/openapi.json`
(OpenAPI 3.1). *Key* is the scope that a key must have; `admin` has all. Errors are in [errors](errors.md).""",
        *(part for tag, some in by_tag.items() for part in (f"## {tag}", _operations_table(some))),
    )


def _operations_table(some: Iterable[Operation]) -> str:
    return table(("", "path", "parameters", "key", "what it does"), map(_operation_row, some))


def _operation_row(each: Operation) -> Sequence[str]:
    said = f"{each.summary} {each.doc}".strip()
    return (each.method, f"`{each.path}`", _codes(each.query.__struct_encode_fields__), each.scope or "", said)


def standards_page() -> str:
    """What is made of values: kinds, marks and reasons."""
    return page(
        "Standard forms",
        """What `courtesy standard`, `POST /v1/standard` and the section `standard` of a person say of a value. See
[how to use them](../how-to/standards.md).""",
        "## Kinds",
        table(("kind", "standard form"), ((f"`{kind}`", FORMS[kind]) for kind in StandardKind)),
        f"Of a person the traits {_codes(TRAITS)} are shown so.",
        "## Marks",
        table(("mark", "meaning"), ((f"`{mark}`", MARKS[mark]) for mark in Mark)),
        "## Why there is no form",
        table(("reason", "meaning"), ((f"`{reason}`", REASONS[reason]) for reason in Reason)),
    )


def segments_page() -> str:
    """Every node of the tree of a segment."""
    choices = [each for each in vars(tree).values() if isinstance(each, type) and issubclass(each, StrEnum)]
    parts = (tree.Segment, tree.Each, tree.Event, tree.Step, tree.Measure, tree.Duration, tree.Param)
    return page(
        "The tree of a segment",
        """What stands behind the [words](../how-to/segments.md#the-language): what is stored, and what `segment` is in
the API. Each node is a JSON object; `type` says which, where there are several. Fields in parentheses may be left
out.""",
        "## The whole and its parts",
        _nodes(parts),
        "## Conditions",
        _nodes(get_args(tree.Expression)),
        "A filter has only fields, joined by `all`, `any` and `not`.",
        "## Tests on values",
        _nodes(get_args(tree.Test)),
        "## Windows of time",
        _nodes(get_args(tree.Window)),
        "## Words",
        table(
            ("of", "words", "meaning"),
            ((each.__name__.lower(), ", ".join(f"`{one.value}`" for one in each), _meaning(each)) for each in choices),
        ),
    )


def _nodes(types: Iterable[Any]) -> str:
    return table(("node", "`type`", "fields", "meaning"), map(_node_row, types))


def _node_row(type_: Any) -> Sequence[str]:
    tag = type_.__struct_config__.tag
    fields = (f"`{each.name}`" if each.required else f"(`{each.name}`)" for each in msgspec.structs.fields(type_))
    return type_.__name__, "" if tag is None else f"`{tag}`", ", ".join(fields), _meaning(type_)


def _meaning(type_: Any) -> str:
    return " ".join((type_.__doc__ or "").split())


def templates_page() -> str:
    """Everything that templates, blocks and their checks have names for."""
    return page(
        "Templates",
        """What templates may speak of, and what blocks and checks there are. See [how to
write them](../how-to/templates.md).""",
        "## Names",
        table(("name", "what it is"), ((f"`{name}`", meaning) for name, meaning in SCOPE.items())),
        "## Functions",
        table(("function", "what it gives"), ((f"`{name}`", each.meaning) for name, each in FUNCTIONS.items())),
        "## Filters",
        table(
            ("filter", "values", "what it gives", "example", "in English"),
            (
                (f"`{name}`", _codes(each.parameters), each.meaning, f"`{each.example}`", f"`{each.gives}`")
                for name, each in FILTERS.items()
            ),
        ),
        "Part of the language are `default` (a value for what is missing; with `true` also for what is empty), and"
        " `safe` (HTML of your own, not of people or events).",
        "## Tests",
        table(("after `is`", "meaning"), ((f"`{name}`", meaning) for name, meaning in TESTS.items())),
        "## Blocks of a mail",
        "Fields in parentheses may be left out.",
        _nodes((blocks.Mail, blocks.Theme)),
        _nodes((*blocks.BLOCKS, blocks.Column, blocks.Branch, blocks.SocialLink)),
        "## Checks",
        "An error keeps content from being published; a warning is to be looked at.",
        table(("code", "what it finds"), ((f"`{code}`", meaning) for code, meaning in CHECK_MEANING.items())),
    )


def content_page() -> str:
    """Every kind of item."""
    return page(
        "Kinds of content",
        f"""What an item of each kind may say. A field that has *variants* holds an object: a value for `default`, and
others for a locale (`de`, `de-CH`), a channel (`@sms`), or both (`de@sms`). The channels are
{_codes(CONTENT_CHANNELS)}. Whoever has no value of their own gets that of the language, then the
default; the language goes before the channel. See [how to use them](../how-to/content.md).""",
        "Beside its fields every item has a title, tags, an owner, a validity (`valid_from`, `valid_to`) and rights"
        " (`holder`, `licence`, `expires`).",
        *(_kind_part(kind) for kind in KINDS.values()),
        "## Shapes",
        _nodes(_shapes()),
    )


def _kind_part(kind: Kind) -> str:
    rows = ((f"`{each.name}`", _holds(each), _variants(each), each.doc) for each in kind.fields)
    head = f"## {kind.name}\n\n{kind.summary} {' '.join(kind.doc.split())}"
    return f"{head}\n\n{table(('field', 'holds', 'variants by', 'meaning'), rows)}"


def _holds(each: Field) -> str:
    shapes = [one.__name__ for one in _shapes() if one in (get_args(each.shape) or (each.shape,))]
    named = " or ".join(shapes) if shapes else str(each.type)
    words = f"{named}{' of ' + ' or '.join(each.kinds) if each.kinds else ''}{', several' if each.many else ''}"
    limit = "" if each.chars_max is None else f", at most {each.chars_max:,} characters"
    bounds = "" if each.low is None else f", from {each.low:,} to {each.high:,.0f}"
    return f"{words}{limit}{bounds}{'; required' if each.required else ''}"


def _variants(each: Field) -> str:
    return " and ".join(word for word, has in (("locale", each.localised), ("channel", each.by_channel)) if has)


def _shapes() -> tuple[Any, ...]:
    return (terms.Money, Theme, *get_args(terms.Value), *get_args(terms.Codes), Representation)


PAGES: dict[str, Callable[[], str]] = {
    "api.md": api_page,
    "settings.md": settings_page,
    "causes.md": causes_page,
    "errors.md": errors_page,
    "commands.md": commands_page,
    "metrics.md": metrics_page,
    "channels.md": channels_page,
    "email.md": email_page,
    "identity-kinds.md": identity_page,
    "standards.md": standards_page,
    "segments.md": segments_page,
    "templates.md": templates_page,
    "content.md": content_page,
}


def stale() -> list[str]:
    """The pages that do not say what the code says."""
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    return [name for name, make in PAGES.items() if written.get(name) != make()]


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are out of date; the exit status."""
    names = stale()
    if "--write" in arguments:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name in names:
            (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")
    print("\n".join(names) or "up to date")
    return 1 if names and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
