"""Names: parts in the right order, in any script, and how often that is right for real names."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from courtesy.standard.hints import NO_HINTS, Hints
from courtesy.standard.name import NameParts, Whole, standard_name
from courtesy.standard.name_order import is_east_asian
from courtesy.standard.nickname import formal_names, may_be_one_name
from courtesy.standard.value import Confidence, Mark, Reason

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def parts_of(raw: str, country: str = "") -> NameParts:
    """The parts of a name that has some."""
    parts = standard_name(raw, Hints(country=country)).parts
    assert parts is not None
    return parts


@pytest.mark.parametrize(
    ("raw", "country", "given", "middle", "family"),
    [
        ("Ann Marie Lee", "", "Ann", "Marie", "Lee"),
        ("Lee, Ann Marie", "", "Ann", "Marie", "Lee"),
        ("ANN O'BRIEN-SMITH", "", "Ann", "", "O'Brien-Smith"),
        ("Ludwig van der Rohe", "", "Ludwig", "", "van der Rohe"),
        ("María de la Cruz", "", "María", "", "de la Cruz"),
        ("Chris Van Hollen", "US", "Chris", "", "Van Hollen"),
        ("Lindsey O. Graham", "US", "Lindsey", "O.", "Graham"),
        ("José Ortega y Gasset", "", "José", "", "Ortega y Gasset"),
        ("Gabriel José García Márquez", "CO", "Gabriel José", "", "García Márquez"),
        ("María José López", "ES", "María José", "", "López"),
        ("Nagy Anna", "HU", "Anna", "", "Nagy"),
        ("Nguyễn Văn An", "", "An", "Văn", "Nguyễn"),
        ("Wang Xiuying", "CN", "Xiuying", "", "Wang"),
        ("Xiuying Wang", "CN", "Xiuying", "", "Wang"),
        ("Taro Yamada", "JP", "Taro", "", "Yamada"),
        ("Yamada Taro", "JP", "Taro", "", "Yamada"),
        ("Abdul Rahman bin Salman", "", "Abdul Rahman", "", "bin Salman"),
        # Scripts of their own.
        ("王伟", "", "伟", "", "王"),
        ("欧阳娜娜", "", "娜娜", "", "欧阳"),
        ("司馬相如", "TW", "相如", "", "司馬"),
        ("佐藤花子", "", "花子", "", "佐藤"),
        ("長谷川 健", "", "健", "", "長谷川"),
        ("威廉·莎士比亚", "", "威廉", "", "莎士比亚"),
        ("김민준", "", "민준", "", "김"),
        ("남궁민수", "", "민수", "", "남궁"),
        ("Иванов Иван Иванович", "", "Иван", "Иванович", "Иванов"),
        ("Иван Иванович Иванов", "", "Иван", "Иванович", "Иванов"),
        ("გიორგი ბერიძე", "", "გიორგი", "", "ბერიძე"),
        ("Գրիգոր Գրիգորյան", "", "Գրիգոր", "", "Գրիգորյան"),
        ("राम कुमार शर्मा", "", "राम", "कुमार", "शर्मा"),
        ("محمد آل سعود", "", "محمد", "", "آل سعود"),
        ("สมชาย ใจดี", "", "สมชาย", "", "ใจดี"),
        ("Ó Briain, Seán", "IE", "Seán", "", "Ó Briain"),
    ],
)
def test_given_and_family_names_are_told_apart(raw: str, country: str, given: str, middle: str, family: str) -> None:
    """By commas, particles, known surnames, patronymics, script and country."""
    parts = parts_of(raw, country)
    assert (parts.given, parts.middle, parts.family) == (given, middle, family)


@pytest.mark.parametrize(
    ("raw", "title", "suffix", "nicknames", "form"),
    [
        ("Dr. Ann Lee, Jr.", "Dr.", "Jr.", (), "Ann Lee, Jr."),
        ('William "Bill" Gates III', "", "III", ("Bill",), "William Gates, III"),
        ("Margaret (Peggy) Lee", "", "", ("Peggy",), "Margaret Lee"),
        ("Herr Prof. Dr. med. Max Müller", "Herr Prof. Dr. med.", "", (), "Max Müller"),
        ("Mme. Curie, Marie", "Mme.", "", (), "Marie Curie"),
        ("Don Young", "", "", (), "Don Young"),
        ("Ann Lee, PhD, MBA", "", "PhD MBA", (), "Ann Lee, PhD MBA"),
        ("นายสมชาย ใจดี", "นาย", "", (), "สมชาย ใจดี"),
        ("佐藤花子様", "", "", (), "佐藤花子"),
        ("श्री राम कुमार", "श्री", "", (), "राम कुमार"),
    ],
)
def test_titles_suffixes_and_nicknames_are_no_names(
    raw: str, title: str, suffix: str, nicknames: tuple[str, ...], form: str
) -> None:
    """They are kept as parts; the form has the suffix alone, for it tells a father from a son."""
    made = standard_name(raw)
    assert made.parts is not None
    assert (made.parts.title, made.parts.suffix, made.parts.nicknames, made.form) == (title, suffix, nicknames, form)


@pytest.mark.parametrize(
    ("raw", "folded"),
    [
        ("สมชาย ใจดี", "smchay aichdi"),
        ("გიორგი ბერიძე", "giorgi beridze"),
        ("Գրիգոր Գրիգորյան", "grigor grigoryan"),
        ("राम कुमार", "ram kumar"),
        ("Иван Щукин", "ivan shchukin"),
        ("محمد سعيد", "mhmd s`yd"),
        ("王伟", "wang wei"),
        ("김민준", "gim minjun"),
        ("Jörg Müßig", "jorg mussig"),
        ("Σωκράτης Παπάς", "sokratis papas"),
        ("Nguyễn Văn An", "nguyen van an"),
    ],
)
def test_a_name_is_folded_to_ascii_beside_the_original(raw: str, folded: str) -> None:
    """The form keeps its script; vowels that a script does not write are not made up."""
    made = standard_name(raw)
    assert made.form == raw
    assert made.parts is not None
    assert made.parts.ascii == folded


def test_what_was_assumed_is_said() -> None:
    """A single word, or a word order that could be the other, is weak."""
    assert standard_name("Madonna").marks == (Mark.ORDER_ASSUMED,)
    assert standard_name("Wang Li", Hints(country="CN")).confidence is Confidence.WEAK
    assert standard_name("Lee, Ann").confidence is Confidence.LIKELY


def test_what_is_no_name_of_a_person_says_so() -> None:
    """Companies keep their name; placeholders and numbers have none."""
    assert standard_name("Acme Trading GmbH").marks == (Mark.ORGANISATION,)
    assert standard_name("n/a").reason is Reason.PLACEHOLDER
    assert standard_name("12345").reason is Reason.MALFORMED


def test_a_field_with_one_part_is_taken_as_that_part() -> None:
    """A given name of two words is not split."""
    given = standard_name("mary ann", NO_HINTS, Whole.GIVEN)
    family = standard_name("DE LA CRUZ", NO_HINTS, Whole.FAMILY)
    assert (given.form, family.form) == ("Mary Ann", "De la Cruz")
    assert given.parts is not None
    assert (given.parts.given, given.parts.family) == ("Mary Ann", "")


def test_short_forms_of_a_name_may_be_one() -> None:
    """Bill is short for William; Will is, too; Mary is not."""
    assert "william" in formal_names("Bill")
    assert may_be_one_name("Bill", "WILLIAM")
    assert may_be_one_name("Bill", "Will")
    assert not may_be_one_name("Bill", "Mary")
    assert not may_be_one_name("", "")


# -- how often it is right


def _legislators() -> list[dict[str, Any]]:
    """Every way in which the records of the US congress since 2012 state a name's parts."""
    with gzip.open(DATA / "us_legislators/snapshots.jsonl.gz", "rt", encoding="utf-8") as lines:
        names = (json.loads(line)["name"] for line in lines)
        return list({json.dumps(name, sort_keys=True): name for name in names}.values())


def _is_split_right(name: dict[str, Any], *, family_first: bool) -> bool:
    first, middle, last, suffix, nickname = (
        name.get(field) or "" for field in ("first", "middle", "last", "suffix", "nickname")
    )
    given = " ".join(filter(None, [first, middle, f"“{nickname}”" if nickname else ""]))
    full = f"{last}, {given}" if family_first else f"{given} {last}"
    parts = parts_of(f"{full}, {suffix}" if suffix else full, "US")
    found = (parts.given, parts.middle, parts.family, parts.suffix, parts.nicknames)
    return found == (first, middle, last, suffix, (nickname,) if nickname else ())


@pytest.mark.parametrize(("family_first", "floor"), [(False, 0.96), (True, 0.975)])
def test_names_of_real_people_are_split_exactly_right(family_first: bool, floor: float) -> None:
    """Of 1,965 names of legislators, all five parts; the figures are in docs/explanation/names.md."""
    names = _legislators()
    right = sum(_is_split_right(name, family_first=family_first) for name in names)
    assert len(names) > 1_900
    assert right / len(names) > floor


FAMILY_FIRST = {"HU", "CN", "TW", "KR"}


def _common_names(file: str) -> dict[tuple[str, str], set[str]]:
    """Names by country and by the column that holds them: as written there, and in Latin letters."""
    found = defaultdict(set)
    with (DATA / "names_by_country" / file).open(encoding="utf-8-sig") as rows:
        for row in csv.DictReader(rows):
            for column in ("Localized Name", "Romanized Name"):
                if row[column] and "/" not in row[column]:
                    found[row["Country"], column].add(row[column].strip())
    return found


def _is_order_right(country: str, given: str, family: str) -> bool:
    east_asian = is_east_asian(given + family)
    family_first = country in FAMILY_FIRST or (country == "JP" and east_asian)
    glue = "" if east_asian else " "
    parts = parts_of(glue.join([family, given] if family_first else [given, family]), country)
    return parts.family == family and given in (parts.given, f"{parts.given} {parts.middle}")


def test_common_names_of_sixty_countries_are_put_in_the_right_order() -> None:
    """Each forename with every third surname of its country, in the script and the order that are usual there."""
    given, family = _common_names("common-forenames-by-country.csv"), _common_names("common-surnames-by-country.csv")
    shares = {}
    for key in given.keys() & family.keys():
        pairs = list(product(sorted(given[key]), sorted(family[key])[::3]))
        shares[key] = sum(_is_order_right(key[0], *pair) for pair in pairs) / len(pairs)
    assert len({country for country, _ in shares}) >= 60
    assert min(shares.values()) > 0.8
    assert sum(shares.values()) / len(shares) > 0.99
