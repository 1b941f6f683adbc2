"""Signing in and out: what is given for a password, what replaces a token, what no longer holds."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert

from backend.core import audit, auth
from backend.core.auth import tokens
from backend.core.auth.identities import Account, microseconds
from backend.core.database import aside, db
from backend.core.errors import Unauthenticated
from backend.domains.identity import passwords
from backend.domains.identity.models import RefreshToken, Revocation, User
from backend.domains.identity.services import people

# However often its refresh tokens are used, a sign-in ends after this time.
LONGEST = timedelta(days=30)


class RefreshRefused(Unauthenticated):
    """The refresh token was used before, so its whole family was ended. Sign in again."""


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """Somebody gave the right password at that moment (microseconds since 1970)."""

    user_id: UUID
    session_id: UUID
    signed_in_at: int


def sign_in(*, email: str, password: str, door: str) -> SignIn | None:
    """Check the password; return none when it, the address or the account does not hold.

    Nothing in the answer, nor the time that it takes, tells which of them it was.
    """
    found = people.find(email=email)
    kept = found.password_hash if found else None
    is_right = passwords.matches(kept, password)
    user = _locked(found) if found and is_right else None
    if user is None or user.is_disabled or user.password_hash != kept:
        _record_refusal(found.id if found else None, door)
        return None
    if passwords.is_outdated(kept or ""):
        user.password_hash = passwords.hashed(password)
    _forget_expired(user.id)
    result = SignIn(
        user_id=user.id, session_id=uuid4(), signed_in_at=microseconds(_database_clock())
    )
    audit.record(
        action="identity.sign-in",
        actor_id=user.id,
        object_type="session",
        object_id=result.session_id,
        after={"door": door},
    )
    return result


def open_family(*, signed_in: SignIn) -> tokens.Pair:
    """Return the first access and refresh token of a sign-in."""
    return _issue(signed_in.user_id, signed_in.session_id, signed_in.signed_in_at)


def refresh(*, presented: tokens.Presented) -> tokens.Pair:
    """Replace the refresh token, which is used up by that, with a new pair of the same family.

    Of two requests with the same token the second waits for the first, and is then a reuse like
    any other: it may be a thief's, and nobody can tell which of the two was.

    :raises RefreshRefused: when the token was used before; its family is ended by that
    """
    kept = db.session.get(RefreshToken, presented.hash, with_for_update=True)
    if kept is None or kept.used_at is not None:
        aside(lambda: _end_reused(presented))
        raise RefreshRefused("The refresh token was used before.")
    kept.used_at = _database_clock()
    return _issue(kept.user_id, presented.family, presented.proof.signed_in_at)


def sign_out(*, session_id: UUID, user_id: UUID) -> None:
    """Refuse from now on what belongs to this session: a page's cookie, or a family's tokens."""
    _revoke(session_id)
    audit.record(
        action="identity.sign-out",
        actor_id=user_id,
        object_type="session",
        object_id=session_id,
    )


def sweep() -> None:
    """Forget the tokens and the revocations that have expired."""
    now = func.clock_timestamp()
    db.session.execute(delete(RefreshToken).where(RefreshToken.expires_at < now))
    db.session.execute(delete(Revocation).where(Revocation.expires_at < now))


@auth.register_accounts
def find_account(*, user_id: UUID, ids: Collection[UUID]) -> Account | None:
    """Return the account, and whether one of these ids was revoked, in one query."""
    is_revoked = exists().where(Revocation.id.in_(ids)).label("is_revoked")
    row = db.session.execute(
        select(
            User.email,
            User.name,
            User.roles,
            User.is_disabled,
            User.tokens_valid_after,
            is_revoked,
        ).where(User.id == user_id)
    ).first()
    if row is None:
        return None
    return Account(
        email=row.email,
        name=row.name,
        roles=frozenset(row.roles),
        is_disabled=row.is_disabled,
        is_revoked=row.is_revoked,
        tokens_valid_after=row.tokens_valid_after,
    )


def _locked(user: User) -> User | None:
    """Read the person once more, so that a password that is being reset is waited for."""
    return db.session.get(User, user.id, with_for_update=True, populate_existing=True)


def _issue(user_id: UUID, family: UUID, signed_in_at: int) -> tokens.Pair:
    now = _database_clock()
    age = timedelta(microseconds=microseconds(now) - signed_in_at)
    pair = tokens.issue(
        user_id=user_id,
        family=family,
        signed_in_at=signed_in_at,
        expires_at=now + min(tokens.REFRESH_TOKEN_AGE, LONGEST - age),
    )
    db.session.add(
        RefreshToken(
            token_hash=pair.refresh_hash,
            family=family,
            user_id=user_id,
            expires_at=pair.refresh_expires_at,
        )
    )
    return pair


def _end_reused(presented: tokens.Presented) -> None:
    _revoke(presented.family)
    audit.record(
        action="identity.refuse-reused-token",
        actor_id=presented.proof.user_id,
        object_type="session",
        object_id=presented.family,
    )


def _revoke(revoked: UUID) -> None:
    """Nothing that carries the id outlives the longest sign-in, so the list stays short."""
    now = _database_clock()
    db.session.execute(delete(Revocation).where(Revocation.expires_at < now))
    row = insert(Revocation).values(id=revoked, expires_at=now + LONGEST)
    db.session.execute(row.on_conflict_do_nothing())


def _forget_expired(user_id: UUID) -> None:
    db.session.execute(
        delete(RefreshToken).where(
            RefreshToken.user_id == user_id, RefreshToken.expires_at < func.now()
        )
    )


def _record_refusal(user_id: UUID | None, door: str) -> None:
    """Known or not, an address costs one row: the answer takes as long for both."""
    aside(
        lambda: audit.record(
            action="identity.refuse-sign-in",
            object_type="person",
            object_id=user_id,
            after={"door": door},
        )
    )


def _database_clock() -> datetime:
    """Return the time of the one clock that all processes share: sign-in and end are compared."""
    now: datetime = db.session.execute(select(func.clock_timestamp())).scalar_one()
    return now
