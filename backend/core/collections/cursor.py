"""Cursors: the sort values of a page's edge, signed, and bound to what they were given for."""

import base64
import hmac
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from backend.core.collections.declaration import Collection, Scope
from backend.core.collections.problems import InvalidQuery
from backend.core.collections.query import Query, SortKey, dumps, short_hash
from backend.core.collections.types import Refused
from backend.core.config import current_settings
from backend.core.errors import DomainError

VERSION = 1
PURPOSE = b"quintet collection cursor"
MAX_LENGTH = 3400
UNREADABLE = "This is no cursor that was given out here."


@dataclass(frozen=True)
class Position:
    """Where a page begins: after (or, going back, before) a row with these sort values.

    Without values it is the very beginning, or going back the very end.
    """

    is_back: bool
    values: tuple[Any, ...] = ()


def write_cursor(
    collection: Collection, query: Query, scope: Scope, *, is_back: bool, texts: list[str | None]
) -> str:
    """Return the cursor for the page next to a row with these sort values."""
    content = {
        "v": VERSION,
        "c": collection.name,
        "d": "p" if is_back else "n",
        "k": texts,
        **bindings(query, scope),
    }
    payload = dumps(content).encode()
    return f"{_encode(payload)}.{_encode(_sign(payload, _keys()[0]))}"


def read_cursor(
    collection: Collection,
    query: Query,
    scope: Scope,
    *,
    refusal: type[DomainError] = InvalidQuery,
    place: dict[str, str] | None = None,
) -> Position | None:
    """Return where the query's cursor points, or none when there is no cursor.

    :raises InvalidQuery: when the cursor is not ours, or was given for something else
    """
    if query.cursor is None:
        return None
    where = place or {"parameter": "cursor"}
    content = _open(query.cursor)
    if content is None or content["v"] != VERSION:
        entry = {"code": "invalid_cursor", "detail": UNREADABLE}
        raise refusal("1 problem", errors=[where | entry])
    names = {"f": "filter or tz", "s": "sort", "u": "caller"}
    given = {"c": collection.name} | bindings(query, scope)
    changed = [names.get(each, "collection") for each in given if given[each] != content[each]]
    if changed:
        detail = f"The cursor was given for another {', '.join(changed)}."
        raise refusal("1 problem", errors=[where | {"code": "cursor_mismatch", "detail": detail}])
    return Position(is_back=content["d"] == "p", values=key_values(query.sort, content["k"]))


def key_values(sort: tuple[SortKey, ...], texts: list[str | None]) -> tuple[Any, ...]:
    """Return the values of sort keys from the texts in which a cursor keeps them."""
    pairs = zip(sort, texts, strict=False)
    return tuple(None if text is None else _value(key, text) for key, text in pairs)


def _value(key: SortKey, text: str) -> Any:
    try:
        return key.column.type.parse(text)
    except Refused:
        # A stored value outside the grammar (an enum's old word) is still a place in the order.
        return text


def bindings(query: Query, scope: Scope) -> dict[str, str]:
    """Return short hashes of what a cursor is bound to."""
    return {**query.hashes, "u": scope_hash(scope)}


def scope_hash(scope: Scope) -> str:
    """Return a short hash of which rows the caller may see."""
    return short_hash([scope.name, scope.values]) if scope.values else _hash_of_name(scope.name)


@lru_cache(maxsize=64)
def _hash_of_name(name: str) -> str:
    return short_hash([name, {}])


def is_readable(cursor: str) -> bool:
    """Whether the cursor was given out here."""
    return _open(cursor) is not None


def _open(cursor: str) -> dict[str, Any] | None:
    """Return the content of a cursor that one of our keys signed, exactly as it was written."""
    payload, signature = (_decode(part) for part in [*cursor.split("."), "", ""][:2])
    if not cursor.isascii() or len(cursor) > MAX_LENGTH or cursor.count(".") != 1:
        return None
    if payload is None or signature is None:
        return None
    genuine = [hmac.compare_digest(_sign(payload, key), signature) for key in _keys()]
    if not any(genuine):
        return None
    content: dict[str, Any] = json.loads(payload)
    return content


def _sign(payload: bytes, key: bytes) -> bytes:
    return hmac.digest(key, payload, "sha256")


def _keys() -> list[bytes]:
    """Return the keys of this purpose: the one that signs, and the one from before a rotation."""
    settings = current_settings()
    return _derived(settings.secret_key, settings.secret_key_previous)


@lru_cache(maxsize=8)
def _derived(*secrets: str) -> list[bytes]:
    return [hmac.digest(secret.encode(), PURPOSE, "sha256") for secret in secrets if secret]


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """Return the bytes, if the text is the one way of writing them."""
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return content if text and _encode(content) == text else None
