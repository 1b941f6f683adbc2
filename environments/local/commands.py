"""What the command `quintet` needs on a person's own machine: the servers, running and migrated."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from environments.local import places
from environments.local.postgres import Postgres
from environments.local.sharing import Shared


@contextmanager
def borrowed_servers() -> Iterator[Mapping[str, str]]:
    """Yield the variables by which the checkout's servers are found.

    Those of `make run` are used when it runs. Otherwise PostgreSQL is started for as long as this
    command, and others beside it, need it.
    """
    postgres = Postgres(places.servers_folder("local"))
    with Shared(postgres).borrowed(prepare=lambda: migrate(postgres)):
        yield variables(postgres)


def variables(postgres: Postgres) -> dict[str, str]:
    """Return the environment of a process that uses the server; what a person gave goes before."""
    own = {
        "DATABASE_URL": postgres.url("quintet_app"),
        "QUINTET_DATABASE_OWNER_URL": postgres.url("quintet_owner"),
    }
    files = {"QUINTET_FILES_URL": str(places.files_folder())}
    return files | {name: os.environ[name] for name in files if name in os.environ} | own


def migrate(postgres: Postgres) -> None:
    """Bring the database to the newest revision."""
    run_quintet("database", "migrate", using=variables(postgres))


def run_quintet(*words: str, using: Mapping[str, str]) -> None:
    """Run a command of the application in a process of its own, quietly unless it fails.

    :raises CommandFailed: with what it said
    """
    result = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "backend.cli", *words],
        cwd=places.CHECKOUT,
        env=os.environ | using,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        said = (result.stdout + result.stderr).strip()
        raise CommandFailed(f"`quintet {' '.join(words)}` failed:\n{said}")


class CommandFailed(Exception):
    """A command that the servers need did not do its work."""
