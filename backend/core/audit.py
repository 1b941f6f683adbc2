"""The audit log: rows are only ever added, and each carries the hash of the one before it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
from flask import Flask, g, has_app_context
from flask.cli import AppGroup
from sqlalchemy import BigInteger, DateTime, Row, event, func, insert, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, SessionTransaction, mapped_column

from backend.core.database import Model, db

PLATFORM = "platform"
_WAITING = "audit"
_LOCK = 0x41756474  # The first of two numbers; the second one is the chain's.
_START = "0" * 64

commands = AppGroup("audit", help="The audit log.")


class AuditEvent(Model):
    """What somebody did, as ids and states."""

    __tablename__ = "audit_event"
    __table_args__ = ({"info": {"history": True}},)

    chain: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    object_type: Mapped[str | None]
    object_id: Mapped[str | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    request_id: Mapped[str | None]
    previous_hash: Mapped[str]
    hash: Mapped[str]


@dataclass(frozen=True, kw_only=True)
class Break:
    """The first row of a chain that is not as it was written."""

    chain: str
    sequence: int
    reason: str


def record(  # noqa: PLR0913  one for each column
    *,
    action: str,
    actor_id: UUID | None = None,
    object_type: str | None = None,
    object_id: object = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    chain: str = PLATFORM,
) -> None:
    """Add a row to the chain when the present transaction commits, and none if it does not.

    The rows are written as the transaction's last act, so that nobody can hold a chain's lock and
    wait for anything else. `before` and `after` hold ids and states, never personal data.
    """
    session = db.session()
    if not session.in_transaction():
        session.begin()  # Without one, a rollback would not discard the row.
    values = {
        "chain": chain,
        "actor_id": actor_id,
        "action": action,
        "object_type": object_type,
        "object_id": None if object_id is None else str(object_id),
        "before": _plain(before),
        "after": _plain(after),
        "request_id": g.get("request_id") if has_app_context() else None,
    }
    waiting: list[_Waiting] = session.info.setdefault(_WAITING, [])
    waiting.append(_Waiting(values=values, within=_savepoints(session)))


def _plain(state: Mapping[str, Any] | None) -> object:
    """Return the state as JSON gives it back, so that its hash is the same when it is read.

    :raises TypeError: for a float, which the database writes in another way
    """
    if state is None:
        return None
    return json.loads(json.dumps(state, default=str), parse_float=_refuse, parse_constant=_refuse)


def _refuse(number: str) -> object:
    raise TypeError(f"{number} is a float: amounts are recorded as texts or whole numbers")


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    values: dict[str, Any]
    within: tuple[SessionTransaction, ...]


def _savepoints(session: Session) -> tuple[SessionTransaction, ...]:
    found = []
    savepoint = session.get_nested_transaction()
    while savepoint is not None and savepoint.nested:
        found.append(savepoint)
        savepoint = savepoint.parent
    return tuple(found)


@event.listens_for(db.session, "before_commit")
def _write(session: Session) -> None:
    if session.in_nested_transaction() or not session.info.get(_WAITING):
        return
    waiting: list[_Waiting] = session.info.pop(_WAITING)
    session.flush()  # Whatever else this transaction locks, it locks before the chains.
    for chain in sorted({str(each.values["chain"]) for each in waiting}):
        values = [each.values for each in waiting if each.values["chain"] == chain]
        _append(session, chain, values)


@event.listens_for(db.session, "after_soft_rollback")
def _discard(session: Session, ended: SessionTransaction) -> None:
    """Forget what was recorded inside the savepoint, or the transaction, that was undone."""
    if not ended.nested:
        session.info.pop(_WAITING, None)
    elif waiting := session.info.get(_WAITING):
        session.info[_WAITING] = [each for each in waiting if ended not in each.within]


def _append(session: Session, chain: str, events: list[dict[str, Any]]) -> None:
    """Add the rows in one statement: whoever else writes to the chain waits meanwhile."""
    session.execute(
        text("select pg_advisory_xact_lock(:lock, hashtext(:chain))"),
        {"lock": _LOCK, "chain": chain},
    )
    last = session.execute(
        select(AuditEvent.sequence, AuditEvent.hash)
        .where(AuditEvent.chain == chain)
        .order_by(AuditEvent.sequence.desc())
        .limit(1)
    ).first()
    sequence, previous = (last.sequence, last.hash) if last else (0, _START)
    now = session.scalar(select(func.clock_timestamp()))
    rows = []
    for values in events:
        sequence += 1
        row = values | {"sequence": sequence, "occurred_at": now, "previous_hash": previous}
        previous = digest(row)
        rows.append(row | {"hash": previous})
    session.execute(insert(AuditEvent), rows, execution_options={"render_nulls": True})


def digest(row: Mapping[str, Any]) -> str:
    """Return the hash of a row: SHA-256 over its canonical JSON, the previous row's hash in it."""
    content = {key: value for key, value in row.items() if key != "hash"}
    content["occurred_at"] = content["occurred_at"].astimezone(UTC).isoformat()
    content["actor_id"] = None if content["actor_id"] is None else str(content["actor_id"])
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def verify() -> Iterator[Break | tuple[str, int, str]]:
    """Walk every chain; give for each its first broken row, or its name, length and last hash."""
    for chain in db.session.scalars(
        select(AuditEvent.chain).distinct().order_by(AuditEvent.chain)
    ).all():
        yield _verify_chain(chain)


def _verify_chain(chain: str) -> Break | tuple[str, int, str]:
    rows = db.session.execute(
        select(AuditEvent.__table__).where(AuditEvent.chain == chain).order_by(AuditEvent.sequence),
        execution_options={"yield_per": 1000},
    )
    sequence, previous = 0, _START
    for row in rows:
        sequence += 1
        if reason := _fault(row, sequence, previous):
            rows.close()
            return Break(chain=chain, sequence=sequence, reason=reason)
        previous = row.hash
    return chain, sequence, previous


def _fault(row: Row[Any], sequence: int, previous: str) -> str | None:
    if row.sequence != sequence:
        return "it is missing"
    if row.previous_hash != previous:
        return "it does not follow from the row before it"
    return None if row.hash == digest(row._asdict()) else "its content is not what was hashed"


@commands.command("verify")
def verify_command() -> None:
    """Check that no row of the audit log was changed or removed.

    Keep the last hashes elsewhere: rows taken from a chain's end leave no other trace.
    """
    is_broken = False
    for found in verify():
        if isinstance(found, Break):
            is_broken = True
            message = f"chain {found.chain}, row {found.sequence}: {found.reason}"
            click.echo(message, err=True)
        else:
            chain, length, last = found
            click.echo(f"chain {chain}: {length} rows are whole, the last hash is {last}")
    if is_broken:
        raise click.exceptions.Exit(1)


def init_app(app: Flask) -> None:
    """Offer the command."""
    app.cli.add_command(commands)
