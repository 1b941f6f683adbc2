"""Flow files over HTTP: sending them, what became of them, and the readings that they brought."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import redirect, request
from marshmallow import RAISE
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from backend.core.auth import ApiBlueprint, required_identity
from backend.core.errors import Conflict, DomainError, Invalid, Unexpected
from backend.core.security import body_limit
from backend.domains.flows.models import UNFINISHED
from backend.domains.flows.schemas import (
    FileProgressSchema,
    UploadAnswerSchema,
    UploadOptionsSchema,
    UploadSchema,
)
from backend.domains.flows.services import files, imports, uploads, waiting
from backend.domains.flows.services.uploads import Result, Sender, Upload

LARGEST = 2**63 - 1
# The library documents a form's fields and its files as two things; a body is one.
FORM = {
    "type": "object",
    "required": ["files"],
    "properties": {
        "files": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "minItems": 1,
            "maxItems": uploads.MOST,
        },
        **{
            name: {"type": "boolean", "default": False, **field.metadata}
            for name, field in UploadOptionsSchema().fields.items()
        },
    },
}

blueprint = ApiBlueprint(
    "flows",
    __name__,
    role="staff",
    description="Meter-reading files, what was wrong in them, and their readings",
)


class FileRejected(Invalid):
    """The flow file cannot be imported. The errors name lines; correct them and send it again.

    The member `data` tells for each file what became of it.
    """


class FileQuarantined(Conflict):
    """The sender used one file's identity for another content. Somebody has to decide between them.

    The file is kept until staff release or discard it; sending it again does not help.
    """


@blueprint.post("/files")
@blueprint.arguments(UploadOptionsSchema, location="form")
# By itself the library drops the files of other fields, and says nothing.
@blueprint.arguments(UploadSchema, location="files", unknown=RAISE)
@blueprint.response(201, UploadAnswerSchema)
@blueprint.alt_response(200, schema=UploadAnswerSchema, description="All were imported before")
@blueprint.alt_response(202, schema=UploadAnswerSchema, description="Imported in the background")
@blueprint.alt_response(207, schema=UploadAnswerSchema, description="Each has its own status")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(413, "REQUEST_ENTITY_TOO_LARGE")
@blueprint.alt_response(422, "UNPROCESSABLE_ENTITY")
@blueprint.doc(parameters=[], requestBody={"content": {"multipart/form-data": {"schema": FORM}}})
@body_limit(uploads.LARGEST)
def create_files(
    options: dict[str, bool], sent: dict[str, list[FileStorage]]
) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Send one or more D0010 or D0086 files.

    Each file is judged by itself: 201 imported (perhaps with errors, see its findings), 200
    imported before, 409 in quarantine, 422 rejected, 202 accepted and to be imported in the
    background, as large files are; 207 when they differ. The Location header leads to the one
    file, or to the list. A problem's member `data` says the same of each file.
    """
    results = take_in(sent["files"], options)
    status = uploads.overall(results)
    if status >= HTTPStatus.BAD_REQUEST:
        raise _refusal(status, results)
    link = f"/api/flows/files/{results[0].outcome.file_id}"
    headers = {"Location": link if len(results) == 1 else "/api/flows/files"}
    return {"data": [each.as_json() for each in results]}, status, headers


def take_in(sent: Sequence[FileStorage], options: dict[str, bool]) -> list[Result]:
    """Return what becomes of the files of this request."""
    person = required_identity()
    return uploads.take_in(
        [Upload(each.filename or "unnamed", each.stream) for each in sent],  # type: ignore[arg-type]  # it reads bytes
        sender=Sender(
            id=person.user_id, email=person.email, address=request.remote_addr or "unknown"
        ),
        options=imports.rules(**options),
    )


@blueprint.get(f"/files/<int(max={LARGEST}):file_id>/progress")
@blueprint.response(200, FileProgressSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def show_progress(file_id: int) -> dict[str, Any]:
    """Show how a file's import ended or, while it goes on, how many of its records are read."""
    file = files.one(file_id)
    # Of a file that failed the bytes may still wait, though nobody is at them.
    progress = waiting.progress(file_id) if file.status in UNFINISHED else None
    return {"data": {"status": file.status, "progress": progress}}


@blueprint.get(f"/files/<int(max={LARGEST}):file_id>/findings")
@blueprint.alt_response(308, description="The findings of this file, as a collection")
@blueprint.alt_response(404, "NOT_FOUND")
def show_findings(file_id: int) -> Response:
    """Lead to what was wrong or odd in a file, with whatever else is asked of it."""
    asked = request.args.to_dict(flat=False) | {"file_id": [str(files.one(file_id).id)]}
    address = f"/api/flows/findings?{urlencode(asked, doseq=True)}"
    return redirect(address, HTTPStatus.PERMANENT_REDIRECT)


def _refusal(status: int, results: Sequence[Result]) -> DomainError:
    """Return the problem that all the files share, with each finding by its line."""
    kinds = {422: FileRejected, 409: FileQuarantined}
    kind: type[DomainError] = kinds.get(status, Unexpected)
    named = [(_name_before(each, results), each.outcome) for each in results]
    errors = [
        ({"line": finding.line} if finding.line else {})
        | {"code": finding.code, "detail": name + finding.message}
        for name, outcome in named
        for finding in outcome.findings
        if finding.severity == "error"
    ]
    said = " ".join(name + outcome.message for name, outcome in named[:10])
    return kind(said, errors=errors, data=[each.as_json() for each in results])


def _name_before(result: Result, all_of_them: Sequence[Result]) -> str:
    """Return how an error says whose it is, which only several files make a question."""
    return f"{result.outcome.name}: " if len(all_of_them) > 1 else ""
