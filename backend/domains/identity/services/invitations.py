"""Invitations: accounts whose people choose a password by a link in an e-mail."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from backend.core import audit
from backend.core.database import db
from backend.core.errors import Conflict
from backend.core.outbox import enqueue
from backend.domains.identity.models import Link, User
from backend.domains.identity.services import links, people


class AlreadyJoined(Conflict):
    """The person has a password already. They can sign in, or reset it at /password-reset."""


class PersonDisabled(Conflict):
    """The person is disabled. Enable them first, and then invite them."""


def invite(*, email: str, name: str, roles: Collection[str], actor_id: UUID | None) -> User:
    """Create an account without a password, and send its person a link to choose one.

    :raises PersonInvalid: naming each field that is not as it should be
    :raises EmailTaken: when the address is somebody's already
    """
    user = people.create(email=email, name=name, roles=roles, password=None, actor_id=actor_id)
    _send(user, actor_id)
    return user


def invite_again(*, user_id: UUID, actor_id: UUID | None) -> User:
    """Send another link, and end those before, to a person who has not chosen a password yet.

    :raises AlreadyJoined: when they have
    :raises PersonDisabled: when they may not come in
    """
    user = people.get(user_id=user_id, is_locked=True)
    if user.password_hash is not None:
        raise AlreadyJoined(f"{user.email} has a password already.")
    if user.is_disabled:
        raise PersonDisabled(f"{user.email} is disabled.")
    links.end_all(user_id=user.id)
    _send(user, actor_id)
    return user


def accept(*, token: str, password: str) -> User:
    """Set the first password of the person for whom the link is, and end the link.

    :raises LinkSpent: when the link holds no longer
    :raises PersonInvalid: when the password is too short or too long
    """
    return people.choose_password(
        purpose=links.INVITATION, token=token, password=password, verb="accept-invitation"
    )


def latest(*, user_id: UUID) -> Link | None:
    """Return the invitation that was sent to the person last, if there is one."""
    return db.session.scalar(
        select(Link)
        .where(Link.user_id == user_id, Link.purpose == links.INVITATION)
        .order_by(Link.created_at.desc())
        .limit(1)
    )


def _send(user: User, actor_id: UUID | None) -> None:
    link = links.promise(purpose=links.INVITATION, user_id=user.id)
    link.message_id = enqueue("identity.send_invitation", ref_id=link.id, link_id=str(link.id))
    db.session.add(link)
    audit.record(
        action="identity.invite", actor_id=actor_id, object_type="person", object_id=user.id
    )
