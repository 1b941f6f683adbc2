"""Fixtures every test shares: the application, and a database each test leaves as it was."""

import asyncio
import logging
import os
import re
import signal
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from itertools import count
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from click.testing import Result
from flask import Flask, session
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text

from backend.app import create_app
from backend.core import database, migrations
from backend.core.auth import sessions, tokens
from backend.core.auth.identities import microseconds
from backend.core.database import db
from backend.domains.identity.models import User
from environments.local import processes, testing


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        return  # One server for all of xdist's workers, started by their parent.
    # Shells have what they start in the background ignore Ctrl-C, and so would all commands here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for variable in list(os.environ):
        if variable.startswith(("QUINTET_", "DATABASE_", "REDIS_")):
            del os.environ[variable]
    lent = ExitStack()
    lent.enter_context(testing.server())
    config.add_cleanup(lent.close)


class _Client(FlaskClient):
    """A client whose requests, as in life, share nothing with the test but the database."""

    def open(self, *arguments, **options):
        db.session.commit()
        with self.application.app_context():
            response = super().open(*arguments, **options)
        db.session.expire_all()
        return response


@pytest.fixture(scope="session")
def _session_app(tmp_path_factory):
    with ExitStack() as lent:
        copy = lent.enter_context(testing.database(_migrate))
        app = _create_app(copy, tmp_path_factory)
        yield app
        with app.app_context():
            db.engine.dispose()
        _dispose_pools(app)


def _create_app(copy, tmp_path_factory):
    app = create_app(
        TESTING=True,
        RATELIMIT_ENABLED=False,  # Tests of limits make applications of their own.
        WTF_CSRF_ENABLED=False,  # Tests of forms' protection switch it on.
        database_url=copy.url,
        database_owner_url=copy.owner_url,
        files_url=str(tmp_path_factory.mktemp("files")),
    )
    app.test_client_class = _Client
    return app


def _migrate(**urls):
    create_app(database_url=urls["application_url"])  # It loads the models.
    migrations.migrate(**urls)


@pytest.fixture
def app(_session_app, request):
    """The application, in a context, on a database that is as it was when the test ends."""
    is_real = "real_database" in request.fixturenames
    lend = _real_database if is_real else _rolled_back
    with _session_app.app_context():
        yield from lend(_session_app)


def _rolled_back(app: Flask):
    with db.engine.connect() as connection:
        outer = connection.begin()
        engine = _swap_engine(app, connection)
        yield app
        db.session.remove()
        _swap_engine(app, engine)
        # A rollback alone would never ask what is deferred to the commit.
        try:
            connection.execute(text("set constraints all immediate"))
        finally:
            outer.rollback()


def _real_database(app: Flask):
    settings = app.extensions["settings"]
    with testing.database(_migrate) as copy:
        own = create_engine(
            database.driver_url(copy.url), **app.config["SQLALCHEMY_ENGINE_OPTIONS"]
        )
        engine = _swap_engine(app, own)
        app.extensions["settings"] = replace(
            settings, database_url=copy.url, database_owner_url=copy.owner_url
        )
        yield app
        db.session.remove()
        _dispose_pools(app)
        app.extensions["settings"] = settings
        _swap_engine(app, engine)
        own.dispose()


def _dispose_pools(app):
    for pool in app.extensions["pools"].values():
        pool.dispose()


def _swap_engine(app, bound):
    engines = db._app_engines[app]
    engines[None], before = bound, engines[None]
    return before


@pytest.fixture
def real_database(app):
    """The application on a database of the test's own, where a commit is a commit.

    For what a rollback hides: locks, several connections, notifications.
    """
    return app


@pytest.fixture
def client(app):
    """A client that is not signed in."""
    return app.test_client()


@pytest.fixture
def person(app):
    """Create a person: `person("staff", email="one@quintet.test")`."""
    numbers = count(1)

    def create(*roles, **fields) -> User:
        fields = {"email": f"person-{next(numbers)}@quintet.test", "name": "A Person"} | fields
        created = User(roles=list(roles), **fields)
        db.session.add(created)
        db.session.commit()
        return created

    return create


@pytest.fixture
def signed_in(app, person):
    """Return a client of a new person with these roles, or of the `user` that is given.

    Pages know it by its cookie, the API by its access token.
    """

    def sign_in(*roles, user=None) -> FlaskClient:
        client = app.test_client()
        client.person = user or person(*roles)
        now = datetime.now(UTC)
        who = {"user_id": client.person.id, "signed_in_at": microseconds(now)}
        pair = tokens.issue(family=uuid4(), expires_at=now + tokens.REFRESH_TOKEN_AGE, **who)
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {pair.access}"
        with app.test_request_context():
            sessions.start(session_id=uuid4(), **who)
            cookie = app.session_interface.get_signing_serializer(app).dumps(dict(session))
        client.set_cookie(app.config["SESSION_COOKIE_NAME"], cookie)
        return client

    return sign_in


@pytest.fixture
def quintet(app):
    """Run a command: `quintet("flows", "import", path)`; returns click's result."""

    def run(*words, typed=None) -> Result:
        db.session.commit()
        with app.app_context():
            result = app.test_cli_runner().invoke(args=[str(word) for word in words], input=typed)
        db.session.expire_all()
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


class Postbox:
    """A mail server that keeps what it is sent, or fails at a step as it is told."""

    def __init__(self):
        self.messages = []
        self.answers = {}
        self.pause = 0
        self.drops = False
        self._port = processes.free_port()
        self.url = f"smtp://127.0.0.1:{self._port}?timeout=0.5"

    @property
    def links(self):
        """Where the e-mails lead to, without the host, in the order in which they came."""
        texts = [message.get_content() for message in self.messages]
        return [re.search(r"https?://[^/\s]+(/\S+)", text).group(1) for text in texts]

    def start(self):
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's.
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port)
        self._controller.start()

    def stop(self):
        self._controller.stop(no_assert=True)

    def recover(self):
        self.answers, self.pause, self.drops = {}, 0, False

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802  aiosmtpd's name
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  aiosmtpd's name
        await asyncio.sleep(self.pause)
        answer = self.answers.get("RCPT", "250 OK")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("2"):
            self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.drops:
            server.transport.abort()
        return answer

    async def handle_QUIT(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        return self.answers.get("QUIT", "221 Bye")


@pytest.fixture
def postbox(app, monkeypatch):
    """A mail server to which this test's e-mails go."""
    box = Postbox()
    settings = replace(app.extensions["settings"], mail_url=box.url)
    monkeypatch.setitem(app.extensions, "settings", settings)
    box.start()
    yield box
    box.stop()
