"""Quintet as granian starts it.

A worker of granian inherits its parent's handler until the application is loaded: a SIGTERM in that
time would be lost, and the parent would wait for the worker forever.
"""

import signal

for each in (signal.SIGTERM, signal.SIGINT):
    signal.signal(each, signal.SIG_DFL)

from backend.app import create_app  # noqa: E402

__all__ = ["create_app"]
