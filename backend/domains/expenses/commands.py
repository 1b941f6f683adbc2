"""`quintet expenses …`: taking a file in by hand or by a job, and data to try things out with."""

import json
from dataclasses import asdict
from typing import Any, BinaryIO

import click

from backend.core.commands import CommandGroup
from backend.core.config import current_settings
from backend.core.demonstration import NotLocal
from backend.domains.expenses import csvfile
from backend.domains.expenses.services import demonstration, imports
from backend.domains.expenses.services.imports import FileRefused, Report

REFUSED, WITH_BAD_ROWS = 4, 3

commands = CommandGroup("expenses", help="Expenses: a list that is imported from a file.")


@commands.result_callback()
def _end(exit_code: int | None) -> None:
    """End with the code of the command, after its transaction was committed."""
    if exit_code:
        raise click.exceptions.Exit(exit_code)


@commands.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--partial", "is_partial", is_flag=True, help="Import the good rows among bad ones.")
@click.option("--remove-gone", "removes_gone", is_flag=True, help="Remove rows not in the file.")
@click.option("--json", "as_json", is_flag=True, help="Tell the result as JSON.")
def import_command(file: BinaryIO, *, is_partial: bool, removes_gone: bool, as_json: bool) -> int:
    """Import an expenses FILE; the same rows again, in any order, change nothing.

    Exit code: 0 all imported or known, 1 an unexpected failure, 2 wrong usage, 3 imported without
    its bad rows (--partial), 4 refused for its bad rows.
    """
    if is_partial and removes_gone:
        raise click.UsageError("--remove-gone needs a file without bad rows, so no --partial.")
    try:
        report = imports.import_file(file, is_partial=is_partial, removes_gone=removes_gone)
    except FileRefused as refused:
        _tell(refused.report, as_json=as_json)
        raise click.exceptions.Exit(REFUSED) from None
    _tell(report, as_json=as_json)
    return WITH_BAD_ROWS if report.bad else 0


@commands.command("demo")
def demo_command() -> None:
    """Import the demonstration's expenses, unless there are some already (local only)."""
    if not current_settings().is_local:
        raise NotLocal("demonstration data is for QUINTET_ENVIRONMENT=local")
    if report := demonstration.import_first():
        click.echo(f"{report.inserted:,} demonstration expenses imported.")


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(report), ensure_ascii=False, indent=2))
        return
    for kind, entries in (("error", report.errors), ("warning", report.warnings)):
        for entry in entries:
            click.echo(f"{kind}: {_sentence(entry)}", err=True)
    counts = {name: value for name, value in asdict(report).items() if isinstance(value, int)}
    click.echo(", ".join(f"{name} {value:,}" for name, value in counts.items()))
    if report.gone and report.inserted:
        click.echo("A row that was edited counts as one gone and one inserted.")
    if report.gone and not report.removed:
        click.echo("Gone rows are kept; --remove-gone removes them.")


def _sentence(entry: dict[str, Any]) -> csvfile.Finding:
    return csvfile.Finding(**({"column": None, "column_number": None} | entry))
