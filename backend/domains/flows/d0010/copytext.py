"""Rows of PostgreSQL's COPY text format (PostgreSQL manual, COPY, "Text Format")."""

import re
from collections.abc import Iterable, Sequence

NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_ESCAPED = re.compile(r"\\(.)")
_PLAIN = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


def escape(value: str | None) -> str:
    r"""Return one column as COPY reads it; None becomes `\N`."""
    if value is None:
        return NULL
    if value.isprintable() and "\\" not in value:
        return value
    return value.translate(_ESCAPES)


def row(values: Iterable[str | None]) -> str:
    """Return one row, without its newline."""
    return "\t".join(map(escape, values))


def fields(text: str) -> tuple[str | None, ...]:
    """Take a row apart: the inverse of `row`."""
    return tuple(
        None if column == NULL else _ESCAPED.sub(lambda match: _PLAIN[match[1]], column)
        for column in text.split("\t")
    )


def render(
    rows: Sequence[str],
    *,
    before: Iterable[str | None] = (),
    after: Iterable[str | None] = (),
) -> bytes:
    """Return rows as bytes for COPY, each with the same columns `before` and `after` its own.

    The constant columns cost nothing per row, so a file's id belongs there.
    """
    if not rows:
        return b""
    head = "".join(f"{escape(value)}\t" for value in before)
    tail = "".join(f"\t{escape(value)}" for value in after)
    body = f"{tail}\n{head}".join(rows)
    return f"{head}{body}{tail}\n".encode()
