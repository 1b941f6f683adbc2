"""Keeping the lease of long work: a thread renews it on a connection of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from uuid import UUID

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from backend.core.database import db

log = structlog.get_logger(__name__)

RENEW = text("""
    update outbox set lease_until = clock_timestamp() + :lease
     where id = :id and attempts = :mine and done_at is null
    returning id
""")


@contextmanager
def renewed(job_id: UUID, *, attempt: int, lease: timedelta) -> Iterator[None]:
    """Renew the job's lease three times in its length for as long as the block runs."""
    is_over = Event()
    values = {"id": job_id, "mine": attempt, "lease": lease}
    thread = Thread(
        target=_renew, args=(db.engine, values, lease / 3, is_over), name="lease", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _renew(engine: Engine, values: dict[str, object], pause: timedelta, is_over: Event) -> None:
    while not is_over.wait(pause.total_seconds()):
        try:
            with engine.begin() as connection:
                if connection.execute(RENEW, values).one_or_none() is None:
                    log.warning("lease lost", outbox_id=str(values["id"]))
                    return  # The mark "done" will not match either, and the work is rolled back.
        except SQLAlchemyError as error:
            log.warning("lease not renewed", error=type(error).__name__)
