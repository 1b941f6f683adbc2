"""What staff are told by e-mail: files that need a decision, and servers that are barred."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select

from backend.core import audit, mail
from backend.core.auth import people
from backend.core.config import current_settings
from backend.core.database import db
from backend.core.outbox import enqueue
from backend.domains.flows.models import FlowFile, FlowQuarantine

EMAILS = Path(__file__).parent.parent / "emails"
ROLE = "staff"
_MOST = 100  # Files in one message.


def report_quarantine() -> int:
    """Ask for one e-mail to each of the staff about all files that none was told of yet."""
    untold = select(FlowQuarantine).where(FlowQuarantine.told_at.is_(None))
    untold = untold.order_by(FlowQuarantine.file_id).limit(_MOST).with_for_update(skip_locked=True)
    rows = db.session.scalars(untold).all()
    for row in rows:
        row.told_at = func.clock_timestamp()
    if undecided := [row.file_id for row in rows if row.decision is None]:
        _ask({"file_ids": undecided})
    return len(rows)


def report_source(name: str) -> None:
    """Ask for one e-mail to each of the staff about a server that is barred."""
    _ask({"source": name})


def _ask(about: dict[str, Any]) -> None:
    for person in people.with_role(ROLE):
        message_id = uuid4()
        enqueue(
            "flows.tell_staff",
            ref_id=message_id,
            message_id=str(message_id),
            person_id=str(person.id),
            **about,
        )


def write_letter(
    *, message_id: UUID, person_id: UUID, file_ids: list[int], source: str
) -> mail.Message | None:
    """Return the e-mail, or none when its person is gone."""
    person = people.named(ids=[person_id]).get(person_id)
    if person is None or person.is_disabled:
        return None
    query = select(FlowFile).where(FlowFile.id.in_(file_ids)).order_by(FlowFile.id)
    subject, text = mail.written(
        EMAILS / ("source.txt" if source else "quarantine.txt"),
        name=person.name,
        files=db.session.scalars(query).all(),
        source=source,
        site=current_settings().public_url,
    )
    return mail.Message(message_id=str(message_id), to=person.email, subject=subject, text=text)


def mark_sent(message: mail.Message, _answer: None) -> None:
    """Record that the e-mail was sent."""
    audit.record(action="flows.tell-staff", object_type="e-mail", object_id=message.message_id)
