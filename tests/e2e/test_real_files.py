"""Real data sets, imported whole into PostgreSQL and compared with what DuckDB says of the raw files."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from courtesy.base.ids import PARTITION_COUNT, Partition, PersonId, Position, SourceId
from courtesy.base.time import SystemClock
from courtesy.engine.contract import Engine, Lease
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.event.accept import Draft, SourcePolicy, accept
from courtesy.event.cause import Cause, Fate
from courtesy.identity.rules import IdentityRules
from courtesy.person.record import RecordKind
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.history import History
from courtesy.runtime.importing import import_path
from courtesy.runtime.ingest import Ingest
from courtesy.runtime.repair import Cut, Repairs
from courtesy.source.summary import ImportSummary, Outcome

DATA = Path(__file__).parents[3] / "shared" / "data"
POLICY = SourcePolicy(SourceId(1))
READ_AT_ONCE = 50_000

CATALOGUE = "no person column, not events"


class Amounts(msgspec.Struct, frozen=True):
    """The properties that are money, to the digit: a Decimal does not round."""

    revenue: Decimal = Decimal(0)
    sales_value: Decimal = Decimal(0)


class Stored(msgspec.Struct, frozen=True):
    """What the tests read of a stored event."""

    type: str
    name: str | None = None
    properties: Amounts = Amounts()


_STORED = msgspec.json.Decoder(Stored)


@dataclass
class Found:
    """What a store holds after an import."""

    event_count: int = 0
    name_counts: Counter[str | None] = field(default_factory=Counter)
    amounts: dict[PersonId, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    fates: Counter[Fate] = field(default_factory=Counter)
    causes: Counter[Cause] = field(default_factory=Counter)
    people_count: int = 0

    @property
    def revenue(self) -> Decimal:
        """The money of all people."""
        return sum(self.amounts.values(), Decimal(0))


async def look_into(engine: Engine) -> Found:
    """Read the whole log, and the counts."""
    found = Found()
    leases = {Partition(number): Lease(Partition(number), 0, Position(0)) for number in range(PARTITION_COUNT)}
    while records := await engine.unfolded(list(leases.values()), READ_AT_ONCE):
        for record in records:
            leases[record.partition] = Lease(record.partition, 0, record.position)
            if record.kind != RecordKind.EVENT:
                continue
            event = _STORED.decode(record.payload)
            found.event_count += 1
            found.name_counts[event.name] += 1
            found.amounts[record.person] += event.properties.revenue + event.properties.sales_value
    for count in await engine.counts(0, 1 << 62):
        found.fates[count.fate] += count.event_count
        if count.cause is not None:
            found.causes[count.cause] += count.event_count
    found.people_count = await engine.person_count()
    return found


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server for all data sets; each gets a database, for their customers' numbers mean different people."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("real")) as running:
        yield running


@contextmanager
def database(postgres: EmbeddedPostgres, name: str) -> Iterator[str]:
    """A new database for a data set."""
    with psycopg.connect(make_conninfo(postgres.url, user="postgres", dbname="postgres"), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} OWNER courtesy").format(sql.Identifier(name)))
        yield make_conninfo(postgres.url, dbname=name)
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


Import = Callable[..., Awaitable[ImportSummary]]


@dataclass(frozen=True, slots=True)
class Store:
    """An open database of a data set, with a way in."""

    engine: PostgresEngine
    ingest: Ingest
    clock: SystemClock

    async def bring_in(self, path: Path, **more: Any) -> ImportSummary:
        """Import a file or folder."""
        return await import_path(self.ingest, self.engine, POLICY, path, None, self.clock, lambda _: None, **more)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """The database with that URL."""
    clock = SystemClock()
    engine = PostgresEngine(url, clock)
    await engine.open()
    rules = IdentityRules()
    ingest = Ingest(engine, lambda: rules, clock)
    ingest.start()
    try:
        yield Store(engine, ingest, clock)
    finally:
        await ingest.stop()
        await engine.close()


async def import_folder(
    url: str, folder: str, also: Callable[[Import], Awaitable[None]] | None = None
) -> tuple[ImportSummary, Found]:
    """Import a data set, and whatever `also` imports, and read back what is stored."""
    async with opened(url) as store:
        summary = await store.bring_in(DATA / folder)
        if also is not None:
            await also(partial(store.bring_in, DATA / folder))
        return summary, await look_into(store.engine)


def imported(
    postgres: EmbeddedPostgres, folder: str, also: Callable[[Import], Awaitable[None]] | None = None
) -> tuple[ImportSummary, Found]:
    """A data set imported into a database that is gone afterwards."""
    with database(postgres, folder) as url:
        return asyncio.run(import_folder(url, folder, also))


def ask(query: str) -> list[tuple[Any, ...]]:
    """All rows that DuckDB answers."""
    with duckdb.connect() as raw:
        return raw.execute(query).fetchall()


def answer(query: str) -> tuple[Any, ...]:
    """The only row that DuckDB answers."""
    (row,) = ask(query)
    return row


def to_cents(amount: Decimal) -> Decimal:
    """An amount without what floats add."""
    return amount.quantize(Decimal("0.01"))


def accounts_agree(summary: ImportSummary, found: Found) -> None:
    """Each call has one fate, by the summary and by the store's own counts."""
    assert found.fates[Fate.RECEIVED] == summary.received_count
    assert found.fates[Fate.STORED] == summary.stored_count == found.event_count
    assert found.fates[Fate.DUPLICATE] == summary.duplicate_count
    assert found.fates[Fate.QUARANTINED] == summary.quarantined_count
    assert found.fates[Fate.SUPPRESSED] == summary.suppressed_count
    parts = (Fate.STORED, Fate.DUPLICATE, Fate.QUARANTINED, Fate.SUPPRESSED)
    assert found.fates[Fate.RECEIVED] == sum(found.fates[fate] for fate in parts)


@dataclass(frozen=True, slots=True)
class Grocer:
    """The grocer's year in a database, imported once for all who look at it."""

    url: str
    summary: ImportSummary
    found: Found


@pytest.fixture(scope="module")
def grocer(postgres: EmbeddedPostgres) -> Iterator[Grocer]:
    """The whole year of the grocer, not folded."""
    with database(postgres, "complete_journey") as url:
        yield Grocer(url, *asyncio.run(import_folder(url, "complete_journey")))


@pytest.mark.timeout(900)
def test_a_year_of_a_grocer_is_imported_whole(grocer: Grocer) -> None:
    """Each line, targeting, redemption and survey is stored, each household one person with its money to the cent."""
    folder = DATA / "complete_journey"
    summary, found = grocer.summary, grocer.found
    accounts_agree(summary, found)
    expected = {
        name: answer(f"SELECT count(*) FROM '{folder}/{file}.parquet'")[0]
        for name, file in {
            "Order Line Bought": "transactions",
            "Campaign Targeted": "campaigns",
            "Coupon Redeemed": "coupon_redemptions",
            None: "demographics",
        }.items()
    }
    assert found.name_counts == expected
    assert summary.stored_count == summary.row_count == sum(expected.values())
    spent = ask(f"SELECT sum(sales_value::DECIMAL(18, 2)) FROM '{folder}/transactions.parquet' GROUP BY household_id")
    # Some amounts in the file, such as 1.4400000000000002, are off by what floats are off: they are kept as they are.
    assert sorted(map(to_cents, found.amounts.values())) == sorted(total for (total,) in spent)
    files = [f"SELECT household_id FROM '{folder}/{name}.parquet'" for name in _OF_HOUSEHOLDS]
    assert found.people_count == answer(f"SELECT count(DISTINCT household_id) FROM ({' UNION ALL '.join(files)})")[0]
    left_out = {file.name: file.reason for file in summary.files if file.outcome is Outcome.LEFT_OUT}
    catalogues = {name for name, reason in left_out.items() if reason.startswith(CATALOGUE)}
    assert catalogues == {f"{name}.parquet" for name in ("campaign_descriptions", "coupons", "products", "promotions")}


_OF_HOUSEHOLDS = ("transactions", "campaigns", "coupon_redemptions", "demographics")


@pytest.mark.timeout(900)
def test_a_household_split_off_and_put_back_gives_the_same_bytes(grocer: Grocer) -> None:
    """Twice, by a split and by an unmerge; nobody else's state is touched on the way, nor after it."""
    busiest = f"SELECT household_id FROM '{DATA}/complete_journey/transactions.parquet' GROUP BY 1"
    (household,) = answer(f"{busiest} ORDER BY count(*) DESC, 1 LIMIT 1")
    asyncio.run(_split_off_and_put_back(grocer.url, str(household)))


async def _split_off_and_put_back(url: str, household: str) -> None:
    member, mail = f"user_id:{household}", "email:household@example.com"
    async with opened(url) as store:
        catalog = CatalogCache(store.engine, store.clock)
        await catalog.refresh()
        repairs = Repairs(store.engine, catalog, History(store.engine), store.clock)
        worker = FoldWorker(store.engine, catalog.catalog, store.clock, "folder")
        known_by_mail = {"context": {"traits": {"email": "household@example.com"}}}
        for number, said in enumerate(
            (
                {"type": "track", "event": "Newsletter Opened", **known_by_mail},
                {"type": "identify", "userId": household, "traits": {"email": "household@example.com"}},
                {"type": "track", "event": "Newsletter Opened", "properties": {"value": 0.1}, **known_by_mail},
                {"type": "track", "event": "Order Line Bought", "userId": household, "properties": {"quantity": 2}},
            )
        ):
            raw = msgspec.json.encode({"messageId": f"live-{number}", **said})
            draft = Draft(raw, POLICY, store.clock.now_ms(), None, str, None, live=True)
            assert (await store.ingest.append([accept(draft)], POLICY)).stored_count == 1
        before = await _folded(worker, url)
        one = await _read(store.engine, member)
        assert await _read(store.engine, mail) == one

        async def split() -> Cut:
            return await repairs.split(member, [mail], "tests", "a guest", dry=False)

        async def unmerge() -> Cut:
            return await repairs.unmerge(member, mail, "tests", "a guest", dry=False)

        for apart in (split, unmerge):
            cut = await apart()
            assert sorted(piece.state.event_count for piece in cut.pieces)[0] == 2
            between = await _folded(worker, url)
            two = await _read(store.engine, member), await _read(store.engine, mail)
            assert two[0] != two[1]
            changed = {person for person in before | between if before.get(person) != between.get(person)}
            assert changed == set(two)
            await repairs.merge(member, mail, "tests", "it was theirs", dry=False)
            assert await _folded(worker, url) == before
            assert await _read(store.engine, mail) == one


async def _folded(worker: FoldWorker, url: str) -> dict[int, bytes]:
    """Everybody's state as it is stored, by a hash, once all is folded."""
    await worker.claim()
    while await worker.fold_once():
        await worker.claim()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await connection.execute("SELECT person_id, sha256(state) FROM person_state")
        return dict(await rows.fetchall())


async def _read(engine: Engine, identifier: str) -> PersonId:
    """Whose identifier it is."""
    reading = await engine.read_person(identifier)
    assert reading is not None
    return reading.person


@pytest.mark.timeout(600)
def test_a_year_of_a_web_shop_is_imported_whole(postgres: EmbeddedPostgres) -> None:
    """Returns and the lines that occur twice to the last byte included; each guest's invoice is a person of its own."""
    file = DATA / "online_retail_uci" / "online_retail.parquet"
    summary, found = imported(postgres, "online_retail_uci")
    accounts_agree(summary, found)
    (rows,) = answer(f"SELECT count(*) FROM '{file}'")
    assert rows - answer(f"SELECT count(*) FROM (SELECT DISTINCT * FROM '{file}')")[0] == 5_268
    assert (summary.row_count, summary.stored_count) == (rows, rows)
    who = "coalesce(CustomerID::TEXT, 'guest-' || InvoiceNo)"
    assert found.people_count == answer(f"SELECT count(DISTINCT {who}) FROM '{file}'")[0]
    spent = ask(f"SELECT sum(Quantity * UnitPrice::DECIMAL(18, 3)) FROM '{file}' GROUP BY {who}")
    assert sorted(found.amounts.values()) == sorted(total for (total,) in spent)
    assert found.revenue == sum(total for (total,) in spent)
    kinds = dict(ask(f"SELECT left(InvoiceNo, 1), count(*) FROM '{file}' GROUP BY 1"))
    assert found.name_counts == {
        "Order Line Bought": kinds["5"],
        "Order Line Returned": kinds["C"],
        "Debt Adjusted": kinds["A"],
    }


def test_views_carts_and_purchases_of_a_shop_are_imported_whole(postgres: EmbeddedPostgres) -> None:
    """The last row is cut off in the file: it is quarantined, and no person is made of its half number."""
    file = DATA / "rees46_oct2019_sample" / "2019-Oct_first17k.csv.gz"

    async def once_more(bring_in: Import) -> None:
        again = await bring_in(again=True)
        assert (again.stored_count, again.duplicate_count) == (0, again.received_count - again.quarantined_count)

    summary, found = imported(postgres, "rees46_oct2019_sample", once_more)
    raw = f"read_csv('{file}', header = true, delim = ',', quote = '\"', all_varchar = true, null_padding = true)"
    whole = f"(SELECT * FROM {raw} WHERE user_session IS NOT NULL)"
    rows, whole_rows, users = answer(
        f"SELECT (SELECT count(*) FROM {raw}), count(*), count(DISTINCT user_id) FROM {whole}"
    )
    assert (summary.row_count, summary.received_count) == (rows, rows)
    assert (summary.stored_count, summary.quarantined_count) == (whole_rows, rows - whole_rows)
    assert found.event_count == whole_rows
    shared = f"SELECT user_session FROM {whole} GROUP BY 1 HAVING count(DISTINCT user_id) > 1"
    assert found.people_count == users + answer(f"SELECT count(*) FROM ({shared})")[0]
    spent = f"SELECT sum(price::DECIMAL(18, 2)) FROM {whole} WHERE event_type = 'purchase'"
    assert found.revenue == answer(spent)[0]
    kinds = dict(ask(f"SELECT event_type, count(*) FROM {whole} GROUP BY 1"))
    names = {"view": "Product Viewed", "cart": "Product Added", "purchase": "Order Completed"}
    assert found.name_counts == {names[kind]: count for kind, count in kinds.items()}


def test_the_example_calls_of_the_protocol_are_imported_whole(postgres: EmbeddedPostgres) -> None:
    """Whole calls, batches and argument lists; what the examples get wrong is told call by call."""

    async def once_more(bring_in: Import) -> None:
        again = await bring_in(again=True)
        assert again.stored_count == 0

    summary, found = imported(postgres, "segment_spec_payloads", once_more)
    with duckdb.connect() as raw:
        raw.execute(_EXAMPLE_CALLS.format(file=DATA / "segment_spec_payloads" / "payloads.jsonl.gz"))

        def count(query: str) -> int:
            (number,) = raw.execute(query).fetchone() or (0,)
            return int(number)

        calls = count("SELECT count(*) FROM calls")
        repeated = count("SELECT count(message) - count(DISTINCT message) FROM calls")
        undated = count(f"SELECT count(*) FROM calls WHERE NOT {_IS_DATED}")
        nobody = count(f"SELECT count(*) FROM calls WHERE {_IS_PLACEHOLDER}")
        nothing = count("SELECT count(*) FROM calls WHERE NOT is_call")
        causes = {each.cause: each.count for each in summary.causes}
        assert causes == {
            Cause.DUPLICATE: repeated,
            Cause.TIME_UNREADABLE: undated,
            Cause.NO_IDENTIFIER: nobody,
            Cause.UNKNOWN_TYPE: nothing,
        }
        assert (summary.row_count, summary.received_count) == (139, calls)
        assert summary.stored_count == found.event_count == calls - sum(causes.values())
        users = count(f"SELECT count(DISTINCT who) FROM calls WHERE {_IS_DATED} AND NOT {_IS_PLACEHOLDER}")
        visitors = count("SELECT count(DISTINCT page) FROM calls WHERE is_call AND who IS NULL")
        # An old id that two known users claim is nobody's: it gets a person of its own, as a shared device does.
        claims = "SELECT old FROM calls WHERE old IS NOT NULL GROUP BY old HAVING count(DISTINCT who) > 1"
        contested = count(f"SELECT count(*) FROM ({claims})")
    assert found.people_count == users + visitors + contested


_IS_DATED = "(moment IS NULL OR regexp_matches(moment, '^[0-9]{4}-[0-9]{2}-[0-9]{2}T'))"
_IS_PLACEHOLDER = "coalesce(who, '') = 'userId'"

_EXAMPLE_CALLS = """
CREATE VIEW calls AS
WITH rows AS (
    SELECT json->>'page' AS page, json->>'heading' AS heading, json->>'call' AS method,
        json->'$.args[0]' AS first, json->'$.args[0].batch' AS batch
    FROM read_ndjson_objects('{file}')
), single AS (
    SELECT page, heading, method,
        unnest(CASE WHEN batch IS NULL THEN [first] ELSE batch::JSON[] END) AS call
    FROM rows
), known AS (
    SELECT *, json_type(call) = 'OBJECT' AND json_keys(call) && ['userId', 'user_id', 'anonymousId', 'type', 'event']
        AS is_whole
    FROM single
)
SELECT page,
    is_whole OR method IS NOT NULL AS is_call,
    CASE
        WHEN is_whole THEN coalesce(call->>'userId', call->>'user_id', call->>'anonymousId')
        WHEN method = 'identify' AND json_type(call) = 'VARCHAR' THEN call->>'$'
    END AS who,
    CASE WHEN is_whole THEN call->>'messageId' END AS message,
    CASE WHEN is_whole THEN call->>'timestamp' END AS moment,
    CASE WHEN is_whole THEN call->>'previousId' END AS old,
    CASE
        WHEN is_whole AND (heading = 'Group' OR method = 'group') THEN call->>'groupId'
        WHEN method = 'group' THEN call->>'$'
    END AS company
FROM known
"""
