"""The bulk path: batches of the parser into the tables by COPY."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from backend.domains.flows import d0010

FINDINGS_STORED = 10_000
FINDING_COLUMNS = (
    "number",
    "code",
    "severity",
    "message",
    "line_number",
    "group_code",
    "item",
    "value",
)

Connection = psycopg.Connection[Any]
Progress = Callable[[int, int], None]  # Records done, and all there are.


@dataclass(slots=True)
class Tally:
    """What a file added up to so far; `findings` stops at the cap, the totals do not."""

    counters: d0010.Counters = field(default_factory=d0010.Counters)
    findings: list[d0010.Finding] = field(default_factory=list)
    errors: int = 0
    warnings: int = 0
    visits: int = 0

    def note(self, findings: Iterable[d0010.Finding]) -> None:
        """Count findings and keep as many as there is room for."""
        for finding in findings:
            if finding.severity == "error":
                self.errors += 1
            else:
                self.warnings += 1
            if len(self.findings) < FINDINGS_STORED:
                self.findings.append(finding)

    def take(self, batch: d0010.Batch) -> None:
        """Add a batch of the parser, whose counters are those of the file so far."""
        self.counters = batch.counters
        self.visits += len(batch.visits)
        self.note(batch.findings)


def tally_up(
    batches: Iterator[d0010.Batch],
    tally: Tally,
    *,
    store: Callable[[d0010.Batch], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Store and count one batch after the other while the next one is being parsed.

    Parsing and the server's work take about as long as each other, and waiting for the server
    leaves Python free: a second thread is enough to have both at once.
    """
    with ThreadPoolExecutor(1, "parser") as parser:
        coming = parser.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = parser.submit(next, batches, None)
            if store is not None:
                store(batch)
            tally.take(batch)
            if progress is not None:
                progress(tally.counters.records)


def store(connection: Connection, file_id: int, batch: d0010.Batch) -> None:
    """Add a batch's rows to their tables."""
    _copy(connection, "flow_reading", d0010.READING_FIELDS, file_id, batch.readings)
    _copy(connection, "flow_site_visit", d0010.VISIT_FIELDS, file_id, batch.visits)
    _copy(connection, "flow_meter", d0010.METER_FIELDS, file_id, batch.meters)


def store_findings(connection: Connection, file_id: int, findings: Iterable[d0010.Finding]) -> None:
    """Add a file's findings, numbered from 1."""
    rows = [
        d0010.row(map(storable, (str(number), *_finding_columns(finding))))
        for number, finding in enumerate(findings, 1)
    ]
    _copy(connection, "flow_finding", FINDING_COLUMNS, file_id, rows)


def storable(value: str | None) -> str | None:
    """Return what PostgreSQL can hold of a quotation: no NUL and no half of a character."""
    if value is None:
        return None
    return value.replace("\0", "\ufffd").encode(errors="replace").decode()


def _finding_columns(finding: d0010.Finding) -> tuple[str | None, ...]:
    return (
        finding.code,
        finding.severity,
        finding.message,
        None if finding.line is None else str(finding.line),
        finding.group,
        finding.item,
        finding.value,
    )


def _copy(
    connection: Connection, table: str, columns: Iterable[str], file_id: int, rows: list[str]
) -> None:
    if not rows:
        return
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, ("file_id", *columns)))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(d0010.render(rows, before=[str(file_id)]))
