"""Start Quintet on granian: with a port and numbers of processes and threads.

A new worker inherits its parent's handlers, which only note that a signal came: until granian sets
those of the worker, once the application is loaded, a SIGTERM would be lost, and the parent would
wait for the worker forever.
"""

import os
import signal
import sys

from granian import Granian


def end_at_signals() -> None:
    """Let signals end the process until somebody handles them."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)


if __name__ == "__main__":
    port, processes, threads = map(int, sys.argv[1:])
    os.register_at_fork(after_in_child=end_at_signals)
    Granian(
        "backend.app:create_app",
        factory=True,
        interface="wsgi",
        address="127.0.0.1",
        port=port,
        workers=processes,
        blocking_threads=threads,
        websockets=False,
    ).serve()
