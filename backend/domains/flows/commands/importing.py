"""`quintet flows import`: every file named is tried, and the exit code tells the worst."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from backend.core.files import FilesUnavailable
from backend.domains.flows.commands import arguments, caller, wording
from backend.domains.flows.services import imports, receipts, recovery, sources
from backend.domains.flows.services.outcomes import Outcome
from backend.domains.flows.services.receipts import Delivery
from backend.domains.flows.services.sources import Source


@click.command("import")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--source", multiple=True, metavar="FILE|DIR|URL", help="Also read these (fsspec).")
@click.option("--strict", is_flag=True, help="Refuse a file for any error in it.")
@click.option("--lenient-footer", is_flag=True, help="Only warn of wrong counts in the trailer.")
@click.option("--allow-test", is_flag=True, help="Accept files marked as test data.")
@click.option("--dry-run", is_flag=True, help="Check everything, store nothing.")
@click.option("--sha256", metavar="HEX", help="What the one file must have.")
@click.option(
    "--actor", callback=arguments.words, help="Who imports, for the record.  [default: user@host]"
)
@click.option("--json", "as_json", is_flag=True, help="Tell the result as JSON.")
@click.option(
    "--report", type=arguments.REPORT, callback=arguments.report, help="Also write it here."
)
def import_command(files: tuple[str, ...], **options: Any) -> None:
    """Import flow files.

    Exit code: 0 all imported or duplicates, 1 an unexpected failure or a file that cannot be read,
    2 wrong usage, 3 a file was imported with errors, 4 a file was rejected or quarantined.
    """
    if not files and not options["source"]:
        raise click.UsageError("Name at least one FILE, or a --source.")
    if options["sha256"] and len(files) + len(options["source"]) != 1:
        raise click.UsageError("--sha256 is for one file alone.")
    is_quiet = options["as_json"]
    outcomes = []
    interrupted = recovery.recover()
    for source in _sources(files, options["source"]):
        outcome = source if isinstance(source, Outcome) else _import(source, options)
        outcomes.append(outcome)
        if not is_quiet:
            wording.tell(outcome)
    # The server may have noticed only now that the owner of an earlier import is gone.
    interrupted += recovery.recover()
    if is_quiet:
        click.echo(json.dumps(wording.result(outcomes, interrupted), indent=2))
    else:
        wording.tell_end(outcomes, interrupted)
    if options["report"]:
        options["report"].write_text(wording.report(outcomes, interrupted))
    raise click.exceptions.Exit(wording.exit_code(outcomes))


def _sources(files: tuple[str, ...], addresses: tuple[str, ...]) -> Iterator[Source | Outcome]:
    """Yield every file to try, and an outcome for each address at which nothing can be found."""
    yield from map(sources.at_path, files)
    for address in addresses:
        try:
            yield from sources.at_address(address)
        except sources.Unreadable as error:
            yield _unreadable(sources.in_text(sources.without_password(address)), error)


def _import(source: Source, options: dict[str, Any]) -> Outcome:
    delivery = Delivery(
        name=source.name,
        channel="cli",
        actor=options["actor"] or caller.name(),
        source=source.address,
        sha256=options["sha256"],
    )
    rules = imports.rules(
        strict=options["strict"],
        lenient_footer=options["lenient_footer"],
        allow_test=options["allow_test"],
    )
    try:
        with sources.opened(source) as stream, _progress(receipts.label(source.name)) as progress:
            return imports.import_file(
                stream,
                delivery=delivery,
                options=rules,
                is_dry_run=options["dry_run"],
                progress=progress,
            )
    except (sources.Unreadable, FilesUnavailable) as error:
        return _unreadable(source.address, error)


def _unreadable(name: str, error: Exception) -> Outcome:
    return Outcome(name=name, status="failed", message=str(error))


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """Draw a bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label=name, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield progress
