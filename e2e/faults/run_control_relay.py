"""The negative control's relay: it believes that what was published has been done.

With `run_control_worker` it is the queue that most programs have. The suite must fault it.
"""

from sqlalchemy import text

from e2e.faults import topics  # noqa: F401  registers them
from worker import relay, rounds

rounds.PUBLISHED = text("""
    update outbox set publishes = publishes + 1, done_at = clock_timestamp() where id = any(:ids)
""")

if __name__ == "__main__":
    relay.main()
