"""Two collections that only tests declare, on a database of their own, asked over HTTP."""

import random
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import pytest
import sqlalchemy as sa
from flask import request
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings

from backend.app import create_app
from backend.core import collections, database, migrations
from backend.core.auth import ApiBlueprint
from backend.core.collections import Col, Collection, Include, Scope
from backend.core.database import db
from environments.local import testing

settings.register_profile(
    "collections",
    derandomize=True,
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

WORDS = (
    *("", "a", "A", "ab", "Ab%", "a_b", "a%b", '"', "'", ",", "a,b", "=1+1", "-2", "@x", "'q"),
    *("Größe", "größe", "Ñandú", "ñandú", "日本", "\t", "a\nb", "\\", "null", "ΑΒΓ", "αβγ", "b c"),
)
KINDS = ("alpha", "beta", "gamma")
metadata = sa.MetaData()

sample_group = sa.Table(
    "sample_group",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("title", sa.String(collation="C"), nullable=False),
)
sample = sa.Table(
    "sample",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(collation="C")),
    sa.Column("label", sa.String(collation="C"), nullable=False),
    sa.Column("kind", sa.String(collation="C"), nullable=False),
    sa.Column("flag", sa.Boolean),
    sa.Column("number", sa.Integer),
    sa.Column("amount", sa.Numeric(12, 2), nullable=False),
    sa.Column("ratio", sa.Numeric(8, 4)),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("paid_on", sa.Date),
    sa.Column("seen_at", sa.DateTime(timezone=True)),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("group_id", sa.ForeignKey("sample_group.id")),
    sa.Index("sample_day_id", sa.text("day desc"), sa.text("id")),
)
note = sa.Table(
    "note",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("owner", sa.String(collation="C"), nullable=False),
    sa.Column("title", sa.String(collation="C"), nullable=False),
    sa.Column("amount", sa.Numeric(12, 2)),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
    sa.UniqueConstraint("owner", "title", name="note_title_unique"),
)


def own_rows():
    caller = request.headers.get("X-Caller", "nobody")
    return Scope(
        "own",
        clause=lambda table: table.c.owner == sa.bindparam("note_owner", type_=sa.Text()),
        values={"note_owner": caller},
        owner=caller,
    )


def declare():
    groups = Collection(
        "sample-groups",
        model=sample_group,
        columns=[Col("id", collections.Id()), Col("title", collections.Text(80), sortable=True)],
    )
    samples = Collection(
        "samples",
        model=sample,
        default_sort="-day",
        currency="currency",
        revisions=("sample",),
        includes={"group": Include(groups, "group_id")},
        columns=[
            Col("id", collections.Id()),
            Col("name", collections.Text(80), sortable=True, groupable=True),
            Col("label", collections.Text(80), sortable=True, groupable=True),
            Col("kind", collections.Enum(KINDS), sortable=True, groupable=True),
            Col("flag", collections.Boolean(), sortable=True, groupable=True),
            Col(
                "number",
                collections.Integer(),
                sortable=True,
                groupable=True,
                metrics=("sum", "avg", "min", "max"),
            ),
            Col("amount", collections.Money(), sortable=True, metrics=("sum", "avg", "min", "max")),
            Col("ratio", collections.Number(), sortable=True, metrics=("sum", "avg")),
            Col("day", collections.Date(), sortable=True, buckets=collections.DATE_BUCKETS),
            Col(
                "paid_on",
                collections.Date(),
                sortable=True,
                groupable=True,
                buckets=collections.DATE_BUCKETS,
                metrics=("min", "max"),
            ),
            Col(
                "seen_at",
                collections.Timestamp(),
                sortable=True,
                groupable=True,
                buckets=collections.BUCKETS,
            ),
            Col("currency", collections.Enum(("EUR", "GBP")), groupable=True),
            Col("group_id", collections.Reference()),
        ],
    )
    notes = Collection(
        "notes",
        model=note,
        scope=own_rows,
        where=lambda table: table.c.deleted_at.is_(None),
        revisions=("note",),
        writer=lambda collection: collections.TableWriter(
            collection, given=lambda: {"owner": request.headers["X-Caller"]}
        ),
        columns=[
            Col("id", collections.Id()),
            Col("title", collections.Text(80), sortable=True, create=True, update=True),
            Col("amount", collections.Money(), sortable=True, create=True, update=True),
            Col("version", collections.Integer()),
        ],
    )
    return SimpleNamespace(samples=samples, notes=notes, groups=groups)


def some_rows(number=70):
    """Rows with nulls, empty texts, ties, marks of patterns and of CSV, and letters of all kinds."""
    pick = random.Random(7)  # noqa: S311
    now = datetime(2024, 3, 30, 22, tzinfo=UTC)
    return [
        {
            "id": key,
            "name": pick.choice((None, *WORDS)),
            "label": pick.choice(WORDS),
            "kind": pick.choice(KINDS),
            "flag": pick.choice((None, True, False)),
            "number": pick.choice((None, -(2**31), -1, 0, 1, 7, 2**31 - 1)),
            "amount": Decimal(pick.choice((-5, 0, 1, 250, 99999, pick.randint(0, 10**6)))) / 100,
            "ratio": pick.choice((None, Decimal(pick.randint(-(10**7), 10**7)) / 10**4)),
            "day": date(2023, 12, 25) + timedelta(days=pick.randint(0, 100)),
            "paid_on": pick.choice((None, date(2024, 1, 1), date(2024, 2, 29), date(2020, 12, 31))),
            "seen_at": pick.choice(
                (
                    None,
                    now + timedelta(minutes=pick.randint(0, 600)),
                    now + timedelta(days=210, minutes=pick.randint(0, 600)),
                    now + timedelta(microseconds=pick.randint(0, 10**6)),
                )
            ),
            "currency": pick.choice(("EUR", "EUR", "GBP")),
            "group_id": pick.choice((None, 1, 2, 3)),
        }
        for key in range(1, number + 1)
    ]


@pytest.fixture(scope="session")
def rows():
    return some_rows()


@pytest.fixture(scope="session")
def declared():
    return declare()


@pytest.fixture(scope="session")
def library(declared, rows, tmp_path_factory):
    """The application with the tests' collections mounted, on a database of their own."""
    with ExitStack() as lent:
        copy = lent.enter_context(testing.database(_migrate))
        _fill(copy.owner_url, rows)
        app = _application(copy, tmp_path_factory)
        mount(app, declared.samples, declared.notes, declared.groups)
        yield app
        _end(app)


@pytest.fixture
def another_app(library, tmp_path_factory):
    """One more application on the same database, which has not answered yet."""
    own = library.extensions["settings"]
    copy = SimpleNamespace(url=own.database_url, owner_url=own.database_owner_url)
    app = _application(copy, tmp_path_factory)
    yield app
    _end(app)


def _application(copy, tmp_path_factory):
    return create_app(
        TESTING=True,
        database_url=copy.url,
        database_owner_url=copy.owner_url,
        files_url=str(tmp_path_factory.mktemp("files")),
    )


def _end(app):
    with app.app_context():
        db.engine.dispose()
    for pool in app.extensions["snapshots"].values():
        pool.dispose()


def _migrate(**urls):
    create_app(database_url=urls["application_url"])
    migrations.migrate(**urls)


def _fill(owner_url, rows):
    engine = database.engine(owner_url)
    with engine.begin() as connection:
        metadata.create_all(connection)
        operations = SimpleNamespace(execute=lambda text: connection.exec_driver_sql(text))
        collections.attach_trigger(operations, "sample")
        collections.attach_trigger(operations, "note", owner="owner")
        connection.execute(
            sample_group.insert(), [{"id": n, "title": f"group {n}"} for n in (1, 2, 3)]
        )
        connection.execute(sample.insert(), rows)
        connection.exec_driver_sql(
            "grant select, insert, update, delete on all tables in schema public to quintet_app"
        )
    engine.dispose()


def mount(app, *mounted):
    """Mount collections on a running application, as a domain's routes would before it starts."""
    api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    for each in mounted:
        blueprint = ApiBlueprint(f"test_{each.name}", __name__, public=True)
        collections.mount(blueprint, each)
        before = set(app.view_functions)
        api.register_blueprint(blueprint, url_prefix=f"/api/{each.name}")
        for endpoint in set(app.view_functions) - before:
            app.view_functions[endpoint] = database._guarded(app.view_functions[endpoint])


@pytest.fixture
def client(library):
    return FlaskClient(library, library.response_class)


@pytest.fixture
def get(client):
    """Ask for an address with these parameters: a mapping, pairs or nothing."""

    def ask(path, parameters=(), **options):
        text = urlencode(parameters, doseq=True, quote_via=quote)
        return client.get(f"{path}?{text}" if text else path, **options)

    return ask


@pytest.fixture
def listed(get):
    """Return the ids that a list answers with, in its order, on one page."""

    def ask(parameters=(), path="/api/samples"):
        pairs = parameters.items() if hasattr(parameters, "items") else parameters
        response = get(path, [*pairs, ("fields", "id"), ("limit", "200")])
        assert response.status_code == 200, response.text
        return [row["id"] for row in response.json["data"]]

    return ask


@pytest.fixture
def statements(library):
    """The statements that reach the database while the test goes on."""
    seen = []

    def note_down(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    with library.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", note_down)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note_down)


@pytest.fixture
def owner_connection(library):
    """A connection as the owner, for rows that come and go beside the application."""
    engine = database.engine(library.extensions["settings"].database_owner_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def table():
    return SimpleNamespace(sample=sample, note=note)


@pytest.fixture
def examples():
    """Settings of property tests: the same examples on every machine."""
    return settings.get_profile("collections")


@pytest.fixture
def mounting():
    return mount
