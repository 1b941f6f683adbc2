"""The person behind a request, and the loaders by which domains tell what is known of them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Account:
    """What the keeper of accounts knows of a person at the moment of a request."""

    email: str
    name: str
    roles: frozenset[str]
    is_disabled: bool
    is_revoked: bool
    tokens_valid_after: datetime | None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A person who is signed in. `facts` is what further loaders added."""

    user_id: UUID
    email: str
    name: str
    roles: frozenset[str]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def has(self, role: str) -> bool:
        """Whether the person has the role at this moment."""
        return role in self.roles


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a valid token or cookie says: who, since when, and by which ids it can be revoked."""

    user_id: UUID
    signed_in_at: int
    ids: tuple[UUID, ...]


class Accounts(Protocol):
    """Finds a person's account; `ids` are those by which the token or session may be revoked."""

    def __call__(self, *, user_id: UUID, ids: Collection[UUID]) -> Account | None:
        """Return the account as it is now."""


Loader = Callable[[UUID], Mapping[str, Any]]

_accounts: list[Accounts] = []
_loaders: list[Loader] = []


def register_accounts(accounts: Accounts) -> Accounts:
    """Have every person's account found by this function; the last one registered counts."""
    _accounts[:] = [accounts]
    return accounts


def register_loader(loader: Loader) -> Loader:
    """Have this function add to every identity: `roles` to its roles, the rest to its facts."""
    if loader not in _loaders:
        _loaders.append(loader)
    return loader


def resolve(proof: Proof) -> Identity | None:
    """Return the person as they are now, or none when the proof no longer holds."""
    account = _accounts[0](user_id=proof.user_id, ids=proof.ids)
    if account is None or account.is_disabled or account.is_revoked:
        return None
    valid_after = account.tokens_valid_after
    if valid_after is not None and proof.signed_in_at <= microseconds(valid_after):
        return None
    facts: dict[str, Any] = {}
    roles = set(account.roles)
    for loader in _loaders:
        added = dict(loader(proof.user_id))
        roles |= set(added.pop("roles", ()))
        facts |= added
    return Identity(
        user_id=proof.user_id,
        email=account.email,
        name=account.name,
        roles=frozenset(roles),
        facts=facts,
    )


def microseconds(moment: datetime) -> int:
    """Return the moment as microseconds since 1970, as tokens and cookies carry it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
