"""What the queue is measured with: a job that commits one row, and the processes that know it."""

import sys

from sqlalchemy import text

from backend.core.database import db
from backend.core.outbox import task
from worker import app, relay

EFFECT = text("insert into fault_effect (ref) values (:ref)")


def write_row(ref: str) -> None:
    """Write one row."""
    db.session.execute(EFFECT, {"ref": ref})


@task("bench.write")
def write(*, ref: str, **_: object) -> None:
    """Write one row, under the limits that most jobs have."""
    write_row(ref)


if __name__ == "__main__":
    role, *words = sys.argv[1:]
    if role == "relay":
        relay.main()
    else:
        app.main(words)
