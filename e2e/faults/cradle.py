"""Starts our processes soon: one that has imported everything forks them, each a process for good.

Half of a suite that kills processes all the time would otherwise be the import of the same modules.
What cannot be forked (another program, another clock) is started from its file.
"""

import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from environments.local import places


class Cradle:
    """The process that forks the others; they are its children and not ours."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "e2e.faults.cradle"],
            cwd=places.CHECKOUT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def start(
        self, module: str, words: Sequence[str], environ: Mapping[str, str], log: Path
    ) -> psutil.Process:
        """Start a process of the module, in a group of its own."""
        order = {"module": module, "words": words, "environ": dict(environ), "log": str(log)}
        with self._lock:
            self._process.stdin.write(f"{json.dumps(order)}\n")
            self._process.stdin.flush()
            return psutil.Process(int(self._process.stdout.readline()))

    def stop(self) -> None:
        """Fork no more."""
        self._process.communicate()


def main() -> None:
    """Import what all need, and fork a process for each line."""
    import celery.apps.worker  # noqa: PLC0415  only this process is to load it
    import celery.concurrency.prefork  # noqa: F401, PLC0415
    import kombu.transport.redis  # noqa: F401, PLC0415

    import backend.domains.flows.tasks  # noqa: F401, PLC0415
    import worker.relay  # noqa: F401, PLC0415
    from e2e.faults import topics  # noqa: F401, PLC0415

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # So that nobody has to wait for the dead.
    gc.freeze()
    for line in sys.stdin:
        if os.fork() == 0:
            _become(**json.loads(line))


def _become(module: str, words: list[str], environ: dict[str, str], log: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.write(1, f"{os.getpid()}\n".encode())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    main()
