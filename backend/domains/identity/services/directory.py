"""What other domains may ask about people, answered for `core.auth.people`."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from backend.core.auth import people as questions
from backend.core.auth.people import Person
from backend.core.database import db
from backend.domains.identity.models import User
from backend.domains.identity.services import invitations, people


class Directory:
    """Finds people for domains that know no more than an id or an address."""

    def find(self, *, email: str) -> Person | None:
        """Return the person with this e-mail address."""
        user = people.find(email=email)
        return _person(user) if user else None

    def named(self, *, ids: Collection[UUID]) -> dict[UUID, Person]:
        """Return the people with these ids, those that exist."""
        found = db.session.scalars(select(User).where(User.id.in_(ids)))
        return {user.id: _person(user) for user in found}

    def invite(self, *, email: str, name: str, invited_by: UUID | None) -> Person:
        """Return the person with this e-mail address; invite them if there is none."""
        user = people.find(email=email) or invitations.invite(
            email=email, name=name, roles=(), actor_id=invited_by
        )
        return _person(user)


def _person(user: User) -> Person:
    return Person(id=user.id, email=user.email, name=user.name, is_disabled=user.is_disabled)


questions.register(Directory())
