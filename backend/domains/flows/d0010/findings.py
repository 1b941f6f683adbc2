"""How findings are made and worded."""

import re

from backend.domains.flows.d0010.records import Finding

_LONGEST_VALUE = 60
# Findings are stored, and PostgreSQL's text cannot hold NUL; the others would garble a terminal.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def shortened(value: str) -> str:
    """Return a value fit to be shown: no control characters, at most 60 characters."""
    if len(value) > _LONGEST_VALUE:
        value = value[: _LONGEST_VALUE - 1] + "…"
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value)


def file_error(code: str, message: str, line: int | None = None, value: str = "") -> Finding:
    """Return an error about the file as a whole."""
    return Finding(code, "error", message, line=line, value=shortened(value) or None)


def file_warning(code: str, message: str, line: int | None = None, value: str = "") -> Finding:
    """Return a warning about the file as a whole."""
    return Finding(code, "warning", message, line=line, value=shortened(value) or None)
