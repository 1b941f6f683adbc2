"""Two collections that only tests declare, on a database of their own, asked over HTTP."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import quote, urlencode
from uuid import uuid4

import psycopg
import pytest
from flask.testing import FlaskClient

from backend.app import create_app
from backend.core import collections, database, migrations
from backend.core.auth import ApiBlueprint, tokens
from backend.core.collections.tests.samples import (
    declare,
    metadata,
    note,
    sample,
    sample_group,
    some_rows,
)
from backend.core.database import db
from backend.domains.identity.models import User
from environments.local import testing


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
        collections.attach_trigger(operations, "note", owner="owner")
        connection.execute(
            sample_group.insert(), [{"id": n, "title": f"group {n}"} for n in (1, 2, 3)]
        )
        connection.execute(sample.insert(), rows)
        connection.exec_driver_sql(
            "grant select, insert, update, delete on all tables in schema public to quintet_app"
        )
    engine.dispose()


def mount(app, *mounted, public=True):
    """Mount collections on a running application, as a domain's routes would before it starts."""
    api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    for each in mounted:
        blueprint = ApiBlueprint(f"test_{each.name}", __name__, public=public)
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
    return SimpleNamespace(sample=sample, note=note)


@pytest.fixture
def mounting():
    return mount


@pytest.fixture
def signed_in_client(library):
    """Return clients of the tests' application, each of a person of their own."""

    def sign_in():
        client = FlaskClient(library, library.response_class)
        with library.app_context():
            person = User(email=f"{uuid4()}@quintet.test", name="A Person", roles=[])
            db.session.add(person)
            db.session.commit()
            now = datetime.now(UTC)
            pair = tokens.issue(
                user_id=person.id,
                family=uuid4(),
                signed_in_at=round(now.timestamp() * 1_000_000),
                expires_at=now + timedelta(hours=1),
            )
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {pair.access}"
        return client

    return sign_in
