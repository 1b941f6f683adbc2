"""What a domain may ask about people whom it knows by id or e-mail alone; one domain answers."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account."""

    id: UUID
    email: str
    name: str
    is_disabled: bool


class Directory(Protocol):
    """Answers what the functions below ask."""

    def find(self, *, email: str) -> Person | None:
        """Return the person with this e-mail address."""

    def named(self, *, ids: Collection[UUID]) -> dict[UUID, Person]:
        """Return the people with these ids, those that exist."""

    def invite(self, *, email: str, name: str, invited_by: UUID | None) -> Person:
        """Return the person with this e-mail address; invite them if there is none."""


_directory: list[Directory] = []


def register(directory: Directory) -> None:
    """Have every question answered by this directory; the last one registered counts."""
    _directory[:] = [directory]


def find(*, email: str) -> Person | None:
    """Return the person with this e-mail address, in whatever case it is written."""
    return _directory[0].find(email=email)


def named(*, ids: Collection[UUID]) -> dict[UUID, Person]:
    """Return the people with these ids; an id that nobody has is left out."""
    return _directory[0].named(ids=ids)


def invite(*, email: str, name: str, invited_by: UUID | None) -> Person:
    """Return the person with this e-mail address; if there is none, invite them by e-mail.

    They can sign in once they have chosen a password, but have an id from now on.

    :raises Invalid: when it is no e-mail address
    """
    return _directory[0].invite(email=email, name=name, invited_by=invited_by)
