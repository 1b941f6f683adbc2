"""Celery's pool of processes, which here replaces each one as soon as it has ended."""

from typing import Any

from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool

AGAIN = 0.02


class Pool(AsynPool):
    """The processes.

    The end of a process is heard of when its files are closed, a moment before it can be waited
    for. Celery looks only once then, and may not see it; the place would stay empty for up to five
    seconds, and a worker with one process would do nothing meanwhile (celery/celery#9588).
    """

    _pool: list[Any]

    def _event_process_exit(self, hub: Any, process: Any) -> None:
        super()._event_process_exit(hub, process)  # type: ignore[misc]  # newer than its types
        if process in self._pool:
            hub.call_later(AGAIN, self._event_process_exit, hub, process)


class Prefork(TaskPool):
    """What the setting `worker_pool` names."""

    Pool = Pool
