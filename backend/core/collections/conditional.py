"""Conditional requests: tags that change with every write the caller could notice."""

import hashlib
from typing import Any

from flask import Response, request
from werkzeug.http import quote_etag

from backend.core.collections.cursor import scope_hash
from backend.core.collections.declaration import Collection, Scope
from backend.core.collections.query import dumps
from backend.core.config import current_settings

CACHE_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}


def weak_tag(
    collection: Collection, scope: Scope, revision: int, canonical: Any, media: str
) -> str:
    """Return the tag of an answer: what was asked, by whom, of which state, in which form."""
    parts = [
        current_settings().build_id,
        collection.name,
        revision,
        canonical,
        media,
        scope_hash(scope),
    ]
    return hashlib.sha256(dumps(parts).encode()).hexdigest()[:32]


def is_known(tag: str) -> bool:
    """Whether the caller says that they have the answer with this tag."""
    return request.if_none_match.contains_weak(tag) or bool(request.if_none_match.star_tag)


def asks_conditionally() -> bool:
    """Whether the caller has an answer that may still hold."""
    return bool(request.headers.get("If-None-Match"))


def tag_headers(tag: str | None, *, weak: bool = True) -> dict[str, str]:
    """Return the headers of an answer's tag, and of what caches may do with it."""
    return CACHE_HEADERS if tag is None else CACHE_HEADERS | {"ETag": quote_etag(tag, weak=weak)}


def not_modified(tag: str, *, weak: bool = True) -> Response:
    """Return the answer that says: what you have still holds."""
    return Response(status=304, headers=tag_headers(tag, weak=weak))


def tagged(response: Response, tag: str | None, *, weak: bool = True) -> Response:
    """Return the answer with its tag and what caches may do with it."""
    response.headers.update(tag_headers(tag, weak=weak))
    return response
