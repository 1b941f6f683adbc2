"""Links by e-mail: promised, sent, used once; the secret part is in the e-mail and nowhere else.

It is derived from the secret key and the link's id at the moment of sending. The table keeps its
SHA-256, and the queue the id alone; a repeated e-mail has the same link.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import delete, func, select, update

from backend.core import audit, formats, mail
from backend.core.config import current_settings
from backend.core.database import db
from backend.core.errors import NotFound
from backend.domains.identity.models import Link, User

INVITATION = "invitation"
PASSWORD_RESET = "password-reset"  # noqa: S105  a purpose

LIVES = {INVITATION: timedelta(days=7), PASSWORD_RESET: timedelta(hours=1)}
PLACES = {INVITATION: "invitations", PASSWORD_RESET: "password-reset"}
EMAILS = Path(__file__).parent.parent / "emails"

# Staff see of an invitation that it has expired; an ended link is of no other use.
KEPT = timedelta(days=30)

IS_OPEN = (Link.used_at.is_(None), Link.expires_at > func.clock_timestamp())


class LinkSpent(NotFound):
    """The link holds no longer: it was used, or is too old. Ask for another one at /password-reset.

    A link also ends when another one of the same person was used.
    """


def promise(*, purpose: str, user_id: UUID | None) -> Link:
    """Return a link whose time runs from now; the caller asks for it to be sent, and adds it."""
    now = _now()
    return Link(purpose=purpose, user_id=user_id, created_at=now, expires_at=now + LIVES[purpose])


def write_letter(*, link_id: UUID) -> mail.Message | None:
    """Return the e-mail with the link, or none when there is nothing to send (any more)."""
    found = db.session.execute(
        select(Link, User)
        .join(User, Link.user_id == User.id)
        .where(Link.id == link_id, Link.sent_at.is_(None), ~User.is_disabled, *IS_OPEN)
    ).one_or_none()
    if found is None:
        return None
    link, user = found
    token = _token(link)
    link.token_hash = _digest(token)
    site = current_settings().public_url
    subject, text = mail.written(
        EMAILS / f"{link.purpose}.txt",
        name=user.name,
        address=f"{site}/{PLACES[link.purpose]}/{token}",
        another=f"{site}/{PLACES[PASSWORD_RESET]}",
        until=formats.local(link.expires_at.replace(second=0, microsecond=0)),
    )
    return mail.Message(message_id=str(link.message_id), to=user.email, subject=subject, text=text)


def mark_sent(message: mail.Message, _answer: None) -> None:
    """Keep that the e-mail was handed over, so that no later run sends it again."""
    sent = (
        update(Link)
        .where(Link.message_id == UUID(message.message_id))
        .values(sent_at=func.clock_timestamp())
    )
    link = db.session.execute(sent.returning(Link.purpose, Link.user_id)).one()
    audit.record(
        action=f"identity.send-{link.purpose}", object_type="person", object_id=link.user_id
    )


def find(*, purpose: str, token: str) -> tuple[UUID, User] | None:
    """Return the link's id and whom it is for, or none when it holds no longer."""
    row = db.session.execute(
        select(Link.id, User)
        .join(User, Link.user_id == User.id)
        .where(
            Link.token_hash == _digest(token),
            Link.purpose == purpose,
            ~User.is_disabled,
            *IS_OPEN,
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def end_all(*, user_id: UUID) -> Collection[UUID]:
    """End every link of the person, and return the ids of those that held until now."""
    ended = update(Link).where(Link.user_id == user_id, *IS_OPEN)
    return db.session.scalars(ended.values(used_at=func.clock_timestamp()).returning(Link.id)).all()


def sweep() -> None:
    """Forget the links that ended long ago."""
    db.session.execute(delete(Link).where(Link.expires_at < func.clock_timestamp() - KEPT))


def _token(link: Link) -> str:
    key = current_settings().secret_key.encode()
    digest = hmac.digest(key, f"identity-link|{link.purpose}|{link.id}".encode(), "sha256")
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _now() -> datetime:
    now: datetime = db.session.execute(select(func.clock_timestamp())).scalar_one()
    return now
