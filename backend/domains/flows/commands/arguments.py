"""What is typed after a command: the number of a file, words for the record, a report's place."""

import os
from pathlib import Path

import click

from backend.domains.flows.services import sources

FILE_ID = click.IntRange(1, 2**63 - 1)
REPORT = click.Path(dir_okay=False, writable=True, path_type=Path)


def words(_: click.Context, __: click.Parameter, typed: str | None) -> str | None:
    """Return words that can be stored; bytes that are no text are shown by their codes."""
    return None if typed is None else sources.in_text(typed)


def report(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """Return where the report goes, which has to be known before anything is imported.

    :raises BadParameter: when nothing can be written there
    """
    if path and not path.exists() and not os.access(path.parent, os.W_OK | os.X_OK):
        raise click.BadParameter(f"Nothing can be written in {sources.in_text(str(path.parent))}.")
    return path
