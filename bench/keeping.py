"""Where benchmarks keep their figures, with what they were measured on."""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from backend.app import create_app
from backend.core import migrations
from environments.local import places
from environments.local.postgres import Postgres

RESULTS = Path(__file__).with_name("results.json")


def keep(name: str, figures: object) -> None:
    """Write the figures of one benchmark beside those of the others."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept[name] = {"machine": machine(), "figures": figures}
    RESULTS.write_text(json.dumps(dict(sorted(kept.items())), indent=2) + "\n")


def machine() -> dict[str, object]:
    """Return what the figures depend on beside the code."""
    names = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line for line in names.splitlines() if line.startswith("model name")), "")
    return {
        "processor": model.partition(": ")[2] or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


@contextmanager
def durable_server(name: str) -> Iterator[Postgres]:
    """Lend a PostgreSQL that is thrown away, as durable as the one of `make run`."""
    shutil.rmtree(places.servers_folder(name))
    postgres = Postgres(places.servers_folder(name))
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.stop()
        shutil.rmtree(postgres.folder)


@contextmanager
def empty_database(postgres: Postgres, name: str) -> Iterator[dict[str, str]]:
    """Lend a database with every table and no row, by the variables that lead to it."""
    with psycopg.connect(postgres.url("quintet_owner"), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    variables = {
        "DATABASE_URL": postgres.url("quintet_app", name),
        "QUINTET_DATABASE_OWNER_URL": postgres.url("quintet_owner", name),
    }
    create_app(database_url=variables["DATABASE_URL"])  # It loads the models.
    migrations.migrate(
        owner_url=variables["QUINTET_DATABASE_OWNER_URL"],
        application_url=variables["DATABASE_URL"],
    )
    try:
        yield variables
    finally:
        with psycopg.connect(postgres.url("quintet_owner"), autocommit=True) as connection:
            drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
            connection.execute(drop)
