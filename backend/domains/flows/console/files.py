"""The files that came in: their list, one of them, and what staff decide about it."""

from dataclasses import asdict, replace
from functools import partial
from typing import Any

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from backend.core.auth import required_identity
from backend.core.sections import Section, lists
from backend.core.sections.declaration import Record
from backend.domains.flows import d0010
from backend.domains.flows.console import sections, uploads
from backend.domains.flows.console.addresses import LARGEST
from backend.domains.flows.console.blueprint import blueprint
from backend.domains.flows.models import UNFINISHED, FlowFile
from backend.domains.flows.services import (
    files,
    loading,
    quarantine,
    waiting,
)
from backend.domains.flows.services.quarantine import Actor

REFRESH = 2  # Seconds between two looks at a file that is being imported.


@blueprint.get(f"/files/<int(max={LARGEST}):file_id>")
def show_file(file_id: int) -> Response:
    """Show one file with all that was found in it, again and again while it is imported."""
    file = files.one(file_id)
    found = lists.part(_findings(file), fixed=[("file_id", str(file_id))], anchor="findings")
    page = render_template(
        "flows/file.html",
        file=file,
        options=_chosen(file.options),
        counts=files.counts(file),
        found=found,
        kept=loading.FINDINGS_STORED,
        progress=waiting.progress(file_id),
        decision=quarantine.decision(file_id),
        is_repeatable=quarantine.is_repeatable(file),
    )
    response = make_response(page, found.status)
    if file.status in UNFINISHED:
        response.headers["Refresh"] = str(REFRESH)
    return response


@blueprint.post(f"/files/<int(max={LARGEST}):file_id>/release")
def release_file(file_id: int) -> Response:
    """Have a file in quarantine imported."""
    quarantine.release(file_id=file_id, reason=request.form.get("reason", ""), actor=_actor())
    return _back(file_id, "The file is released, and is imported in a moment.")


@blueprint.post(f"/files/<int(max={LARGEST}):file_id>/discard")
def discard_file(file_id: int) -> Response:
    """Leave a file in quarantine out for good."""
    quarantine.discard(file_id=file_id, reason=request.form.get("reason", ""), actor=_actor())
    return _back(file_id, "The file is discarded.")


@blueprint.post(f"/files/<int(max={LARGEST}):file_id>/repetition")
def reprocess_file(file_id: int) -> Response:
    """Process a file again that ended with errors."""
    quarantine.ask_again(file_id=file_id, options=uploads.chosen(), actor=_actor())
    return _back(
        file_id, "The file is processed again in a moment. What is there stays until then."
    )


def _findings(file: FlowFile) -> Section:
    """Return the findings as they stand on their file's page, each with the line it is about."""
    in_list = sections.FINDINGS
    return replace(
        in_list,
        columns=tuple(name for name in in_list.columns if name != "file_id"),
        filters=("severity", "code", "item", "message[contains]"),
        links={"line_number": partial(_line, file)} if file.archive_key else {},
    )


def _line(file: FlowFile, finding: Record) -> str:
    line_number = finding["line_number"]
    return url_for(".show_line", file_id=file.id, line_number=line_number)


def _actor() -> Actor:
    person = required_identity()
    return Actor(id=person.user_id, name=person.email)


def _back(file_id: int, message: str) -> Response:
    flash(message, "good")
    return redirect(url_for(".show_file", file_id=file_id))


def _chosen(options: dict[str, Any]) -> list[str]:
    """Return in words the options of an import that are not as usual."""
    usual = asdict(d0010.Options())
    return [
        name.replace("_", " ") if value is True else f"{name.replace('_', ' ')}: {value}"
        for name, value in options.items()
        if value != usual.get(name)
    ]
