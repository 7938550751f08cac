"""Guessing a mapping from column names and samples: a draft that imports well-known tables and that people edit."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.event.accept import text_of
from courtesy.event.casting import Unread, dates, to_number
from courtesy.source.column_names import Columns, word_of
from courtesy.source.files import Sample, find_files, sample_of
from courtesy.source.guess_consent import ConsentGuess
from courtesy.source.mapping import (
    Calls,
    CallType,
    Cast,
    Condition,
    CsvOptions,
    Format,
    Given,
    Mapping,
    Output,
    Rule,
    Value,
)
from courtesy.source.ready import ready_rule

NO_PERSON = "no person column, not events"
NO_CONSENT = "no column tells what people chose"
SAMPLE_ROWS = 1_000
DISTINCT_EVENTS_MAX = 100
DATES_SHARE_MIN = 2 / 3
"""A column that is named like a time is one though some of its values are broken: those rows wait in the quarantine."""

_IDENTIFIERS: dict[str, tuple[str, ...]] = {
    "user_id": tuple(
        "user_id userid customer_id customerid household_id household_key member_id client_id cust_id buyer_id "
        "shopper_id person_id contact_id subscriber_id customer_unique_id uid user customer household member id".split()
    ),
    "anonymous_id": tuple(
        "anonymous_id visitor_id visitorid cookie_id session_id sessionid user_session session visit_id".split()
    ),
    "device_id": ("device_id", "deviceid", "idfa", "gaid", "advertising_id"),
    "email": ("email", "e_mail", "email_address", "e_mail_address", "mail"),
    "phone": ("phone", "phone_number", "mobile", "mobile_number", "telephone", "msisdn"),
}
_TIMES = (
    "event_time timestamp event_timestamp occurred_at transaction_timestamp event_date time_stamp datetime date_time "
    "time date eventdate invoice_date order_date purchase_date transaction_date order_timestamp order_time visit_date "
    "ts at"
).split()
_TIME_ENDING = re.compile(r".*_(at|time|date|timestamp|ts|on)|date_.*")
_PERSONAL_TIME = re.compile(r"(.*_)?(birth|born|signup|signed_up|joined|registered|registration|created|dob).*")
_PERSONAL = frozenset(
    "email e_mail first_name last_name surname gender sex birthday birth_date became_member_on".split()
)
"""Names beside which a plain `id` is a person's."""
_EVENTS = "event_type event_name event action action_type behavior behaviour behavior_type activity type".split()
_ORDERS = (
    "order_id order_no order_number invoice_no invoice_id invoice basket_id transaction_id receipt_id purchase_id"
).split()
_PRODUCTS = "product_id item_id itemid stock_code sku product item upc article_id asin".split()
_QUANTITIES = ("quantity", "qty", "units", "item_count")
_PRICES = ("price", "unit_price", "item_price", "price_usd")
_AMOUNTS = (
    "revenue sales_value amount total order_total order_value grand_total total_price total_amount spend sales "
    "payment_value dollar_value price_total"
).split()
_PURCHASES = ("purchase", "transaction", "order", "buy", "checkout", "sale")
_KNOWN_EVENTS = {
    "view": "Product Viewed",
    "pv": "Product Viewed",
    "detail": "Product Viewed",
    "cart": "Product Added",
    "addtocart": "Product Added",
    "add_to_cart": "Product Added",
    "add": "Product Added",
    "remove_from_cart": "Product Removed",
    "remove": "Product Removed",
    "fav": "Product Added to Wishlist",
    "favorite": "Product Added to Wishlist",
    **dict.fromkeys(_PURCHASES, "Order Completed"),
}
_EMPTY_MARKS = frozenset(("NA", "N/A", "NULL", "null", "NaN", "nan", "None", "none", "-"))
_POINTED = re.compile(r"\s*-?\d[\d,]*\.\d+\s*")
_COMMAED = re.compile(r"\s*-?\d[\d.]*,(\d{1,2}|\d{4,})\s*")
_CODE_ENDING = re.compile(r"(.*_)?(id|ids|no|nr|code|upc|sku|ean|zip|zipcode|postcode|postal_code|phone|number|key)")
_DATE_FORMATS = tuple(
    f"{day}{time}"
    for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%Y%m%d")
    for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
)


def guess_mapping(path: Path, *, consent: bool = False) -> Mapping:
    """A mapping for a file or all files of a folder; a ready one where it fits. Files that are no tables are left out.
    `consent`: as for `guess_rule`.

    Raises CourtesyError(NOT_FOUND) when there is nothing, and (UNREADABLE) when a single file is no table.
    """
    from_folder = path.is_dir()
    rules: list[Rule] = []
    for file in find_files(path):
        try:
            sample = sample_of(file, known_only=from_folder)
        except CourtesyError:
            if not from_folder:
                raise
            continue
        found = ready_rule(sample.columns)
        rule = guess_rule(file.identity, sample, consent=consent) if found is None or consent else found[1]
        if not any(
            msgspec.structs.replace(known, files=rule.files) == rule and known.is_for(file.name) for known in rules
        ):
            rules.append(rule)
    note = "A draft, made from column names and samples: see that it is true before you import."
    return Mapping(path.name.split(".")[0], note, tuple(rules))


def guess_rule(name: str, sample: Sample, *, consent: bool = False) -> Rule:
    """A rule for a file of that name; one that skips the file when no column says who it is about. `consent`: its rows
    are known to tell what people chose, and it is skipped when none does."""
    return _Guess(name, sample).rule(consent=consent)


def files_like(name: str) -> str:
    """A pattern for the files of a series: numbers and dates in the name may be others."""
    return re.sub(r"\d[\d\-_.T]*\d|\d", "*", glob.escape(name)) if PurePosixPath(name).suffix else glob.escape(name)


class _Guess:
    """A guess in the making, about one file."""

    def __init__(self, name: str, sample: Sample) -> None:
        self._name = name
        self._format = sample.format
        self._words = {column: word_of(column) for column in sample.columns}
        rows = sample.rows
        self._samples = {
            column: [v for v in rows.column(column)[:SAMPLE_ROWS] if text_of_any(v)] for column in self._words
        }
        self._decimal = self._decimal_mark()
        self._empty_marks = self._leave_out_marks()
        self._row_count = min(len(rows.numbers), SAMPLE_ROWS)
        self._notes: list[str] = []
        self._columns = Columns(self._words, self._samples)
        self._used = self._columns.used

    def rule(self, *, consent: bool) -> Rule:
        """The rule."""
        files = files_like(self._name)
        if self._holds_calls():
            return Rule(files=files, calls=Calls(each="$"))
        identifiers = self._identifiers()
        if not identifiers:
            return Rule(files=files, skip=NO_PERSON)
        choices = self._choices(set(identifiers), is_sure=consent)
        if choices or consent:
            return self._consent_rule(files, identifiers, choices)
        event_column = self._first(_EVENTS, self._is_event)
        about_people = event_column is None and self._is_about_people(identifiers)
        time = self._time(personal=about_people)
        output = self._identify() if about_people else self._track(event_column)
        return Rule(
            files=files,
            note=" ".join(self._notes),
            csv=self._csv(),
            identifiers=identifiers,
            time=time,
            outputs=(output,),
        )

    def _choices(self, kinds: set[str], *, is_sure: bool) -> tuple[Output, ...]:
        guess = ConsentGuess(self._columns, self._dated, is_sure=is_sure)
        found = guess.outputs(kinds)
        self._notes += guess.notes if found else []
        return found

    def _consent_rule(self, files: str, identifiers: dict[str, Given], choices: tuple[Output, ...]) -> Rule:
        if not choices:
            return Rule(files=files, skip=NO_CONSENT)
        note = " ".join(self._notes)
        return Rule(files=files, note=note, csv=self._csv(), identifiers=identifiers, outputs=choices)

    def _dated(self, column: str) -> Given | None:
        """The time that a column tells; None when it tells none."""
        found = self._date_format(column)
        return None if found is None else column if found == "iso" else Value(column=column, format=found)

    def _decimal_mark(self) -> str:
        """A comma where numbers have one and never a point; three digits after it would be thousands."""
        texts = [value for values in self._samples.values() for value in values if isinstance(value, str)]
        if self._format is not Format.CSV or any(_POINTED.fullmatch(text) for text in texts):
            return "."
        return "," if any(_COMMAED.fullmatch(text) for text in texts) else "."

    def _is_number(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return False
        return isinstance(to_number(value, self._decimal), int | float)

    def _leave_out_marks(self) -> tuple[str, ...]:
        """The words that stand for no value among numbers, such as R's `NA`; the samples are rid of them."""
        if self._format is not Format.CSV:
            return ()
        found: set[str] = set()
        for values in self._samples.values():
            marks = _EMPTY_MARKS & set(values)
            rest = [value for value in values if value not in marks]
            if marks and rest and all(map(self._is_number, rest)):
                found |= marks
        for column, values in self._samples.items():
            self._samples[column] = [value for value in values if value not in found]
        return tuple(sorted(found))

    def _csv(self) -> CsvOptions:
        usual = Rule().csv
        if not self._empty_marks and self._decimal == usual.decimal:
            return usual
        empty = (*usual.empty, *self._empty_marks) if self._empty_marks else usual.empty
        return CsvOptions(empty=empty, decimal=self._decimal)

    def _holds_calls(self) -> bool:
        """True for lines that are calls of the tracking protocol."""
        columns = self._words.keys()
        named = columns & {"userId", "anonymousId", "messageId"}
        kinds = {str(value) for value in self._samples.get("type", ())}
        return self._format is Format.JSONL and bool(named) and bool(kinds) and kinds <= set(CallType)

    def _first(self, names: Iterable[str], fits: Callable[[str], bool]) -> str | None:
        """The column whose name comes first among `names` and that fits; it counts as used."""
        return self._columns.first(names, fits)

    def _identifies(self, kind: str, column: str) -> bool:
        """Whether a column has values, and such as its name promises."""
        values = self._samples[column]
        if self._words[column] == "id":
            return bool(values) and any(word in _PERSONAL for word in self._words.values())
        return bool(values) and (kind != "email" or all("@" in str(value) for value in values))

    def _identifiers(self) -> dict[str, Given]:
        found: dict[str, Given] = {}
        for kind, names in _IDENTIFIERS.items():
            column = self._first(names, partial(self._identifies, kind))
            if column is not None:
                found[kind] = column
        known = found.get("user_id")
        order = next((column for column, word in self._words.items() if word in _ORDERS), None)
        if isinstance(known, str) and order and "anonymous_id" not in found and self._has_gaps(known):
            guest = f"guest-{{{order}}}"
            found["anonymous_id"] = Value(template=guest, when=Condition(column=known, empty=True))
            self._notes.append(f"Rows without {known} are guests, one for each {order}.")
        return found

    def _has_gaps(self, column: str) -> bool:
        return len(self._samples[column]) < self._row_count

    def _is_event(self, column: str) -> bool:
        distinct = {str(value) for value in self._samples[column]}
        is_text = all(isinstance(value, str) and not self._is_number(value) for value in self._samples[column])
        return 0 < len(distinct) <= DISTINCT_EVENTS_MAX and is_text

    def _is_about_people(self, identifiers: dict[str, Given]) -> bool:
        """One row a person, without times or orders: a table of people rather than of what they did."""
        if any(word in (*_ORDERS, *_PRODUCTS, *_AMOUNTS) for word in self._words.values()):
            return False
        if any(
            self._is_time(column) and not _PERSONAL_TIME.fullmatch(word)
            for column, word in self._words.items()
            if word in _TIMES
        ):
            return False
        column = next((value for value in identifiers.values() if isinstance(value, str)), None)
        samples = self._samples.get(column or "", [])
        return len({str(value) for value in samples}) == len(samples) > 0

    def _time(self, *, personal: bool) -> Given | None:
        names = ["updated_at", "modified_at", "last_modified", "changed_at"] if personal else list(_TIMES)
        if not personal:
            names += [word for word in self._words.values() if _TIME_ENDING.fullmatch(word)]
        column = self._first(names, self._is_time)
        if column is None:
            return None
        found = self._date_format(column)
        return column if found in (None, "iso") else Value(column=column, format=found or "iso")

    def _is_time(self, column: str) -> bool:
        return self._date_format(column) is not None

    def _date_format(self, column: str) -> str | None:
        """The format in which most samples of a column are dates; None when they are none."""
        values = self._samples[column]
        if not values:
            return None
        if all(self._is_number(value) for value in values):
            return _numeric_date_format([float(str(value)) for value in values])
        shares = {each: _share_read(dates(each, "UTC"), values) for each in ("iso", *_DATE_FORMATS)}
        best = max(shares.values())
        fitting = [each for each, share in shares.items() if share == best >= DATES_SHARE_MIN]
        if len(fitting) > 1 and fitting[0].startswith("%d") and "%m" in fitting[1][:2]:
            self._notes.append(f"{column} may be day/month or month/day: taken as {fitting[0]}.")
        return fitting[0] if fitting else None

    def _identify(self) -> Output:
        traits = {self._words[column]: self._value(column) for column in self._words if column not in self._used}
        for kind in ("email", "phone"):
            column = next((c for c in self._words if self._words[c] in _IDENTIFIERS[kind] and c in self._used), None)
            if column is not None:
                traits[kind] = column
        return Output(type=CallType.IDENTIFY, traits=_flat(traits))

    def _track(self, event_column: str | None) -> Output:
        amount = self._first(_AMOUNTS, self._is_number_column)
        properties: dict[str, Given] = {}
        if event_column is None:
            event: Given = Value(constant=self._event_name(amount))
        else:
            event = Value(column=event_column, values=self._event_names(event_column))
        for column in self._words:
            if column not in self._used:
                properties[self._words[column]] = self._value(column)
        revenue = Value(column=amount, cast=Cast.NUMBER) if amount else self._revenue(event_column)
        if revenue is not None:
            properties["revenue"] = revenue
        return Output(type=CallType.TRACK, event=event, properties=_flat(properties))

    def _event_name(self, amount: str | None) -> str:
        words = set(self._words.values())
        if words & set(_ORDERS) and words & {*_PRODUCTS, *_QUANTITIES}:
            return "Order Line Bought"
        if amount is not None:
            return "Order Completed"
        stem = PurePosixPath(self._name).name.split(".")[0]
        name = re.sub(r"[\W\d_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem)).strip().title()
        self._notes.append("The event is named after the file: give it a better name.")
        return name or "Row Imported"

    def _event_names(self, column: str) -> dict[str, Any]:
        values = sorted({str(value) for value in self._samples[column]})
        return {value: _KNOWN_EVENTS.get(word_of(value)) or value.replace("_", " ").strip().title() for value in values}

    def _revenue(self, event_column: str | None) -> Value | None:
        """Revenue from prices: times the quantity where there is one, and of purchases only where there are others."""
        price = next((column for column, word in self._words.items() if word in _PRICES), None)
        quantity = next((column for column, word in self._words.items() if word in _QUANTITIES), None)
        if price is None or not self._is_number_column(price) or (event_column is None and quantity is None):
            return None
        when = None
        if event_column is not None:
            bought = tuple(v for v in self._event_names(event_column) if word_of(v) in _PURCHASES)
            if not bought:
                return None
            when = Condition(column=event_column, among=bought)
        if quantity is None:
            return Value(column=price, cast=Cast.NUMBER, when=when)
        return Value(product=(quantity, price), when=when)

    def _is_number_column(self, column: str) -> bool:
        values = self._samples[column]
        return bool(values) and all(self._is_number(value) for value in values)

    def _value(self, column: str) -> Given:
        """A property or trait: numbers and booleans as such, codes and all else as they are."""
        values = self._samples[column]
        if not values or not all(isinstance(value, str) for value in values):
            return column
        if not _CODE_ENDING.fullmatch(self._words[column]) and all(
            _is_plain_number(value, self._decimal) for value in values
        ):
            return Value(column=column, cast=Cast.NUMBER)
        if {str(value).casefold() for value in values} <= {"true", "false", "yes", "no"}:
            return Value(column=column, cast=Cast.BOOLEAN)
        return column


def text_of_any(value: Any) -> bool:
    """True for a value that is there: not None and not blank."""
    return value is not None and (not isinstance(value, str) or bool(text_of(value)))


def _flat(fields: dict[str, Given]) -> dict[str, Given]:
    """Names without dots, which would nest."""
    return {name.replace(".", "_"): value for name, value in fields.items()}


def _is_plain_number(value: str, decimal: str) -> bool:
    """A number that is no code: `007` and `1E5` are codes."""
    return re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d+)?", value.strip().replace(decimal, ".")) is not None


def _share_read(read: Callable[[Any], Any], values: Sequence[Any]) -> float:
    return sum(not isinstance(read(value), Unread) for value in values) / len(values)


def _numeric_date_format(numbers: list[float]) -> str | None:
    lowest, highest = min(numbers), max(numbers)
    if lowest >= 19_000_101 and highest <= 21_001_231 and all(1 <= number % 100 <= 31 for number in numbers):
        return "%Y%m%d"
    if lowest >= 2e8 and highest < 5e9:
        return "unix_s"
    return "unix_ms" if lowest >= 2e11 and highest < 5e12 else None
