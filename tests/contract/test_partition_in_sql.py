"""PostgreSQL finds a person's partition as Python does."""

from __future__ import annotations

import random

import psycopg
import pytest

from courtesy.base.ids import PersonId, partition_of
from courtesy.engine_postgres.reading import PARTITION_OF
from tests.contract.conftest import Databases


@pytest.mark.parametrize("count", [1, 16, 1_000])
def test_the_partition_of_a_person_is_the_same_in_sql_and_in_python(databases: Databases, count: int) -> None:
    """A reader looks for the unfolded records of a person where the appender put them."""
    chance = random.Random(count)
    people = [1, 2, 3, 2**62, 2**63 - 1, *(chance.randrange(2**63) for _ in range(500))]
    query = f"SELECT {PARTITION_OF.format(person='person')} FROM unnest(%s::bigint[]) AS each (person)"
    with databases.fresh() as url, psycopg.connect(url) as connection:
        rows = connection.execute(query, (count, people)).fetchall()
    assert [row[0] for row in rows] == [partition_of(PersonId(person), count) for person in people]
