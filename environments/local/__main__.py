"""`python -m environments.local`: run everything, or remove its data."""

import os
import signal
import sys
from types import FrameType

from environments.local import running
from environments.local.places import LocalProblem
from environments.local.running import CannotRun


def main(words: list[str]) -> int:
    """Do what the word says; return the exit status."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _interrupt)
    try:
        if words == ["reset"]:
            running.reset()
        else:
            running.run(_port())
    except KeyboardInterrupt:
        return 0
    except LocalProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def _port() -> int:
    port = os.environ.get("PORT", "8000")
    if not port.isdecimal() or not 0 < int(port) < 2**16:
        raise CannotRun(f"PORT is a number up to 65535, not {port!r}.")
    return int(port)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End in the same way on Ctrl-C, when the terminal closes, and when somebody asks for it."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
