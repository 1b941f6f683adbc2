"""The schema's history: bring the database to the newest revision, one process at a time.

Alembic is imported where it is used: the web process, which only asks for the newest revision, does
without its 7 MB.
"""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import dialect

from backend.core import database
from backend.core.config import current_settings
from backend.core.database import Model

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent.parent / "migrations"
LOCK = 0x5175696E  # Any number that nothing else locks.

commands = AppGroup("database", help="The schema and its migrations.")


@commands.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest revision."""
    settings = current_settings()
    before, after = migrate(owner_url=settings.owner_url, application_url=settings.database_url)
    click.echo(f"database at revision {after}" + ("" if before == after else f" (was {before})"))


@commands.command("revision")
@click.argument("message")
def revision_command(message: str) -> None:
    """Write a new revision from the difference between models and database."""
    from alembic import command  # noqa: PLC0415  heavy

    engine = database.engine(current_settings().owner_url)
    with engine.begin() as connection:
        number = int(head()) + 1
        command.revision(_config(connection), message, autogenerate=True, rev_id=f"{number:04d}")


def migrate(*, owner_url: str, application_url: str) -> tuple[str | None, str]:
    """Bring the database to the newest revision and the application's role to its rights.

    Whoever comes second waits for the first. Returns the revision before and after.
    """
    from alembic import command  # noqa: PLC0415  heavy
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  heavy

    engine = database.engine(owner_url)
    try:
        with engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            before = MigrationContext.configure(connection).get_current_revision()
            command.upgrade(_config(connection), "head")
            _grant(connection, unquote(urlsplit(application_url).username or ""))
    finally:
        engine.dispose()
    return before, head()


def head() -> str:
    """Return the newest revision that this version of the code knows."""
    return max(known())


def known() -> set[str]:
    """Return every revision that this version of the code knows."""
    return {each.stem.partition("_")[0] for each in (FOLDER / "versions").glob("[0-9]*.py")}


def history_tables() -> list[str]:
    """Return the tables to which rows are only ever added."""
    return sorted(each.name for each in Model.metadata.tables.values() if each.info.get("history"))


def _grant(connection: Connection, role: str) -> None:
    """Give the application's role what it needs; history it may only read and add to."""
    owner = connection.scalar(text("select current_user"))
    if role in {"", owner}:
        return
    quote = dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]  # untyped upstream
    name = quote(role)
    connection.execute(text(f"grant usage on schema public to {name}"))
    connection.execute(
        text(f"grant select, insert, update, delete on all tables in schema public to {name}")
    )
    connection.execute(text(f"grant usage on all sequences in schema public to {name}"))
    for table in history_tables():
        connection.execute(text(f"revoke update, delete on {quote(table)} from {name}"))
    connection.execute(text(f"revoke insert, update, delete on alembic_version from {name}"))


def _config(connection: Connection) -> "Config":
    from alembic.config import Config  # noqa: PLC0415  heavy

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def init_app(app: Flask) -> None:
    """Offer the commands."""
    app.cli.add_command(commands)
