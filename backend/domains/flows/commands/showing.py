"""`quintet flows show`: one receipt, as the console shows it."""

import json
from typing import Any

import click

from backend.domains.flows import d0010
from backend.domains.flows.commands import arguments, wording
from backend.domains.flows.models import FlowFile, FlowFinding
from backend.domains.flows.services import files
from backend.domains.flows.services.loading import FINDINGS_STORED

_HIDDEN = {"line_offsets"}


@click.command("show")
@click.argument("file_id", type=arguments.FILE_ID, metavar="FILE-ID")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON, with all findings.")
def show_command(file_id: int, *, as_json: bool) -> None:
    """Show what came of one file: status, counters and findings."""
    file = files.one(file_id)
    if as_json:
        found = files.findings(file_id=file_id, most=FINDINGS_STORED)
        shown = _as_json(file) | {"findings": [_as_finding(each)._asdict() for each in found]}
        click.echo(json.dumps(shown, indent=2, default=str))
        return
    for title, value in _facts(file).items():
        if value not in {None, ""}:
            click.echo(f"{title:<12} {value}")
    found = files.findings(file_id=file_id, most=files.PAGE)
    for each in found:
        click.echo(wording.in_words(_as_finding(each), is_quoting=True))
    if left := file.errors_total + file.warnings_total - len(found):
        click.echo(f"… and {left:,} more (--json lists {FINDINGS_STORED:,} of them)")


def _facts(file: FlowFile) -> dict[str, Any]:
    readings, mpans, lines = map(_in_words, files.counts(file))
    sender = f"{file.from_participant} ({file.from_role})" if file.from_participant else None
    return {
        "file": f"{file.id} {file.name}",
        "status": file.status.replace("_", " ") + (", test data" if file.is_test else ""),
        "message": file.message,
        "flow": f"{file.flow}{file.version} {file.file_identifier}" if file.flow else None,
        "from": sender,
        "created": file.created_at_local,
        "received": f"{file.started_at:%Y-%m-%d %H:%M:%S %Z} by {file.channel} ({file.actor})",
        "source": file.source,
        "sha256": file.raw_hash,
        "size": None if file.size_bytes is None else f"{file.size_bytes:,} bytes",
        "readings": readings,
        "MPANs": mpans,
        "lines": lines,
        "visits": f"{file.visits_total:,}",
        "errors": f"{file.errors_total:,}",
        "warnings": f"{file.warnings_total:,}",
    }


def _in_words(count: files.Count) -> str | None:
    if count.total is None:
        return None
    return f"{count.total:,}, {count.accepted:,} accepted, {count.rejected:,} rejected"


def _as_json(file: FlowFile) -> dict[str, Any]:
    names = (column.key for column in FlowFile.__table__.columns)
    return {name: getattr(file, name) for name in names if name not in _HIDDEN}


def _as_finding(stored: FlowFinding) -> d0010.Finding:
    return d0010.Finding(
        code=stored.code,
        severity="error" if stored.severity == "error" else "warning",
        message=stored.message,
        line=stored.line_number,
        group=stored.group_code,
        item=stored.item,
        value=stored.value,
    )
