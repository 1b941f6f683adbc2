"""Forgotten passwords: a link by e-mail, for whoever reads the person's mail."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from backend.core import audit
from backend.core.database import db
from backend.core.outbox import enqueue
from backend.domains.identity.models import Link, User
from backend.domains.identity.services import links, people

# However often somebody asks in a person's name, the person's letter box stays usable.
MOST = 3
PERIOD = timedelta(hours=1)

NOBODY = UUID(int=0)


def request(*, email: str) -> None:
    """Send a link to choose another password, if somebody with that address may sign in.

    Whether there is somebody shows neither in the answer nor in the time that it takes: the same
    rows are written for both, and a link of nobody is not sent.
    """
    user = people.find(email=email)
    asked = _recent(user.id if user else NOBODY)
    is_sent = user is not None and not user.is_disabled and asked < MOST
    link = links.promise(
        purpose=links.PASSWORD_RESET, user_id=user.id if user and is_sent else None
    )
    link.message_id = enqueue("identity.send_password_reset", ref_id=link.id, link_id=str(link.id))
    db.session.add(link)
    audit.record(
        action="identity.request-password-reset",
        object_type="person",
        object_id=user.id if user else None,
    )


def reset(*, token: str, password: str) -> User:
    """Set another password for the person for whom the link is, and sign them out everywhere.

    :raises LinkSpent: when the link holds no longer
    :raises PersonInvalid: when the password is too short or too long
    """
    return people.choose_password(
        purpose=links.PASSWORD_RESET, token=token, password=password, verb="reset-own-password"
    )


def _recent(user_id: UUID) -> int:
    """Return how many links were asked for in the name of this person lately."""
    recent = select(func.count()).where(
        Link.user_id == user_id,
        Link.purpose == links.PASSWORD_RESET,
        Link.created_at > func.clock_timestamp() - PERIOD,
    )
    return db.session.execute(recent).scalar_one()
