"""Idempotency keys: a request that is repeated is answered as it was, and its work done once."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from flask import Flask, Response, make_response, request
from sqlalchemy import DateTime, LargeBinary, SmallInteger, delete, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.auth import required_identity
from backend.core.database import Model, db
from backend.core.errors import Conflict, DomainError, Invalid
from backend.core.outbox import task

LIFETIME = timedelta(hours=48)
LONGEST_KEY = 255
KEPT_HEADERS = ("Content-Type", "ETag", "Location")

View = TypeVar("View", bound=Callable[..., Any])


class IdempotencyKeyMissing(DomainError):
    """This request needs an Idempotency-Key. Send a new random one with each new intention."""

    status = 400


class IdempotencyKeyInvalid(DomainError):
    """The Idempotency-Key cannot be read. Send 1 to 255 visible characters, quoted or bare."""

    status = 400


class IdempotencyKeyReused(Invalid):
    """The Idempotency-Key came before with another body. Send a new key with a new intention."""


class RequestInProgress(Conflict):
    """The first request with this key is still being answered. Repeat it in a second."""

    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class IdempotentAnswer(Model):
    """What was answered to a request with a key; kept in the transaction of its work."""

    __tablename__ = "idempotent_answer"

    principal_id: Mapped[UUID] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


def idempotent(*, is_required: bool = False) -> Callable[[View], View]:
    """Make a view answer a repeated Idempotency-Key with what it answered first.

    The answer is stored in the transaction of the view's own work and for 48 hours; what is
    refused is not stored and is judged anew. Keys of different people and routes never meet.

    :raises IdempotencyKeyMissing: if a key is required and there is none
    :raises IdempotencyKeyReused: if the key came before with another body
    :raises RequestInProgress: if the first request with the key has not ended
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answered_once(*arguments: object, **options: object) -> object:
            key = _key()
            if key is None and is_required:
                raise IdempotencyKeyMissing(errors=[_place("missing")])
            if key is None:
                return view(*arguments, **options)
            claim = _claim(key)
            return _stored(claim) or _store(claim, make_response(view(*arguments, **options)))

        return answered_once  # type: ignore[return-value]  # it takes and gives what the view does

    return decorate


@task("idempotency.sweep", every="53 3 * * *")
def sweep(**_: object) -> int:
    """Remove the answers that have expired, and return how many there were."""
    expired = delete(IdempotentAnswer).where(IdempotentAnswer.expires_at < func.clock_timestamp())
    return db.session.execute(expired).rowcount  # type: ignore[attr-defined, no-any-return]  # a cursor result has it


def _key() -> str | None:
    sent = request.headers.get("Idempotency-Key")
    if sent is None:
        return None
    key = sent[1:-1] if len(sent) > 1 and sent[0] == sent[-1] == '"' else sent
    if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyInvalid(errors=[_place("invalid-value")])
    return key


def _place(code: str) -> dict[str, str]:
    return {"header": "Idempotency-Key", "code": code, "detail": "1 to 255 visible characters"}


def _claim(key: str) -> dict[str, Any]:
    """Hold the key for this transaction; PostgreSQL lets go of it however that ends."""
    principal, route = required_identity().user_id, f"{request.method} {request.path}"
    name = f"{principal}|{route}|{key}"
    got = db.session.scalar(
        text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
    )
    if not got:
        raise RequestInProgress("The first request with this key is still being answered.")
    body = hashlib.sha256((request.mimetype or "").encode() + b"\0" + request.get_data())
    return {"principal_id": principal, "route": route, "key": key, "request_hash": body.digest()}


def _stored(claim: dict[str, Any]) -> Response | None:
    found = db.session.get(IdempotentAnswer, (claim["principal_id"], claim["route"], claim["key"]))
    if found is None or found.expires_at <= _now():
        return None
    if found.request_hash != claim["request_hash"]:
        raise IdempotencyKeyReused(errors=[_place("reused")])
    response = make_response(found.body, found.status, found.headers)
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _store(claim: dict[str, Any], response: Response) -> Response:
    """Keep the answer of work that is about to be committed."""
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        return response
    kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    answer = IdempotentAnswer(
        **claim,
        status=response.status_code,
        headers=kept,
        body=response.get_data(),
        expires_at=_now() + LIFETIME,
    )
    db.session.merge(answer)
    return response


def _now() -> datetime:
    now: datetime = db.session.scalars(select(func.clock_timestamp())).one()
    return now


def init_app(_app: Flask) -> None:
    """Have the table and the task known to every process, whichever views there are."""
