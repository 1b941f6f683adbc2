"""Celery's pool of processes, mended where it stands still or falls over (decision 0011)."""

from select import POLLIN, poll
from typing import Any

from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool

AGAIN = 0.02


class Pool(AsynPool):
    """The processes.

    The end of a process is heard of when its files are closed, a moment before it can be waited
    for. Celery looks only once then, and may not see it: the place would stay empty for up to five
    seconds, and a worker whose broker goes away meanwhile would fall over.

    While the broker is away the loop stands still. What the processes sent meanwhile has to be read
    before time limits are judged, or those that are done long since would be ended.
    """

    _fileno_to_outq: dict[int, Any]
    _pool: list[Any]
    _result_handler: Any
    handle_result_event: Any

    def _event_process_exit(self, hub: Any, process: Any) -> None:
        super()._event_process_exit(hub, process)  # type: ignore[misc]  # newer than its types
        if process in self._pool:
            hub.call_later(AGAIN, self._event_process_exit, hub, process)

    def _track_child_process(self, process: Any, hub: Any) -> None:
        if getattr(process, "_sentinel_poll", "not yet") is None:
            hub.call_later(AGAIN, self._event_process_exit, hub, process)
        else:
            super()._track_child_process(process, hub)  # type: ignore[misc]  # as above

    def _on_soft_timeout(self, job: Any, soft: Any, hard: Any, hub: Any) -> None:
        self._take_results()
        super()._on_soft_timeout(job, soft, hard, hub)  # type: ignore[misc]  # as above

    def _on_hard_timeout(self, job: Any) -> None:
        self._take_results()
        super()._on_hard_timeout(job)  # type: ignore[misc]  # as above

    def _take_results(self) -> None:
        readers, news = self._result_handler._hub.readers, poll()  # noqa: SLF001  it has no other
        for descriptor in self._fileno_to_outq:
            news.register(descriptor, POLLIN)
        while ready := [each for each, _ in news.poll(0) if self._is_ours(readers.get(each))]:
            for descriptor in ready:
                self.handle_result_event(descriptor)

    def _is_ours(self, reader: Any) -> bool:
        """Whether the next message has not been begun to be read."""
        return reader is not None and reader[0] == self.handle_result_event


class Prefork(TaskPool):
    """What the setting `worker_pool` names."""

    Pool = Pool
