from datetime import timedelta

import pytest
from sqlalchemy import text

from backend.core.database import db, transaction
from backend.core.outbox import Job, enqueue, topics


@pytest.fixture
def jobs(monkeypatch):
    """Register topics for the test alone, and look at their jobs."""
    monkeypatch.setattr(topics, "_TOPICS", own := dict(topics._TOPICS))
    for module in ("enqueuing", "letters", "running"):
        monkeypatch.setattr(f"backend.core.outbox.{module}.TOPICS", own)
    return Jobs()


class Jobs:
    def add(self, name, function, **options):
        topics.task(name, **options)(function)

    def ask(self, name, **arguments):
        with transaction():
            return enqueue(name, **arguments)

    def find(self, job_id):
        with transaction():
            return db.session.get(Job, job_id, populate_existing=True)

    def change(self, job_id, **columns):
        sets = ", ".join(f"{name} = clock_timestamp() + :{name}" for name in columns)
        offsets = {name: timedelta(seconds=seconds) for name, seconds in columns.items()}
        with transaction():
            db.session.execute(
                text(f"update outbox set {sets} where id = :id"), {"id": job_id} | offsets
            )
