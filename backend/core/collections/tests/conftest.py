"""Two collections that only tests declare, on a database of their own, asked over HTTP."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import SimpleNamespace
from urllib.parse import quote, urlencode
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from backend.app import create_app
from backend.core import collections, database, migrations
from backend.core.auth import ApiBlueprint, tokens
from backend.core.collections.registry import mounted
from backend.core.collections.tests import filling
from backend.core.collections.tests.samples import (
    FILLED,
    declare,
    metadata,
    note,
    sample,
    sample_group,
    some_notes,
    some_rows,
)
from backend.core.database import db
from backend.domains.identity.models import User
from environments.local import testing

ROWS = 60


@lru_cache(maxsize=1)
def offered():
    """The collections of the application and two of the tests' own, by name."""
    app = create_app(database_url="postgresql://127.0.0.1/nothing")
    own = declare()
    return mounted(app) | {each.name: each for each in (own.samples, own.notes)}


def pytest_generate_tests(metafunc):
    if "shelf" in metafunc.fixturenames:
        metafunc.parametrize("shelf", sorted(offered()), indirect=True)


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
        _fill_others(copy.owner_url, declared)
        app = _application(copy, tmp_path_factory)
        mount(app, declared.samples, declared.notes, declared.groups)
        mount(app, declared.kept, public=False)
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
        RATELIMIT_ENABLED=False,  # A property asks many times.
        database_url=copy.url,
        database_owner_url=copy.owner_url,
        files_url=str(tmp_path_factory.mktemp("files")),
    )


def _end(app):
    with app.app_context():
        db.engine.dispose()
    for pool in app.extensions["pools"].values():
        pool.dispose()


def _migrate(**urls):
    create_app(database_url=urls["application_url"])
    migrations.migrate(**urls)


def _fill(owner_url, rows):
    engine = database.engine(owner_url)
    with engine.begin() as connection:
        metadata.create_all(connection)
        operations = SimpleNamespace(execute=connection.exec_driver_sql)
        collections.attach_trigger(operations, "sample")
        collections.attach_trigger(operations, "sample_group")
        collections.attach_trigger(operations, "note", owner="owner")
        connection.execute(
            sample_group.insert(), [{"id": n, "title": f"group {n}"} for n in (1, 2, 3)]
        )
        connection.execute(sample.insert(), rows)
        connection.execute(note.insert(), some_notes())
        connection.exec_driver_sql(
            "grant select, insert, update, delete on all tables in schema public to quintet_app"
        )
    engine.dispose()


def _fill_others(owner_url, declared):
    """Put random rows into the tables of every collection that the application offers."""
    own = {each.name for each in vars(declared).values()}
    engine = database.engine(owner_url)
    with engine.begin() as connection:
        others = [each for each in offered().values() if each.name not in own]
        filling.fill(connection, others, ROWS)
    engine.dispose()


def mount(app, *added, public=True):
    """Mount collections on a running application, as a domain's routes would before it starts."""
    api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    for each in added:
        blueprint = ApiBlueprint(f"test_{each.name}", __name__, public=public)
        collections.mount(blueprint, each)
        before = set(app.view_functions)
        api.register_blueprint(blueprint, url_prefix=f"/api/{each.name}")
        for endpoint in set(app.view_functions) - before:
            app.view_functions[endpoint] = database.guarded(app.view_functions[endpoint])


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


@pytest.fixture(scope="session")
def staff_token(library):
    """The access token of somebody who may read every collection."""
    return token_of(library, "staff")


class Shelf:
    """One collection with its rows as Python has them, and a way to ask it over HTTP."""

    def __init__(self, client, collection, rows, headers):
        self.client, self.collection, self.rows = client, collection, rows
        self.headers, self.path, self.key = headers, collection.path, collection.key
        self.columns = list(collection.columns.values())

    def get(self, parameters=(), path="", **options):
        text = urlencode(parameters, doseq=True, quote_via=quote)
        address = f"{self.path}{path}" + (f"?{text}" if text else "")
        return self.follow(address, **options)

    def follow(self, address, headers=(), **options):
        return self.client.get(address, headers=self.headers | dict(headers), **options)

    def answer(self, parameters=(), path=""):
        response = self.get(parameters, path)
        assert response.status_code == 200, (parameters, response.text)
        return response.json

    def keys(self, parameters=()):
        """Return the keys that a list answers with, in its order, on one page."""
        pairs = parameters.items() if hasattr(parameters, "items") else parameters
        asked = [*pairs, ("fields", self.key), ("limit", "200"), ("count", "none")]
        return [row[self.key] for row in self.answer(asked)["data"]]

    def keys_of(self, rows):
        """Return the keys of rows as answers carry them."""
        return [self.collection.key_column.type.content(row[self.key]) for row in rows]


@pytest.fixture
def shelf(request, library, client, staff_token, owner_connection):
    """Each collection of the application in turn, and two that only tests declare."""
    collection = mounted(library)[request.param]
    columns = [each.sql.label(name) for name, each in collection.columns.items()]
    query = sa.select(*columns).select_from(collection.table)
    if collection.table is note:
        query = query.where(note.c.owner == FILLED, note.c.deleted_at.is_(None))
    with owner_connection.begin():
        rows = [row._asdict() for row in owner_connection.execute(query)]
    headers = {"Authorization": f"Bearer {staff_token}", "X-Caller": FILLED}
    return Shelf(client, collection, rows, headers)


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
def statements(library, monkeypatch):
    """The statements that reach the database while the test goes on."""
    seen = []

    execute = psycopg.Cursor.execute

    def note_down(cursor, query, *arguments, **options):
        seen.append(query)
        return execute(cursor, query, *arguments, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", note_down)
    return seen


@pytest.fixture
def owner_connection(library):
    """A connection as the owner, for rows that come and go beside the application."""
    engine = database.engine(library.extensions["settings"].database_owner_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def table():
    return SimpleNamespace(sample=sample, note=note, group=sample_group)


@pytest.fixture
def mounting():
    return mount


@pytest.fixture
def signed_in_client(library):
    """Return clients of the tests' application, each of a person of their own."""

    def sign_in():
        client = FlaskClient(library, library.response_class)
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token_of(library)}"
        return client

    return sign_in


def token_of(app, *roles):
    """Return the access token of a new person with these roles."""
    with app.app_context():
        person = User(email=f"{uuid4()}@quintet.test", name="A Person", roles=list(roles))
        db.session.add(person)
        db.session.commit()
        now = datetime.now(UTC)
        pair = tokens.issue(
            user_id=person.id,
            family=uuid4(),
            signed_in_at=round(now.timestamp() * 1_000_000),
            expires_at=now + timedelta(hours=1),
        )
    return pair.access
