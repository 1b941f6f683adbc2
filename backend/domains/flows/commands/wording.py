"""The result of an import command in words, as JSON, and as an exit code."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from backend.domains.flows import d0010
from backend.domains.flows.models import FlowFile
from backend.domains.flows.services.outcomes import Outcome

FINDINGS_TOLD = 20
# What a cluster keeps of the message that a job leaves when it ends.
REPORT_BYTES = 4096
EXIT_CODES = {
    "imported": 0,
    "duplicate": 0,
    "imported_with_errors": 3,
    "rejected": 4,
    "quarantined": 4,
    "failed": 1,
}
_PRECEDENCE = (1, 4, 3, 0)
_GOOD = ("imported", "duplicate", "imported_with_errors")


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return the worst of the outcomes as the command's exit code."""
    codes = {EXIT_CODES[each.status] for each in outcomes}
    return next((code for code in _PRECEDENCE if code in codes), 0)


def tell(outcome: Outcome) -> None:
    """Print what came of one file: totals to standard output, problems to standard error."""
    click.echo(
        f"{outcome.name}: {_ending(outcome)}: {outcome.message}", err=outcome.status not in _GOOD
    )
    if outcome.status.startswith("imported"):
        click.echo(f"  {_amount(outcome)}")
    # A job's output becomes a log, and logs hold no MPANs, serials or free text.
    is_quoting = sys.stderr.isatty()
    for finding in outcome.findings[:FINDINGS_TOLD]:
        click.echo(f"  {in_words(finding, is_quoting=is_quoting)}", err=True)
    left = outcome.errors + outcome.warnings - min(len(outcome.findings), FINDINGS_TOLD)
    if left:
        hint = f"; see `quintet flows show {outcome.file_id}`" if outcome.file_id else ""
        click.echo(f"  … and {left:,} more{hint}", err=True)


def _ending(outcome: Outcome) -> str:
    status = outcome.status.replace("_", " ")
    if outcome.is_left:
        return f"refused ({status}), and what was there stays as file {outcome.file_id}"
    would = "would be " if outcome.is_dry_run else ""
    return f"{would}{status}" + (f" as file {outcome.file_id}" if outcome.file_id else "")


def tell_end(outcomes: Sequence[Outcome], interrupted: Sequence[FlowFile]) -> None:
    """Print the sum of several files, and which earlier imports turned out to be dead."""
    for file in interrupted:
        click.echo(
            f"file {file.id} ({file.name}): an earlier import of it was interrupted; it is now"
            " failed, and nothing of it was kept",
            err=True,
        )
    if len(outcomes) > 1:
        statuses = Counter(each.status.replace("_", " ") for each in outcomes)
        parts = ", ".join(f"{number:,} {status}" for status, number in statuses.items())
        readings = sum(each.counters.readings_accepted for each in outcomes)
        click.echo(f"{len(outcomes):,} files: {parts}; {readings:,} readings")


def in_words(finding: d0010.Finding, *, is_quoting: bool) -> str:
    """Return one finding as a line: where, how bad, and what; with the value as sent if wanted."""
    place = ", ".join(
        part
        for part in (
            finding.line and f"line {finding.line}",
            finding.group and f"group {finding.group}",
            finding.item,
        )
        if part
    )
    quoted = f" [{finding.value}]" if finding.value and is_quoting else ""
    return f"{finding.severity}: {place + ': ' if place else ''}{finding.message}{quoted}"


def result(
    outcomes: Sequence[Outcome], interrupted: Sequence[FlowFile], *, findings: int = 100
) -> dict[str, Any]:
    """Return everything as plain values."""
    return totals(outcomes) | {
        "interrupted": [file.id for file in interrupted],
        "files": [each.as_json(findings=findings) for each in outcomes],
    }


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the sums over all files as plain values."""
    return {
        "exit_code": exit_code(outcomes),
        "statuses": dict(Counter(each.status for each in outcomes)),
        "readings": sum(each.counters.readings_accepted for each in outcomes),
        "errors": sum(each.errors for each in outcomes),
        "warnings": sum(each.warnings for each in outcomes),
    }


def report(outcomes: Sequence[Outcome], interrupted: Sequence[FlowFile]) -> str:
    """Return the result as JSON with as much detail as fits into a job's last message."""
    for findings in (10, 3, 0):
        whole = result(outcomes, interrupted, findings=findings)
        for finding in (each for file in whole["files"] for each in file["findings"]):
            del finding["value"]  # A cluster keeps this with its events.
        text = json.dumps(whole)
        if len(text.encode()) <= REPORT_BYTES:
            return text
    return json.dumps(totals(outcomes))


def _amount(outcome: Outcome) -> str:
    counters = outcome.counters
    rate = counters.readings_accepted / outcome.seconds if outcome.seconds else 0
    return (
        f"{counters.readings_accepted:,} of {counters.readings:,} readings,"
        f" {counters.root_groups_accepted:,} of {counters.root_groups:,} MPANs,"
        f" {counters.records_accepted:,} of {counters.records:,} lines;"
        f" {outcome.errors:,} errors, {outcome.warnings:,} warnings;"
        f" {(outcome.size_bytes or 0) / 1e6:,.1f} MB in {outcome.seconds:.1f} s"
        f" ({rate:,.0f} readings/s)"
    )
