"""Files that somebody has to look at: released into the import, discarded, or processed again."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select

from backend.core import audit
from backend.core.database import db
from backend.core.errors import Conflict, Invalid
from backend.core.outbox import enqueue
from backend.domains.flows.models import FlowFile, FlowQuarantine, FlowWaiting
from backend.domains.flows.services import archive, files, imports, messages, receipts, waiting
from backend.domains.flows.services.outcomes import Outcome
from backend.domains.flows.services.receipts import Delivery

REPEATABLE = ("imported_with_errors", "rejected", "failed")
UNDECIDED = ("quarantined", "rejected", "failed")
DECISIONS = {"release": "released", "discard": "discarded"}
LONGEST_REASON = 500
_INSTEAD = {
    "waiting": "Wait until its import has ended.",
    "running": "Wait until its import has ended.",
    "imported": "All of it is there, and nothing is left to do.",
    "duplicate": "Look at the file that it is the same as.",
    "quarantined": "Release or discard this one.",
}


class NotInQuarantine(Conflict):
    """The file waits for no decision. Look at it again: somebody may have decided meanwhile."""


class ReasonMissing(Invalid):
    """A decision needs its reason. Write in a sentence why the file is released or discarded."""


class ReasonTooLong(Invalid):
    """The reason is too long to be kept. Say in fewer words why you decide so."""


class NotRepeatable(Conflict):
    """The file cannot be processed again. Only files that ended with errors can."""


class OriginalGone(Conflict):
    """The original of the file is no longer kept. Ask its sender for the file, and import it."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who decides: a person, or whoever is at the command line."""

    id: UUID | None
    name: str


def decision(file_id: int) -> FlowQuarantine | None:
    """Return what is known of a file in quarantine, or None when it was never there."""
    return db.session.get(FlowQuarantine, file_id)


def release(*, file_id: int, reason: str, actor: Actor) -> None:
    """Have a conflicting re-send imported beside the file that it contradicts.

    :raises NotInQuarantine: when there is nothing to decide
    :raises ReasonMissing: without a reason
    :raises ReasonTooLong: when it cannot be kept as a whole
    :raises OriginalGone: when its bytes are no longer there
    """
    file = _decide(file_id, "release", reason, actor)
    if file.status != "quarantined":
        raise NotInQuarantine(
            f"File {file_id} is {file.status}, and only one in quarantine can be released."
            " Discard it, or process it again."
        )
    _require_original(file)
    _begin_anew(file)
    waiting.ask(file, place="archive", location=file.archive_key or "", is_released=True)


def discard(*, file_id: int, reason: str, actor: Actor) -> None:
    """Leave the file out for good; it stays in the list with its reason.

    :raises NotInQuarantine: when there is nothing to decide
    :raises ReasonMissing: without a reason
    :raises ReasonTooLong: when it cannot be kept as a whole
    """
    file = _decide(file_id, "discard", reason, actor)
    if file.status == "quarantined":  # Whatever else it is, its message still says why.
        file.message = messages.DISCARDED


def is_repeatable(file: FlowFile) -> bool:
    """Return whether a file ended with errors, and its bytes are somewhere."""
    is_kept = file.archive_key is not None or waiting.find(file.id) is not None
    return file.status in REPEATABLE and is_kept


def ask_again(*, file_id: int, options: dict[str, bool], actor: Actor) -> None:
    """Ask for a file that ended with errors to be processed again, with some options changed.

    :raises NotRepeatable: when it did not end with errors
    :raises OriginalGone: when its bytes are no longer there
    """
    file = _repeatable(file_id)
    audit.record(
        action="flows.ask-reprocess",
        actor_id=actor.id,
        object_type="flow-file",
        object_id=file_id,
        before={"status": file.status},
        after=options,
    )
    row = waiting.find(file_id)
    if row is not None:
        _begin_anew(file)
        file.options = asdict(waiting.options_of(file, **options))
        waiting.ask_again(file, row)
        return
    actor_id = str(actor.id) if actor.id else None
    enqueue("flows.reprocess", file_id=file_id, options=options, actor_id=actor_id)


def repeat(*, file_id: int, options: dict[str, bool], actor_id: UUID | None) -> None:
    """Do what was asked for with `ask_again`, unless that is done.

    :raises NotImported: when it failed, and is to be tried again
    """
    if files.one(file_id).status in REPEATABLE:
        actor = Actor(id=actor_id, name="")
        outcome = process_again(file_id=file_id, options=options, actor=actor)
        if outcome.status == "failed":
            raise waiting.NotImported(outcome.message)


def process_again(*, file_id: int, options: dict[str, bool], actor: Actor) -> Outcome:
    """Replace all that the file brought by what it brings now, in one step.

    If it is refused now, what was there stays. It opens a transaction of its own.

    :raises NotRepeatable: when it did not end with errors
    :raises OriginalGone: when its bytes are no longer there
    """
    file = _repeatable(file_id)
    _require_original(file)
    delivery = Delivery(
        name=file.name,
        channel=file.channel,
        actor=actor.name,
        actor_id=actor.id,
        receipt_id=file_id,
        is_again=True,
        is_released=file.conflicts_with_id is not None,
    )
    rules = waiting.options_of(file, **options)
    with archive.original(file) as stream:
        return imports.import_file(stream, delivery=delivery, options=rules)


def _decide(file_id: int, what: str, reason: str, actor: Actor) -> FlowFile:
    reason = reason.strip()
    if not reason:
        raise ReasonMissing
    if len(reason) > LONGEST_REASON:
        raise ReasonTooLong(
            f"The reason has {len(reason)} characters, and {LONGEST_REASON} can be kept."
            " Say it in fewer words."
        )
    file, row = _undecided(file_id)
    row.decision, row.reason = DECISIONS[what], reason
    row.decided_at, row.decided_by_id, row.decided_by = datetime.now(UTC), actor.id, actor.name
    audit.record(
        action=f"flows.{what}",
        actor_id=actor.id,
        object_type="flow-file",
        object_id=file_id,
        before={"status": file.status},
        after={"decision": row.decision},
    )
    return file


def _undecided(file_id: int) -> tuple[FlowFile, FlowQuarantine]:
    """Return a file that waits for its decision, and keep others from importing it meanwhile."""
    file = files.one(file_id)
    try:
        receipts.hold(file_id)
    except receipts.InOtherHands:
        raise NotInQuarantine(
            f"File {file_id} is being imported just now. Look at it again in a while."
        ) from None
    db.session.refresh(file)
    query = select(FlowQuarantine).where(
        FlowQuarantine.file_id == file_id, FlowQuarantine.decision.is_(None)
    )
    row = db.session.scalars(query.with_for_update()).one_or_none()
    if row is None or file.status not in UNDECIDED:
        raise NotInQuarantine(
            f"Nothing is to be decided about file {file_id}, which is {_status(file)}."
            " Look at it again: somebody may have decided meanwhile."
        )
    return file, row


def _begin_anew(file: FlowFile) -> None:
    """Have the file say nothing of how it ended before."""
    file.message, file.finished_at = "", None


def _status(file: FlowFile) -> str:
    return file.status.replace("_", " ")


def _repeatable(file_id: int) -> FlowFile:
    file = files.one(file_id)
    if file.status not in REPEATABLE:
        raise NotRepeatable(
            f"File {file_id} is {_status(file)}, and only files that ended with errors are"
            f" processed again. {_INSTEAD[file.status]}"
        )
    if db.session.get(FlowWaiting, file_id) is None:
        _require_original(file)
    return file


def _require_original(file: FlowFile) -> None:
    try:
        archive.original(file).close()
    except FileNotFoundError:
        raise OriginalGone(
            f"The original of file {file.id} is no longer kept."
            " Ask its sender for the file, and import it."
        ) from None
