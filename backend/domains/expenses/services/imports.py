"""Taking an expenses file in: the one way for the command and the upload.

All of a file is stored or nothing. A row is known by what it says and by which of several identical
rows it is, so that the same rows in any order, with any line ends, change nothing.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy import text

from backend.core import audit
from backend.core.database import db, raw_connection
from backend.core.errors import Conflict, Invalid
from backend.domains.expenses import cells, csvfile

LOCK = "expenses.import"
MOST_ANSWERED = 1000
_INCOMING = """
create temporary table expense_incoming (
    line integer, departments text, project_name text, amount numeric(12, 2), date date,
    member_name text, content_key bytea
) on commit drop"""
# The order of identical rows is that of the file; whichever of them is gone, the last one is.
_KEYED = """
create temporary table expense_keyed on commit drop as
select incoming.*, sha256(content_key || int8send(
    row_number() over (partition by content_key order by line))) as source_key
from expense_incoming as incoming"""
# Numbers are given as rows are inserted, so the order of the select is that of the numbers.
_NEW = """
from expense_keyed as keyed where not exists (
    select from expense where expense.source_key = keyed.source_key)"""
_INSERT = f"""
insert into expense
    (departments, project_name, amount, currency, date, member_name, source_key)
select departments, project_name, amount, :currency, date, member_name, source_key
{_NEW} order by line"""
_GONE = """
from expense where not exists (
    select from expense_keyed as keyed where keyed.source_key = expense.source_key)"""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a file, in rows; an edited row counts as one gone and one inserted."""

    read: int
    inserted: int = 0
    unchanged: int = 0
    gone: int = 0
    removed: int = 0
    bad: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def shortened(self) -> "Report":
        """Return the report with the first entries of its lists, for an answer over HTTP."""
        return replace(
            self, errors=self.errors[:MOST_ANSWERED], warnings=self.warnings[:MOST_ANSWERED]
        )


class ImportRunning(Conflict):
    """Another expenses file is being imported. Wait until it has ended, and send yours again."""


class FileRefused(Invalid):
    """The expenses file has bad rows. Nothing of it is kept; each error names line and column."""

    def __init__(self, reading: csvfile.Reading) -> None:
        self.report = Report(
            read=reading.read,
            bad=reading.bad,
            errors=[each.entry() for each in reading.errors],
            warnings=[each.entry() for each in reading.warnings],
        )
        count = len(reading.errors)
        detail = f"{count} problem{'' if count == 1 else 's'}, nothing was imported."
        if count > MOST_ANSWERED:
            detail += f" The first {MOST_ANSWERED} are listed."
        errors = self.report.shortened().errors
        super().__init__(detail, errors=errors, read=reading.read, bad=reading.bad)


class ContradictoryImport(Invalid):
    """Bad rows cannot be left out while gone ones are removed. A bad row may be what seems gone."""


def import_file(
    stream: BinaryIO,
    *,
    is_partial: bool = False,
    removes_gone: bool = False,
    actor_id: UUID | None = None,
) -> Report:
    """Store the rows of the file that are not there yet, and tell of those that are there no more.

    With `is_partial` the good rows of a file with bad ones are stored, with `removes_gone` rows
    that the file no longer has are removed.

    :raises FileRefused: with every bad cell, when rows are bad or reading stopped before the end
    :raises ImportRunning: while another import is under way
    """
    if is_partial and removes_gone:
        raise ContradictoryImport
    _lock()
    text_stream = csvfile.opened(stream)
    reading = csvfile.Reading(text_stream)
    _copy(reading)
    text_stream.detach()  # Whoever opened the file closes it.
    if reading.is_cut or (reading.errors and not is_partial):
        _run("drop table expense_incoming")
        raise FileRefused(reading)
    report = _store(reading, removes_gone=removes_gone)
    counts = {name: getattr(report, name) for name in ("read", "inserted", "removed", "bad")}
    audit.record(action="expenses.import", actor_id=actor_id, object_type="expense", after=counts)
    return report


def _lock() -> None:
    query = text("select pg_try_advisory_xact_lock(hashtextextended(:lock, 0))")
    if not db.session.scalar(query, {"lock": LOCK}):
        raise ImportRunning


def _copy(reading: csvfile.Reading) -> None:
    """Bring the good rows into a table of this transaction, as they are read."""
    _run(_INCOMING)
    with raw_connection().cursor().copy("copy expense_incoming from stdin") as copy:
        for row in reading:
            copy.write_row((*vars(row).values(), _content_key(row)))


def _content_key(row: csvfile.Row) -> bytes:
    values = (
        row.departments,
        row.project_name,
        f"{row.amount:.2f}",
        cells.CURRENCY,
        row.date.isoformat(),
        row.member_name,
    )
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).digest()


def _store(reading: csvfile.Reading, *, removes_gone: bool) -> Report:
    _run(_KEYED)
    _run("analyze expense_keyed")
    gone = db.session.scalar(text(f"select count(*) {_GONE}")) or 0
    removed = _run(f"delete {_GONE}") if removes_gone and gone else 0
    new = db.session.scalar(text(f"select count(*) {_NEW}"))
    # A statement that inserts nothing would still make every known answer old.
    inserted = _run(_INSERT, currency=cells.CURRENCY) if new else 0
    _run("drop table expense_incoming, expense_keyed")
    return Report(
        read=reading.read,
        inserted=inserted,
        unchanged=reading.read - reading.bad - inserted,
        gone=gone,
        removed=removed,
        bad=reading.bad,
        errors=[each.entry() for each in reading.errors],
        warnings=[each.entry() for each in reading.warnings],
    )


def _run(statement: str, **values: Any) -> int:
    found = db.session.execute(text(statement), values)
    return int(getattr(found, "rowcount", 0))
