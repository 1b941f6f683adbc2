"""Points at which a fault test has this process die, as a machine might at any of them."""

import os
import signal
from pathlib import Path

# A fault test names a folder; without one, which is everywhere else, nothing here does anything.
_FOLDER = os.environ.get("QUINTET_CRASH_FOLDER", "")


def crash_point(name: str) -> None:
    """Kill this process, or its whole group, if a test put a file of that name in the folder."""
    if not _FOLDER:
        return
    order = Path(_FOLDER, name)
    try:
        reach = order.read_text()
        order.unlink()  # Whoever removes the file dies, and nobody else does.
    except FileNotFoundError:
        return
    if reach == "group":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
