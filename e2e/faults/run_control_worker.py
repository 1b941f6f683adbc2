"""The negative control's worker: it does whatever it is told, without a look at what was done."""

from backend.core.outbox import running
from e2e.faults import topics  # noqa: F401  registers them
from worker.app import main

running.LEASE = """
    update outbox set attempts = attempts + 1 where id = %(id)s
    returning topic, payload, trace, attempts, null
"""
running.DONE = "select id from outbox where id = %(id)s"

if __name__ == "__main__":
    main()
