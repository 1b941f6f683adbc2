"""Throw-away databases for tests: one server, one migrated template, a copy for whoever asks."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from environments.local import places
from environments.local.postgres import Postgres
from environments.local.servers import MIGRATIONS
from environments.local.sharing import Shared

VARIABLE = "QUINTET_TEST_SERVER"
TEMPLATE_LOCK = 1

_numbers = count(1)


@dataclass(frozen=True)
class Database:
    """A database of a test's own, by the addresses of the application's role and of the owner."""

    url: str
    owner_url: str


@contextmanager
def server() -> Iterator[None]:
    """Lend the test server to this process and, by its environment, to those it starts."""
    postgres = Postgres(places.servers_folder("test"), throw_away=True)
    with Shared(postgres).borrowed(prepare=lambda _: _tidy(postgres)):
        _announce(postgres)
        yield


def _announce(postgres: Postgres) -> None:
    os.environ[VARIABLE] = f"postgresql://{{role}}@127.0.0.1:{postgres.port}/{{database}}"


def _tidy(postgres: Postgres) -> None:
    """Drop what earlier runs left, but for the template that the present migrations make."""
    _announce(postgres)
    with _admin() as connection:
        for name in _names(connection, r"test\_%") + _names(connection, r"template\_%"):
            if name != _template_name():
                _execute("drop database {}", name)


@contextmanager
def database(migrate: Callable[..., object]) -> Iterator[Database]:
    """Lend a fresh copy of the migrated template."""
    template = _template(migrate)
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _execute(
        "create database {} template {} strategy file_copy owner quintet_owner", name, template
    )
    try:
        yield Database(url=_url("quintet_app", name), owner_url=_url("quintet_owner", name))
    finally:
        _execute("drop database {} with (force)", name)


def _template(migrate: Callable[..., object]) -> str:
    """Return the name of the database that the migrations made, made now if need be."""
    name = _template_name()
    with _admin() as connection:
        connection.execute("select pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        if not _names(connection, name.replace("_", r"\_")):
            unfinished = f"{name}_unfinished"
            _execute("drop database if exists {} with (force)", unfinished)
            _execute("create database {} owner quintet_owner", unfinished)
            migrate(
                owner_url=_url("quintet_owner", unfinished),
                application_url=_url("quintet_app", unfinished),
            )
            _execute("alter database {} rename to {}", unfinished, name)
    return name


def _template_name() -> str:
    digest = hashlib.sha256()
    for file in [*sorted(MIGRATIONS.glob("*.py")), MIGRATIONS.parents[1] / "core/migrations.py"]:
        digest.update(file.name.encode() + file.read_bytes())
    # The models say which tables are history, and so what is granted.
    for pattern in ("models.py", "models/*.py"):
        for file in sorted(MIGRATIONS.parents[1].rglob(pattern)):
            digest.update(file.read_bytes())
    return f"template_{digest.hexdigest()[:16]}"


def _names(connection: psycopg.Connection[Any], pattern: str) -> list[str]:
    query = "select datname from pg_database where datname like %s order by oid"
    return [name for (name,) in connection.execute(query, [pattern])]


def _execute(statement: LiteralString, *names: str) -> None:
    with _admin() as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _admin() -> psycopg.Connection[Any]:
    return psycopg.connect(_url("quintet_admin", "postgres"), autocommit=True)


def _url(role: str, name: str) -> str:
    return os.environ[VARIABLE].format(role=role, database=name)
