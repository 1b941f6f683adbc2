"""Throw-away databases for tests: one server, one migrated template, a copy for whoever asks."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, LiteralString

import psutil
import psycopg
from psycopg import sql

from environments.local import places
from environments.local.postgres import Postgres
from environments.local.processes import ServerFailed
from environments.local.sharing import Shared

VARIABLE = "QUINTET_TEST_SERVER"
MIGRATIONS = places.CHECKOUT / "backend" / "migrations" / "versions"
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
    try:
        shared = Shared(postgres)
        with shared.borrowed():
            os.environ[VARIABLE] = f"postgresql://{{role}}@127.0.0.1:{postgres.port}/{{database}}"
            _drop_leftovers()
            yield
    except ServerFailed:
        # Without fsync a power cut can spoil the data. Nothing is lost with it.
        shutil.rmtree(postgres.data, ignore_errors=True)
        raise


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
    name = f"template_{_hash_of_migrations()}"
    with _admin() as connection:
        connection.execute("select pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        if not _names(connection, name):
            unfinished = f"{name}_unfinished"
            _execute("drop database if exists {} with (force)", unfinished)
            _execute("create database {} owner quintet_owner", unfinished)
            migrate(
                owner_url=_url("quintet_owner", unfinished),
                application_url=_url("quintet_app", unfinished),
            )
            _execute("alter database {} rename to {}", unfinished, name)
    return name


def _hash_of_migrations() -> str:
    digest = hashlib.sha256()
    for file in [*sorted(MIGRATIONS.glob("*.py")), MIGRATIONS.parents[1] / "core/migrations.py"]:
        digest.update(file.name.encode() + file.read_bytes())
    # The models say which tables are history, and so what is granted.
    for pattern in ("models.py", "models/*.py"):
        for file in sorted(MIGRATIONS.parents[1].rglob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _drop_leftovers() -> None:
    """Drop the copies of test runs that died, and templates of other migrations."""
    with _admin() as connection:
        for name in _names(connection, "test_%"):
            if not psutil.pid_exists(int(name.split("_")[1])):
                _execute("drop database if exists {} with (force)", name)
        old = _names(connection, "template_%_unfinished")
        for name in old:
            _execute("drop database if exists {} with (force)", name)


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
