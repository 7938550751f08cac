"""Guessing a mapping: drafts for tables that many shops have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.source.column_names import word_of
from courtesy.source.guess import NO_PERSON, files_like, guess_mapping
from courtesy.source.mapping import parse_mapping, write_mapping


def guessed(path: Path) -> list[dict[str, Any]]:
    """The rules of the draft, as they are written for people, after having been read back."""
    content = write_mapping(guess_mapping(path))
    assert parse_mapping(content).rules
    rules = json.loads(content)["rules"]
    assert isinstance(rules, list)
    return rules


def guessed_csv(folder: Path, *lines: str, name: str = "data.csv") -> dict[str, Any]:
    """The only rule for a file of those lines."""
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (rule,) = guessed(folder / name)
    return rule


def test_a_stream_of_shop_events_is_recognised(tmp_path: Path) -> None:
    """Names of events, the session beside the user, revenue of purchases only, codes left as they are."""
    rule = guessed_csv(
        tmp_path,
        "event_time,event_type,product_id,brand,price,user_id,user_session,mine",
        "2019-10-01 00:00:00 UTC,view,0044,aqua,33.20,554,s1,x",
        "2019-10-01 00:00:01 UTC,cart,0045,,5,555,s2,x",
        "2019-10-01 00:00:02 UTC,purchase,0045,,5,555,s2,x",
    )
    assert rule["identifiers"] == {"user_id": "user_id", "anonymous_id": "user_session"}
    assert rule["time"] == "event_time"
    (output,) = rule["outputs"]
    assert output["event"] == {
        "column": "event_type",
        "values": {"cart": "Product Added", "purchase": "Order Completed", "view": "Product Viewed"},
    }
    assert output["properties"] == {
        "product_id": "product_id",
        "brand": "brand",
        "price": {"column": "price", "as": "number"},
        "mine": "mine",
        "revenue": {"column": "price", "as": "number", "when": {"column": "event_type", "in": ["purchase"]}},
    }


def test_lines_of_invoices_are_recognised_with_their_guests(tmp_path: Path) -> None:
    """Rows without a customer become one guest for each invoice; revenue is price times quantity."""
    rule = guessed_csv(
        tmp_path,
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID",
        "536365,85123A,6,12/1/2010 8:26,2.55,17850",
        "536366,85123A,1,12/13/2010 8:26,2.55,",
    )
    assert rule["identifiers"] == {
        "user_id": "CustomerID",
        "anonymous_id": {"template": "guest-{InvoiceNo}", "when": {"column": "CustomerID", "empty": True}},
    }
    assert rule["time"] == {"column": "InvoiceDate", "format": "%m/%d/%Y %H:%M"}
    assert rule["outputs"][0]["event"] == {"constant": "Order Line Bought"}
    assert rule["outputs"][0]["properties"]["revenue"] == {"product": ["Quantity", "UnitPrice"]}
    assert "guests" in rule["note"]


def test_a_table_of_people_is_recognised(tmp_path: Path) -> None:
    """One row a person: traits rather than events, and the day of birth is no time of an event."""
    rule = guessed_csv(
        tmp_path,
        "id;email;first_name;birth_date;newsletter;zip;points",
        "7;a@x.example;Ann;1990-01-02;yes;01234;17",
        "8;b@x.example;Bob;1991-01-02;no;53111;18.5",
    )
    assert rule["identifiers"] == {"user_id": "id", "email": "email"}
    assert "time" not in rule
    (output,) = rule["outputs"]
    assert output["type"] == "identify"
    assert output["traits"] == {
        "first_name": "first_name",
        "birth_date": "birth_date",
        "newsletter": {"column": "newsletter", "as": "boolean"},
        "zip": "zip",
        "points": {"column": "points", "as": "number"},
        "email": "email",
    }


def test_a_table_without_people_is_left_out_with_the_reason(tmp_path: Path) -> None:
    """A catalogue is no source of events."""
    rule = guessed_csv(tmp_path, "product_id,department", "1,GROCERY", "2,PASTRY")
    assert rule == {"files": "data.csv", "skip": NO_PERSON}


def test_dates_that_may_be_read_in_two_ways_are_pointed_out(tmp_path: Path) -> None:
    """A person must decide; the draft says what it took."""
    rule = guessed_csv(tmp_path, "customer_id,order_date,amount", "1,01/02/2020,5", "1,03/04/2020,6")
    assert rule["time"] == {"column": "order_date", "format": "%d/%m/%Y"}
    assert "may be day/month or month/day" in rule["note"]


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (("1569888000", "1569888001"), "unix_s"),
        (("1569888000000", "1569888001000"), "unix_ms"),
        (("19970101", "19971231"), "%Y%m%d"),
        (("01.02.2020 10:00", "13.02.2020 11:00"), "%d.%m.%Y %H:%M"),
    ],
)
def test_formats_of_times_are_recognised(tmp_path: Path, values: tuple[str, str], form: str) -> None:
    """By all samples alike."""
    rule = guessed_csv(tmp_path, "customer_id,ts,amount", f"1,{values[0]},5", f"1,{values[1]},6")
    assert rule["time"] == {"column": "ts", "format": form}


def test_words_for_no_value_among_numbers_are_recognised(tmp_path: Path) -> None:
    """R writes NA; as text in a column of text it stays."""
    rule = guessed_csv(tmp_path, "user_id,event,n", "1,view,2", "NA,view,NA", "1,cart,3")
    assert rule["csv"]["empty"] == ["", "\\N", "NA"]
    assert "csv" not in guessed_csv(tmp_path, "user_id,event,n", "1,view,a", "1,view,NA")


def test_a_time_stays_a_time_though_some_rows_are_broken(tmp_path: Path) -> None:
    """Those rows go to the quarantine, rather than all rows to the day of the import."""
    rule = guessed_csv(tmp_path, "user_id,event,at", "1,a,2026-01-02", "1,b,soon", "1,c,2026-01-03 10:00")
    assert rule["time"] == "at"
    assert "time" not in guessed_csv(tmp_path, "user_id,event,at", "1,a,home", "1,b,soon", "1,c,2026")


def test_a_decimal_comma_is_recognised(tmp_path: Path) -> None:
    """Where no number has a point; thousands with a comma are none."""
    rule = guessed_csv(tmp_path, "customer_id;price;quantity", "1;4,50;1", "1;1.029,90;2")
    assert rule["csv"] == {"decimal": ","}
    assert rule["outputs"][0]["properties"]["revenue"] == {"product": ["quantity", "price"]}
    assert "csv" not in guessed_csv(tmp_path, "customer_id;price;quantity", "1;4.50;1", "1;9,50;2")
    assert "csv" not in guessed_csv(tmp_path, "customer_id;price;quantity", "1;4,500;1")


def test_a_file_of_recorded_calls_is_recognised(tmp_path: Path) -> None:
    """Each line is a call."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b'{"type":"track","event":"A","userId":"u"}\n{"type":"page","anonymousId":"a"}\n')
    assert guessed(path) == [{"files": "calls.jsonl", "calls": {"each": "$"}}]


def test_a_ready_mapping_is_taken_where_it_fits(tmp_path: Path) -> None:
    """By the columns, whatever the file is called."""
    pq.write_table(pa.table({"campaign_id": [1], "household_id": [7]}), tmp_path / "x.parquet")
    (rule,) = guessed(tmp_path)
    assert rule["outputs"][0]["event"] == {"constant": "Campaign Targeted"}


def test_a_series_of_files_gets_one_rule(tmp_path: Path) -> None:
    """Daily exports differ by their date only; a table of another kind has its own rule."""
    for name in ("orders-2019-10-01.csv", "orders-2019-10-02.csv"):
        (tmp_path / name).write_text("customer_id,order_id,sku,qty\n1,2,3,4\n", encoding="utf-8")
    (tmp_path / "products.csv").write_text("sku,name\n3,x\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("words\n", encoding="utf-8")
    assert [rule["files"] for rule in guessed(tmp_path)] == ["orders-*.csv", "products.csv"]


def test_a_single_file_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    """There is nothing to propose."""
    (tmp_path / "empty.csv").touch()
    with pytest.raises(CourtesyError) as caught:
        guess_mapping(tmp_path / "empty.csv")
    assert caught.value.code is Code.UNREADABLE


@pytest.mark.parametrize(
    ("column", "word"),
    [
        ("InvoiceDate", "invoice_date"),
        ("CustomerID", "customer_id"),
        ("E-mail", "e_mail"),
        ("user id", "user_id"),
        ("ÜBER", "ber"),
        ("名前", "名前"),
    ],
)
def test_names_of_columns_are_compared_in_one_spelling(column: str, word: str) -> None:
    """Nobody agrees on one."""
    assert word_of(column) == word


def test_names_of_files_are_no_patterns_by_accident() -> None:
    """A bracket in a name stands for itself."""
    assert files_like("a[1].csv") == "a[[]*].csv"
    assert files_like("2019-Oct.csv") == "*-Oct.csv"
