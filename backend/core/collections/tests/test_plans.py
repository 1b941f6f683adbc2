import pytest
import sqlalchemy as sa

from backend.core import collections, database
from backend.core.collections import Col, Collection, folded
from backend.core.collections.cursor import Position
from backend.core.collections.declaration import EVERYTHING
from backend.core.collections.listing import rows_statement
from backend.core.collections.pages import page_values
from backend.core.collections.parse import parse_list
from backend.core.collections.statements import Statement, compile_statement, run
from backend.core.database import reading

ROWS = 60_000
# People and open jobs are few: an index for the order of their lists would only cost writes.
FEW = {"people", "outbox-jobs"}


MANY = sa.Table(
    "many",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(collation="C"), nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("paid_on", sa.Date),
    sa.Index("many_day_id", sa.text("day desc"), sa.text("id")),
    sa.Index("many_paid_id", sa.text("paid_on"), sa.text("id")),
)
sa.Index("many_folded", folded(MANY.c.name))


@pytest.fixture(scope="module")
def many(library):
    """A collection of many rows, indexed for its default order and for the beginning of names."""
    engine = database.engine(library.extensions["settings"].database_owner_url)
    with engine.begin() as connection:
        MANY.create(connection)
        connection.exec_driver_sql(
            "insert into many select n, 'Näme ' || n, date '2020-01-01' + n %% 500,"
            " case when n %% 3 = 0 then null else date '2021-01-01' + n %% 700 end"
            f" from generate_series(1, {ROWS}) n"
        )
        connection.exec_driver_sql("grant select on many to quintet_app")
        connection.exec_driver_sql("analyze many")
    engine.dispose()
    return Collection(
        "many",
        model=MANY,
        default_sort="-day",
        columns=[
            Col("id", collections.Id()),
            Col("name", collections.Text(80), sortable=True),
            Col("day", collections.Date(), sortable=True),
            Col("paid_on", collections.Date(), sortable=True),
        ],
    )


def plan(library, collection, query_string, position=None):
    """Return the plan of a page as it was run, with what it touched."""
    query = parse_list(collection, query_string)
    if position is not None:
        keys = zip(query.sort, position, strict=True)
        texts = (None if text is None else key.column.type.parse(text) for key, text in keys)
        position = Position(is_back=False, values=tuple(texts))
    built = compile_statement(rows_statement(collection, query, EVERYTHING, position))
    values = page_values(collection, query, EVERYTHING, position)
    explained = Statement(f"EXPLAIN (ANALYZE, BUFFERS, COSTS off) {built.text}", built.constants)
    with library.app_context(), reading(seconds=5) as cursor:
        return "\n".join(row[0] for row in run(cursor, explained, values))


def touched(text):
    first = next(line for line in text.splitlines() if "Buffers:" in line)
    return sum(int(word.partition("=")[2]) for word in first.split() if "=" in word)


@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("count=none", None),
        ("count=none", ("2020-07-01", "31000")),
        ("count=none&sort=id", ("50000",)),
        ("count=none&sort=paid_on", ("2022-01-01", "31000")),
        ("count=none&sort=paid_on", (None, "31002")),
    ],
)
def test_pages_are_read_along_an_index_however_deep(many, library, query, position):
    text = plan(library, many, query, position)
    assert "Index" in text
    assert "Seq Scan" not in text
    assert touched(text) < 200


def test_the_beginning_of_a_name_is_found_by_an_index(many, library):
    text = plan(library, many, "name[startswith]=NÄME 5999&count=none&sort=name")
    assert "many_folded" in text
    assert touched(text) < 200


def test_the_thousandth_page_costs_about_as_much_as_the_first(many, library, owner_connection):
    query = sa.select(MANY.c.day, MANY.c.id).order_by(MANY.c.day.desc(), MANY.c.id).offset(19_999)
    day, key = owner_connection.execute(query.limit(1)).one()
    first = touched(plan(library, many, "count=none"))
    deep = touched(plan(library, many, "count=none", (str(day), str(key))))
    assert deep <= 1.5 * first + 5


def test_the_order_of_every_list_comes_from_an_index(shelf, owner_connection):
    if shelf.collection.name in FEW:
        return
    text = cheapest(owner_connection, shelf.collection, parse_list(shelf.collection, "count=none"))
    sorts = [line for line in text.splitlines() if line.strip() in {"-> Sort", "->  Sort"}]
    assert sorts == [], text


def cheapest(connection, collection, query):
    """Return the plan where PostgreSQL neither reads a whole table nor sorts if it can help it."""
    built = compile_statement(rows_statement(collection, query, EVERYTHING, None))
    values = dict(built.constants) | page_values(collection, query, EVERYTHING, None)
    with connection.begin():
        for each in ("seqscan", "bitmapscan", "sort", "hashjoin"):
            connection.exec_driver_sql(f"set local enable_{each} = off")
        explained = connection.exec_driver_sql(f"explain (costs off) {built.text}", values)
        return "\n".join(explained.scalars())
