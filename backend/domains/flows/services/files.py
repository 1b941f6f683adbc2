"""The files that came in: their list, what each one holds, and what was wrong with it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select

from backend.core.database import db
from backend.core.errors import NotFound
from backend.domains.flows import d0010
from backend.domains.flows.models import SUCCESSFUL, FlowFile, FlowFinding, FlowReading
from backend.domains.flows.services import archive
from backend.domains.flows.services.archive import LineNotFound
from backend.domains.flows.services.projection import Occurrence, said, with_standing

PAGE = 50
NEIGHBOURS = 3


class FileNotFound(NotFound):
    """No file has that number. Each receipt has one, also of a file that was refused."""


class Start(NamedTuple):
    """Where a page begins: after a number in the order of the list, or before it."""

    number: int
    is_backward: bool = False


@dataclass(frozen=True)
class Page:
    """Some readings of a file, and where the others begin."""

    rows: Sequence[Occurrence]
    next: Start | None = None
    previous: Start | None = None


class Count(NamedTuple):
    """How many of a kind there are in a file, and what became of them, where counted."""

    kind: str
    total: int | None = None
    accepted: int | None = None
    rejected: int | None = None


class Line(NamedTuple):
    """A line of a file; bytes that are no text are shown by their codes."""

    number: int
    text: str


def one(file_id: int) -> FlowFile:
    """Return one file.

    :raises FileNotFound: when there is none with that number
    """
    file = db.session.get(FlowFile, file_id)
    if file is None:
        raise FileNotFound(f"There is no file {file_id}.")
    return file


def counts(file: FlowFile) -> list[Count]:
    """Return the counts of readings, MPANs and records, as far as they are known.

    Readings are counted when lines are judged, which nobody does where something else decides.
    """
    kinds = {"readings": "Readings", "roots": "MPANs", "records": "Records"}
    return [
        Count(
            kind,
            *(getattr(file, f"{name}_{part}") for part in ("total", "accepted", "rejected")),
        )
        if file.status in SUCCESSFUL or getattr(file, f"{name}_total")
        else Count(kind)
        for name, kind in kinds.items()
    ]


def findings(*, file_id: int, most: int) -> Sequence[FlowFinding]:
    """Return what was found in a file, in the order in which it was found."""
    query = select(FlowFinding).where(FlowFinding.file_id == file_id)
    return db.session.scalars(query.order_by(FlowFinding.number).limit(most)).all()


def readings(*, file_id: int, start: Start | None = None) -> Page:
    """Return a page of a file's readings in the order of its lines."""
    key, is_backward = FlowReading.line_number, start is not None and start.is_backward
    query = said().where(FlowReading.file_id == file_id)
    if start is not None:
        query = query.where(key < start.number if is_backward else key > start.number)
    # One row more than the page tells whether another page follows.
    wanted = query.order_by(key.desc() if is_backward else key).limit(PAGE + 1).cte("wanted")
    found = [Occurrence._make(row) for row in db.session.execute(with_standing(wanted))]
    found.sort(key=lambda each: each.line_number, reverse=is_backward)
    has_more, rows = len(found) > PAGE, found[:PAGE]
    if is_backward:
        rows.reverse()
    if not rows:
        return Page(rows)
    has_previous = has_more if is_backward else start is not None
    return Page(
        rows,
        next=Start(rows[-1].line_number) if has_more or is_backward else None,
        previous=Start(rows[0].line_number, is_backward=True) if has_previous else None,
    )


def lines_around(file: FlowFile, line_number: int) -> list[Line]:
    """Return a line as it was sent, among its neighbours.

    :raises LineNotFound: when the file has no such line or its bytes are gone
    """
    first = max(1, line_number - NEIGHBOURS)
    lines = list(_lines(file, range(first, line_number + NEIGHBOURS + 1)))
    if line_number not in {each.number for each in lines}:
        raise LineNotFound(f"Line {line_number} of file {file.id} is not there.")
    return lines


def lines_if_kept(file: FlowFile, line_number: int) -> list[Line]:
    """Return the same, or nothing when the original is gone."""
    try:
        return lines_around(file, line_number)
    except LineNotFound:
        return []


def _lines(file: FlowFile, numbers: range) -> Iterator[Line]:
    offsets = archive.unpack(file.line_offsets or b"")
    # A line beyond the end and a file that was removed are the same to a reader: no lines.
    with suppress(LookupError, FileNotFoundError), archive.original(file) as stream:
        for number in numbers:
            sent = d0010.line_at(stream, offsets, number)
            yield Line(number, sent.decode("utf-8", "backslashreplace"))
