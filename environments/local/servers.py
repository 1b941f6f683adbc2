"""The servers that the application finds on a person's own machine, and how it is told of them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from environments.local import places
from environments.local.places import LocalProblem
from environments.local.postgres import Postgres
from environments.local.sharing import Shared

MIGRATIONS = places.CHECKOUT / "backend" / "migrations" / "versions"


class CommandFailed(LocalProblem):
    """A command that the servers need did not do its work."""


@contextmanager
def borrowed_servers() -> Iterator[Mapping[str, str]]:
    """Yield the variables by which the checkout's servers are found.

    Those of `make run` are used when it runs. Otherwise PostgreSQL is started for as long as this
    command, and others beside it, need it.
    """
    try:
        with shared_servers().borrowed(prepare=migrate_if_behind) as state:
            yield {name: os.environ.get(name, value) for name, value in state.variables.items()}
    except LocalProblem as problem:
        sys.exit(str(problem))


def shared_servers() -> Shared:
    """Return the servers of this checkout, running or not."""
    postgres = Postgres(places.servers_folder("local"))
    return Shared(postgres, variables=lambda: own_variables(postgres))


def own_variables(postgres: Postgres) -> dict[str, str]:
    """Return the environment of a process that uses the server."""
    return files_variables() | {
        "DATABASE_URL": postgres.url("quintet_app"),
        "QUINTET_DATABASE_OWNER_URL": postgres.url("quintet_owner"),
    }


def files_variables() -> dict[str, str]:
    """Return where files lie, which must not depend on the folder that a command is called in."""
    return {
        "QUINTET_FILES_URL": str(places.files_folder()),
        "QUINTET_FLOWS_DROP": str(places.drop_folder()),
    }


def migrate(variables: Mapping[str, str]) -> None:
    """Bring the database to the newest revision."""
    quintet("database", "migrate", variables=variables)


def migrate_if_behind(variables: Mapping[str, str]) -> None:
    """Bring the database to the newest revision, without loading the application to ask for it."""
    owner_url = variables.get("QUINTET_DATABASE_OWNER_URL") or variables["DATABASE_URL"]
    newest = max(file.name for file in MIGRATIONS.glob("[0-9]*.py")).partition("_")[0]
    with psycopg.connect(owner_url) as connection:
        try:
            row = connection.execute("select version_num from alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
    if row != (newest,):
        migrate(variables)


def quintet(*words: str, variables: Mapping[str, str]) -> str:
    """Run a command of the application in a process of its own; return what it said.

    :raises CommandFailed: with what it said
    """
    result = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "backend.cli", *words],
        cwd=places.CHECKOUT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        said = (result.stdout + result.stderr).strip()[-3000:]
        raise CommandFailed(f"`quintet {' '.join(words)}` failed:\n{said}")
    return result.stdout
