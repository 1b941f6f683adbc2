"""Health: whether the process lives, and whether it can do its work."""

from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from backend.core import migrations
from backend.core.database import db

log = structlog.get_logger(__name__)


def _check_database() -> str | None:
    """Return what is wrong with the database, if anything."""
    db.session.execute(text("select 1"))
    return None


def _check_migrations() -> str | None:
    """Return what is wrong with the schema; a newer one than we know is what a rollback meets."""
    revision = db.session.scalar(text("select version_num from alembic_version"))
    if revision == _head() or revision not in _known():
        return None if revision else "no revision"
    return f"at {revision}, needs {_head()}"


_head = cache(migrations.head)
_known = cache(migrations.known)

CHECKS: dict[str, Callable[[], str | None]] = {
    "database": _check_database,
    "migrations": _check_migrations,
}


def _run(name: str, check: Callable[[], str | None]) -> str:
    try:
        return check() or "ok"
    except SQLAlchemyError as error:
        db.session.rollback()
        log.warning("not ready", check=name, error=type(error).__name__)
        return "does not answer"


def init_app(app: Flask) -> None:
    """Answer the questions of whoever watches over the process."""

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Say that the process lives, whatever else is broken."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> tuple[dict[str, Any], int]:
        """Say whether requests can be served, and which check fails."""
        checks = {name: _run(name, check) for name, check in CHECKS.items()}
        if set(checks.values()) == {"ok"}:
            return {"status": "ok", "checks": checks}, HTTPStatus.OK
        return {"status": "unavailable", "checks": checks}, HTTPStatus.SERVICE_UNAVAILABLE
