"""Answers: the envelope around rows, and links to the pages beside."""

from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote_plus

from backend.core.collections.pages import Page
from backend.core.collections.query import dumps

# What stays readable in a link: RFC 8288 needs `<` and `>` away, RFC 3986 the brackets.
SAFE = "-._~,:!'()*"
SAFE_IN_BODY = SAFE + "[]"
UNTOUCHED = SAFE + "%&=+/;@?$"
PAGING = {"cursor", "page"}


def list_body(page: Page) -> str:
    """Return a list's answer as JSON; the rows come rendered from the database."""
    place: dict[str, Any] = {"limit": page.query.limit, "next": page.next, "prev": page.prev}
    place["has_more"] = page.has_more
    if page.query.page is not None:
        place |= {"number": page.query.page, "pages": page.pages}
    meta = {"count": page.count, "count_kind": page.count_kind}
    told = dumps(meta | {"notices": list(page.query.notices)})[:-1]
    data, applied = ",".join(page.texts), page.query.applied_text
    return f'{{"data":[{data}],"page":{dumps(place)},"meta":{told},"applied":{applied}}}}}\n'


def record_body(text: str, applied: dict[str, Any]) -> str:
    """Return a record's answer as JSON."""
    return f'{{"data":{text},"meta":{dumps({"applied": applied})}}}\n'


def links(path: str, query_string: str, page: Page) -> str:
    """Return the Link header: root-relative, so that no forged host gets into it."""
    kept = _kept(query_string)
    found: dict[str, list[tuple[str, str]]] = {}
    number, pages = page.query.page, page.pages
    if number is None:
        found["next"] = [("cursor", page.next)] if page.next else []
        found["prev"] = [("cursor", page.prev)] if page.prev else []
        targets = {name: extra for name, extra in found.items() if extra} | {"first": []}
    else:
        numbers = {
            "next": number + 1 if page.has_more else None,
            "prev": number - 1 if number > 1 else None,
            "first": 1,
            "last": max(pages, 1) if pages is not None else None,
        }
        targets = {rel: [("page", str(n))] for rel, n in numbers.items() if n}
    return ", ".join(
        f'<{path}?{"&".join([*kept, *(f"{n}={v}" for n, v in extra)])}>; rel="{rel}"'.replace(
            "?>", ">"
        )
        for rel, extra in targets.items()
    )


@lru_cache(maxsize=512)
def _kept(query_string: str) -> tuple[str, ...]:
    """Return the parameters as they came, without those that name a page."""
    safe = quote(query_string, safe=UNTOUCHED)
    pieces = [piece for piece in safe.split("&") if piece]
    return tuple(each for each in pieces if unquote_plus(each.partition("=")[0]) not in PAGING)


def address(path: str, pairs: list[tuple[str, str]], *, safe: str = SAFE) -> str:
    """Return the path with these parameters."""
    query = written(pairs, safe=safe)
    return f"{path}?{query}" if query else path


def written(pairs: list[tuple[str, str]], *, safe: str = SAFE) -> str:
    """Return the parameters as a query string."""
    return "&".join(f"{quote(name, safe=safe)}={quote(value, safe=safe)}" for name, value in pairs)
