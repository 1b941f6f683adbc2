"""A worker as it is deployed, whose long jobs have short leases: a test waits for them to end."""

from dataclasses import replace
from datetime import timedelta

import backend.domains.flows.tasks  # noqa: F401  registers the topics
from backend.core.outbox import topics
from worker.app import main

LEASE = timedelta(seconds=3)

for name, topic in list(topics.TOPICS.items()):
    if topic.is_renewed:
        limits = replace(topic.limits, lease=LEASE)
        topics._TOPICS[name] = replace(topic, limits=limits, backoff=LEASE / 3)  # noqa: SLF001  the test's own

if __name__ == "__main__":
    main()
