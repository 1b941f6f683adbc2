"""Readings as CSV, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import islice

from backend.domains.flows.services.projection import Occurrence

ROWS_AT_ONCE = 200
# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = (
    "mpan",
    "serial",
    "register",
    "reading_at_local",
    "value",
    "reading_type",
    "reading_type_label",
    "standing",
    "bsc_status",
    "flag",
    "status",
    "reason_code",
    "method",
    "flow",
    "file_name",
    "file_id",
    "line_number",
)


def as_csv(readings: Iterable[Occurrence], *, most: int) -> Iterator[bytes]:
    """Yield CSV with a line for each reading, and a last one that says so when `most` came."""
    yield _lines([COLUMNS])
    waiting, count = iter(readings), 0
    while chunk := list(islice(waiting, ROWS_AT_ONCE)):
        count += len(chunk)
        yield _lines(_cells(each) for each in chunk)
    if count >= most:
        yield _lines([[f"Only the newest {most} readings are here; narrow the search for others."]])


def neutral(cell: str) -> str:
    """Return the cell so that no spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows([neutral(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _cells(of: Occurrence) -> tuple[str, ...]:
    return (
        of.mpan,
        of.serial,
        of.register,
        of.reading_at_local.isoformat(sep=" "),
        of.value_text,
        of.reading_type,
        of.type_label,
        "; ".join(of.badges),
        of.bsc_status,
        _truth(of.is_flag_valid),
        _truth(of.is_status_valid),
        of.reason_code or "",
        of.method or "",
        of.flow,
        of.file_name,
        str(of.file_id),
        str(of.line_number),
    )


def _truth(value: bool | None) -> str:  # noqa: FBT001  a field of the file, not an option
    return "" if value is None else "FT"[value]
