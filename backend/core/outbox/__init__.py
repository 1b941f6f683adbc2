"""Work for later: a row written with the change that wants it, done exactly once by the worker.

A domain's `tasks.py` declares what can be done with `task`; its services ask for it with `enqueue`.
"""

from backend.core.outbox.doors import init_app
from backend.core.outbox.enqueuing import enqueue
from backend.core.outbox.letters import close
from backend.core.outbox.running import Permanent, run, run_due
from backend.core.outbox.table import Job
from backend.core.outbox.topics import Topic, task

__all__ = ["Job", "Permanent", "Topic", "close", "enqueue", "init_app", "run", "run_due", "task"]
