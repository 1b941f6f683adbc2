"""Health as the age of two files: `live` while the process moves, `ready` while it can work.

A probe that asked the worker itself would load it, and would kill a busy one.
"""

import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

from celery import bootsteps

Worker = Any  # Celery's own, which has no types.

STALL = 30.0
BEAT = 1.0


class Files:
    """The two files, in the folder that the settings name; without one nothing is written."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None

    def clear(self) -> None:
        """Remove both; the folder may outlive the process."""
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
        self.write(is_ready=False)
        self._file("live", exists=False)

    def write(self, *, is_live: bool = False, is_ready: bool) -> None:
        """Renew `live` if the process lives, and have `ready` exist only if it is."""
        if is_live:
            self._file("live", exists=True)
        self._file("ready", exists=is_ready)

    def _file(self, name: str, *, exists: bool) -> None:
        if self._folder is None:
            return
        if exists:
            (self._folder / name).touch()
        else:
            (self._folder / name).unlink(missing_ok=True)


class HealthFiles(bootsteps.StartStopStep):
    """Celery's step that keeps the files.

    A beat runs in the main loop, and a thread judges its age: while the broker is away the loop is
    busy reconnecting, and that is no reason to restart.
    """

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Worker, **options: object) -> None:
        super().__init__(worker, **options)
        self._files = Files(worker.app.conf.get("quintet_health_folder", ""))
        self._beat_at = time.monotonic()
        self._is_over = Event()
        self._entry: Any = None

    def start(self, parent: Worker) -> None:
        """Begin to beat and to watch."""
        self._files.clear()
        self._entry = parent.timer.call_repeatedly(BEAT, self._beat, priority=10)
        Thread(target=self._watch, args=(parent,), name="health", daemon=True).start()

    def stop(self, parent: Worker) -> None:  # noqa: ARG002  the signature is Celery's
        """Say that no work is taken any more."""
        self._is_over.set()
        self._files.write(is_ready=False)
        if self._entry:
            self._entry.cancel()

    terminate = stop  # A soft or cold end calls this one instead.

    def _beat(self) -> None:
        self._beat_at = time.monotonic()

    def _watch(self, worker: Worker) -> None:
        while not self._is_over.wait(BEAT):
            is_looping = time.monotonic() - self._beat_at < STALL
            consumer = getattr(worker, "consumer", None)
            is_connected = getattr(consumer, "connection", None) is not None
            self._files.write(
                is_live=is_looping or not is_connected, is_ready=is_looping and is_connected
            )
