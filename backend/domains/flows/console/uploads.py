"""The form by which staff send files, and what it says became of them."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import starmap
from typing import Any

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from backend.core.auth import required_identity
from backend.core.errors import Invalid
from backend.core.security import body_limit
from backend.domains.flows.console.blueprint import blueprint
from backend.domains.flows.services import imports, uploads
from backend.domains.flows.services.uploads import Result, Sender, Upload

OPTIONS = ("strict", "lenient_footer", "allow_test")
KINDS = {"imported": "good", "duplicate": "neutral", "waiting": "neutral"}
KINDS |= {"rejected": "bad", "failed": "bad"}
# What is flashed travels in the session's cookie, of which browsers keep 4 kB.
_MOST_FLASHED = 2000


class NoFileChosen(Invalid):
    """No file was chosen. Go back, choose one or more flow files, and send the form again."""


class TooManyFiles(Invalid):
    """These are too many files for one form. Go back, and send them in parts."""


@blueprint.post("/files")
@body_limit(uploads.LARGEST)
def upload_files() -> Response:
    """Take in the files of the form, and show what became of each.

    :raises NoFileChosen: when there is none
    :raises TooManyFiles: when there are more than the API takes
    """
    sent = [each for each in request.files.getlist("files") if each.filename]
    if not sent:
        raise NoFileChosen
    if len(sent) > uploads.MOST:
        raise TooManyFiles(
            f"{len(sent)} files were sent, and at most {uploads.MOST} are taken at once."
            " Go back, and send them in parts."
        )
    person = required_identity()
    results = uploads.take_in(
        [Upload(each.filename or "", each.stream) for each in sent],  # type: ignore[arg-type]  # it reads bytes
        sender=Sender(
            id=person.user_id, email=person.email, address=request.remote_addr or "unknown"
        ),
        options=imports.rules(**chosen()),
    )
    _tell(results)
    return redirect(_place(results))


def chosen() -> dict[str, bool]:
    """Return which options the form has ticked."""
    return {name: bool(request.form.get(name)) for name in OPTIONS}


def _tell(results: Sequence[Result]) -> None:
    """Say what became of each file or, where that is too much, how many ended in which way."""
    said = [(_said(each), KINDS.get(each.outcome.status, "warning")) for each in results]
    if len(json.dumps(said)) <= _MOST_FLASHED:
        list(starmap(flash, said))
        return
    statuses = Counter(each.outcome.status.replace("_", " ") for each in results)
    parts = ", ".join(f"{number} {status}" for status, number in statuses.most_common())
    kinds = {kind for _, kind in said}
    worst = next((kind for kind in ("bad", "warning", "good") if kind in kinds), "neutral")
    flash(f"{len(results)} files: {parts}. This list shows them alone.", worst)


def _said(result: Result) -> str:
    outcome = result.outcome
    return f"{outcome.name}: {outcome.status.replace('_', ' ')}. {outcome.message}"


def _place(results: Sequence[Result]) -> str:
    """Return the address of the one file, or of the list of just these."""
    ids = [str(each.outcome.file_id) for each in results]
    if len(ids) == 1:
        return url_for(".show_file", file_id=ids[0])
    wanted: dict[str, Any] = {"id[in]": ",".join(ids), "limit": uploads.MOST}
    return url_for(".show_files", **wanted)
