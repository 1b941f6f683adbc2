"""Accounts: create them, give and take roles, let in and keep out."""

import unicodedata
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import and_, func, or_, select

from backend.core import audit
from backend.core.database import db
from backend.core.errors import Conflict, Invalid, NotFound
from backend.domains.identity import addresses, passwords
from backend.domains.identity.models import User
from backend.domains.identity.services import links

ROLES = {"staff": "Staff", "underwriter": "Underwriter"}
LONGEST_NAME = 200
# Persian and Indic names are written with them.
JOINERS = dict.fromkeys((0x200C, 0x200D))


class PersonNotFound(NotFound):
    """There is no such person. The list of people shows everybody who has an account."""


class PersonInvalid(Invalid):
    """A person cannot be kept like that. Correct what is named, and send it again."""


class EmailTaken(Conflict):
    """Somebody has that e-mail address already. Find that person, and change their roles there."""


class OwnAccess(Conflict):
    """You cannot take away your own access. Another person on the staff can do it."""


class LastOnStaff(Conflict):
    """Nobody would be left on the staff. Give somebody else that role first."""


def create(
    *, email: str, name: str, roles: Collection[str], password: str | None, actor_id: UUID | None
) -> User:
    """Create an account; without a password nobody can sign in to it yet.

    :raises PersonInvalid: naming each field that is not as it should be
    :raises EmailTaken: when the address is somebody's already
    """
    address, own_name = addresses.normalised(email), _name(name)
    errors = _role_errors(roles) + (password_errors(password) if password is not None else [])
    if address is None:
        errors.append(_error("/email", "email-invalid", "It should look like ada@example.com."))
    if own_name is None:
        errors.append(
            _error(
                "/name",
                "name-invalid",
                f"It has 1 to {LONGEST_NAME} characters, none of which is invisible.",
            )
        )
    if address is None or own_name is None or errors:
        raise PersonInvalid("The person cannot be kept like that.", errors=errors)
    if find(email=address):
        raise EmailTaken(f"{address} has an account already.")
    kept = None if password is None else passwords.hashed(password)
    user = User(email=address, name=own_name, roles=sorted(set(roles)), password_hash=kept)
    db.session.add(user)
    db.session.flush()
    _record("create", user, actor_id, after={"roles": user.roles})
    return user


def find(*, email: str) -> User | None:
    """Return the person with that e-mail address, in whatever case it is written."""
    address = addresses.normalised(email)
    if address is None:
        return None
    return db.session.scalar(select(User).where(func.lower(User.email) == address))


def get(*, user_id: UUID, is_locked: bool = False) -> User:
    """Return the person, locked until the transaction ends if that is asked for.

    :raises PersonNotFound: when nobody has that id
    """
    user = db.session.get(User, user_id, with_for_update=is_locked, populate_existing=is_locked)
    if user is None:
        raise PersonNotFound(f"Nobody has the id {user_id}.")
    return user


def get_by_email(*, email: str) -> User:
    """Return the person with that e-mail address.

    :raises PersonNotFound: when nobody has it
    """
    user = find(email=email)
    if user is None:
        raise PersonNotFound(f"Nobody has the e-mail address {email}.")
    return user


def page(*, search: str = "", after: str = "", size: int = 50) -> tuple[Sequence[User], str | None]:
    """Return people by e-mail address, and where the next page begins, if there is one.

    `search` is the beginning of an address, `after` the address that ended the page before.
    """
    query = select(User).where(User.email > after).order_by(User.email).limit(size + 1)
    if search:
        query = query.where(User.email.startswith(search.strip().lower(), autoescape=True))
    found = db.session.scalars(query).all()
    return found[:size], found[size - 1].email if len(found) > size else None


def change_roles(*, user_id: UUID, roles: Collection[str], actor_id: UUID | None) -> User:
    """Give the person these roles and no others, from their next request on.

    :raises PersonInvalid: when a role is unknown
    :raises OwnAccess: when a person takes the staff role from themselves
    :raises LastOnStaff: when nobody would be left
    """
    if errors := _role_errors(roles):
        raise PersonInvalid("There is no such role.", errors=errors)
    user, others = _lock(user_id)
    before = list(user.roles)
    if "staff" in before and "staff" not in roles:
        _check_access_can_end(user, others, actor_id)
    user.roles = sorted(set(roles))
    if user.roles != before:
        _record("change-roles", user, actor_id, {"roles": before}, {"roles": user.roles})
    return user


def disable(*, user_id: UUID, actor_id: UUID | None) -> User:
    """Keep the person out, at once and until they are enabled again.

    :raises OwnAccess: when it is the person themselves
    :raises LastOnStaff: when nobody would be left
    """
    user, others = _lock(user_id)
    _check_access_can_end(user, others, actor_id)
    if not user.is_disabled:
        user.is_disabled = True
        links.end_all(user_id=user.id)
        _end_sessions(user)
        _record("disable", user, actor_id, {"is_disabled": False}, {"is_disabled": True})
    return user


def enable(*, user_id: UUID, actor_id: UUID | None) -> User:
    """Let the person in again; what they were signed in with before stays ended."""
    user, _ = _lock(user_id)
    if user.is_disabled:
        user.is_disabled = False
        _record("enable", user, actor_id, {"is_disabled": True}, {"is_disabled": False})
    return user


def end_sessions(*, user_id: UUID, actor_id: UUID | None) -> User:
    """Sign the person out everywhere."""
    user, _ = _lock(user_id)
    _end_sessions(user)
    _record("end-sessions", user, actor_id)
    return user


def reset_password(*, user_id: UUID, password: str, actor_id: UUID | None) -> User:
    """Give the person another password, and sign them out everywhere.

    :raises PersonInvalid: when it is too short or too long
    """
    kept = _hashed(password)
    user, _ = _lock(user_id)
    links.end_all(user_id=user.id)
    _replace_password(user, kept)
    _record("reset-password", user, actor_id)
    return user


def choose_password(*, purpose: str, token: str, password: str, verb: str) -> User:
    """Set the password that a person chose by a link, which is used up, as all of theirs are.

    :raises LinkSpent: when the link holds no longer
    :raises PersonInvalid: when the password is too short or too long
    """
    found = links.find(purpose=purpose, token=token)
    if found is None:
        raise links.LinkSpent
    link_id, reader = found
    kept = _hashed(password)
    user, _ = _lock(reader.id)
    # Of two requests with one link, the second has waited here for the first.
    if link_id not in links.end_all(user_id=user.id) or user.is_disabled:
        raise links.LinkSpent
    _replace_password(user, kept)
    _record(verb, user, user.id)
    return user


def password_errors(password: str) -> list[dict[str, str]]:
    """Return what keeps it from being a password, nothing if it can be one."""
    if passwords.SHORTEST <= len(password) <= passwords.LONGEST:
        return []
    limits = f"It needs {passwords.SHORTEST} to {passwords.LONGEST} characters."
    return [_error("/password", "password-length", limits)]


def _hashed(password: str) -> str:
    if errors := password_errors(password):
        raise PersonInvalid("The password cannot be used.", errors=errors)
    return passwords.hashed(password)


def _replace_password(user: User, kept: str) -> None:
    user.password_hash = kept
    _end_sessions(user)


def _lock(user_id: UUID) -> tuple[User, list[User]]:
    """Lock the person, and all who are on the staff: two may not remove each other at once."""
    is_on_staff = and_(
        User.roles.contains(["staff"]), ~User.is_disabled, User.password_hash.is_not(None)
    )
    query = select(User).where(or_(User.id == user_id, is_on_staff)).order_by(User.id)
    found = db.session.scalars(
        query.with_for_update(), execution_options={"populate_existing": True}
    ).all()
    user = next((each for each in found if each.id == user_id), None)
    if user is None:
        raise PersonNotFound(f"Nobody has the id {user_id}.")
    return user, [each for each in found if each is not user]


def _check_access_can_end(user: User, others: list[User], actor_id: UUID | None) -> None:
    if user.id == actor_id:
        raise OwnAccess("You cannot disable yourself, or leave the staff, on your own.")
    if "staff" in user.roles and user.state == "enabled" and not others:
        raise LastOnStaff(f"{user.email} is the last person on the staff.")


def _end_sessions(user: User) -> None:
    """End them by the clock of sign-ins, read while the row is locked: none slips through."""
    user.tokens_valid_after = db.session.scalar(select(func.clock_timestamp()))


def _record(
    verb: str,
    user: User,
    actor_id: UUID | None,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit.record(
        action=f"identity.{verb}",
        actor_id=actor_id,
        object_type="person",
        object_id=user.id,
        before=before,
        after=after,
    )


def _name(name: str) -> str | None:
    found = " ".join(unicodedata.normalize("NFC", name).split())
    visible = found.translate(JOINERS)
    is_printable = visible.isprintable() and visible and len(found) <= LONGEST_NAME
    return found if is_printable else None


def _role_errors(roles: Collection[str]) -> list[dict[str, str]]:
    known = " and ".join(ROLES)
    return [
        _error("/roles", "role-unknown", f"There is no role {role!r}; there are {known}.")
        for role in sorted(set(roles) - ROLES.keys())
    ]


def _error(pointer: str, code: str, detail: str) -> dict[str, str]:
    return {"pointer": pointer, "code": code, "detail": detail}
