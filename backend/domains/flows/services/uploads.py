"""Files that people and programs send over HTTP: small ones are imported while they wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
from http import HTTPStatus
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

from backend.core import database, files
from backend.core.config import current_settings
from backend.domains.flows import d0010
from backend.domains.flows.services import imports, outcomes, places, waiting
from backend.domains.flows.services.outcomes import Outcome
from backend.domains.flows.services.receipts import Delivery

LARGEST = 1_000_000_000
MOST = 100  # Files in one request.

STATUSES = {
    "imported": HTTPStatus.CREATED,
    "imported_with_errors": HTTPStatus.CREATED,
    "duplicate": HTTPStatus.OK,
    "quarantined": HTTPStatus.CONFLICT,
    "rejected": HTTPStatus.UNPROCESSABLE_ENTITY,
    "waiting": HTTPStatus.ACCEPTED,
    "failed": HTTPStatus.INTERNAL_SERVER_ERROR,
}


class Upload(NamedTuple):
    """One file as it was sent; its name is whatever the sender says."""

    name: str
    stream: BinaryIO


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who sends, and from where."""

    id: UUID
    email: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one file, and the status of HTTP that says so."""

    outcome: Outcome

    @property
    def status(self) -> int:
        """The answer's status if this file were the only one."""
        return STATUSES[self.outcome.status]

    def as_json(self) -> dict[str, Any]:
        """Return plain values, with the first findings and the ways to the rest."""
        result = self.outcome.as_json(findings=outcomes.FINDINGS_SHOWN)
        links = {"self": f"/api/flows/files/{self.outcome.file_id}"}
        links["findings"] = f"/api/flows/findings?file_id={self.outcome.file_id}"
        links["progress"] = f"{links['self']}/progress"
        return {"http_status": int(self.status), **result, "links": links}


def take_in(uploads: Sequence[Upload], *, sender: Sender, options: d0010.Options) -> list[Result]:
    """Import the files, each by itself; those beyond the limit of a request wait for a job.

    :raises FilesUnavailable: when one cannot be kept, with what became of those before it
    """
    left = current_settings().flows_async_bytes
    results: list[Result] = []
    for upload in uploads:
        size = _size(upload.stream)
        is_flow_file = imports.is_flow_file(upload.stream)
        delivery = _delivery(upload, sender)
        try:
            if size > left and is_flow_file:
                outcome = _accept(upload, delivery, options, size)
            else:
                outcome = imports.import_file(upload.stream, delivery=delivery, options=options)
                left -= size if is_flow_file else min(size, imports.HEAD)
        except files.FilesUnavailable as error:
            error.extensions["data"] = [each.as_json() for each in results]
            raise
        results.append(Result(outcome=outcome))
    return results


def overall(results: Sequence[Result]) -> int:
    """Return the status of an answer about all these files."""
    found = {each.status for each in results}
    return found.pop() if len(found) == 1 else HTTPStatus.MULTI_STATUS


def _accept(upload: Upload, delivery: Delivery, options: d0010.Options, size: int) -> Outcome:
    """Stage the bytes, and only then promise their import."""
    digest = file_digest(upload.stream, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads
    key = places.stage(upload.stream, digest)
    with database.transaction(), places.staged(key):
        file, _ = waiting.add(delivery, options, size=size, place="staged", location=key)
    return Outcome(
        name=file.name,
        status="waiting",
        message="Accepted; it is imported in the background.",
        file_id=file.id,
        size_bytes=size,
        sha256=digest,
    )


def _delivery(upload: Upload, sender: Sender) -> Delivery:
    return Delivery(
        name=upload.name,
        channel="rest",
        actor=sender.email,
        actor_id=sender.id,
        source=sender.address,
        size_limit=LARGEST,
    )


def _size(stream: BinaryIO) -> int:
    stream.seek(0, 2)
    size = stream.tell()
    stream.seek(0)
    return size
