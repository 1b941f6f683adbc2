"""Read the query string of a list or of one record; every mistake in it is found in one pass."""

from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from backend.core.collections.cursor import UNREADABLE, is_readable
from backend.core.collections.declaration import Collection
from backend.core.collections.filters import read_filters
from backend.core.collections.grammar import Given, gather, read_list, read_pairs
from backend.core.collections.order import read_sort
from backend.core.collections.problems import InvalidQuery, Mistakes, nearest
from backend.core.collections.query import Query, with_key
from backend.core.collections.times import Timestamp
from backend.core.collections.types import Refused

LIST_WORDS = frozenset(
    ("sort", "order", "fields", "include", "limit", "cursor", "page", "count", "format", "tz")
)
RECORD_WORDS = frozenset(("fields", "include"))
FORMATS = ("json", "csv", "ndjson")
COUNTS = ("capped", "exact", "estimate", "none")
MAX_NUMBER_LENGTH = 9


def parse_list(collection: Collection, query_string: str, media: str = "") -> Query:
    """Return what a list's query string asks for; `media` is the Accept header's choice.

    :raises InvalidQuery: with every mistake in the query string
    """
    query: Query = _cached(_parse_list, collection, query_string, media)
    return query


def parse_record(collection: Collection, query_string: str) -> Query:
    """Return what one record's query string asks for.

    :raises InvalidQuery: with every mistake in the query string
    """
    query: Query = _cached(_parse_record, collection, query_string)
    return query


@lru_cache(maxsize=512)
def _cached(parse: Any, *arguments: Any) -> Any:
    # A query string always means the same; errors are raised anew, since they are not cached.
    return parse(*arguments)


def _parse_list(collection: Collection, query_string: str, media: str) -> Query:
    mistakes = Mistakes()
    given = read_given(collection, query_string, mistakes)
    reserved = {name: given.pop(name) for name in LIST_WORDS & set(given)}
    conditions = read_filters(collection, list(given.values()), LIST_WORDS, mistakes)
    words = Words(collection, reserved, mistakes)
    form = words.choice("format", FORMATS) or media or "json"
    fields, nested = words.fields()
    limit, notices = words.limit(is_export=form != "json")
    query = Query(
        conditions=tuple(conditions),
        sort=with_key(collection, read_sort(collection, reserved, mistakes)),
        fields=fields,
        nested=nested,
        limit=limit,
        is_limited="limit" in reserved,
        page=words.page(limit),
        cursor=words.one("cursor"),
        count=words.choice("count", COUNTS) or "capped",
        format=form,
        tz=words.tz([each for each in conditions if isinstance(each.column.type, Timestamp)]),
        notices=notices,
    )
    words.check_paging(is_export=form != "json")
    is_cursor = form == "json" and query.cursor is not None
    if mistakes and is_cursor and not is_readable(query.cursor or ""):
        words.note("cursor", "invalid_cursor", UNREADABLE)
    mistakes.check()
    return query


def _parse_record(collection: Collection, query_string: str) -> Query:
    mistakes = Mistakes()
    given = read_given(collection, query_string, mistakes)
    reserved = {name: given.pop(name) for name in RECORD_WORDS & set(given)}
    for each in given.values():
        known = each.parts()[0] in {*collection.columns, *LIST_WORDS}
        mistakes.add(
            each.name,
            "not_applicable" if known else "unknown_parameter",
            "A single record takes fields and include alone.",
            at=each.at,
            allowed=sorted(RECORD_WORDS),
            suggestion=nearest(each.name, RECORD_WORDS),
        )
    fields, nested = Words(collection, reserved, mistakes).fields()
    mistakes.check()
    return Query(fields=fields, nested=nested)


def read_given(collection: Collection, query_string: str, mistakes: Mistakes) -> dict[str, Given]:
    """Return the parameters by name.

    :raises InvalidQuery: when the query string is too long to be looked at
    """
    most = collection.limits.query_string
    if len(query_string) > most:
        mistakes.add("", "query_too_long", f"At most {most} characters of query; use :search.")
        mistakes.check(InvalidQuery)
    return gather(read_pairs(query_string, mistakes))


class Words:
    """The reserved parameters of a request, each read with its own rules."""

    def __init__(self, collection: Collection, given: dict[str, Given], mistakes: Mistakes) -> None:
        self.collection = collection
        self.given = given
        self.mistakes = mistakes

    def note(self, name: str, code: str, detail: str, **more: Any) -> None:
        """Note a mistake in the named parameter."""
        self.mistakes.add(name, code, detail, at=self.given[name].at, **more)

    def one(self, name: str) -> str | None:
        """Return the value of a parameter that may be given once."""
        given = self.given.get(name)
        if given is None:
            return None
        if len(given.values) > 1:
            self.note(name, "duplicate_parameter", f"Given {len(given.values)} times.")
            return None
        return given.values[0]

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """Return the value of a parameter that is one of a few words."""
        value = self.one(name)
        if value is None or value in allowed:
            return value
        near = nearest(value, allowed)
        detail = f"One of {', '.join(allowed)} is expected."
        self.note(name, "invalid_value", detail, allowed=allowed, suggestion=near)
        return None

    def items(self, name: str, most: int) -> list[str]:
        """Return the items of a list parameter, each at most once."""
        given = self.given.get(name)
        if given is None:
            return []
        try:
            items = read_list(given.values)
        except Refused as refused:
            self.note(name, refused.code, refused.detail)
            return []
        if len(items) > most:
            self.note(name, "too_many_items", f"At most {most} items.")
        if len(set(items)) < len(items):
            twice = next(each for each in items if items.count(each) > 1)
            self.note(name, "duplicate_item", f"{twice[:80]} is given twice.")
        return items

    def number(self, name: str) -> int | None:
        """Return the value of a parameter that counts from one."""
        value = self.one(name)
        if value is None:
            return None
        is_number = value.isascii() and value.isdigit() and len(value) <= MAX_NUMBER_LENGTH
        if not is_number or int(value) == 0:
            self.note(name, "invalid_value", "A number from 1 up is expected, in digits alone.")
            return None
        return int(value)

    def limit(self, *, is_export: bool) -> tuple[int, tuple[dict[str, Any], ...]]:
        """Return the number of rows, and a notice when it had to be lowered."""
        limits, number = self.collection.limits, self.number("limit")
        if number is None:
            return limits.default_limit, ()
        if number <= limits.limit or is_export:
            return number, ()
        detail = f"limit was lowered from {number} to {limits.limit}."
        return limits.limit, ({"parameter": "limit", "code": "lowered", "detail": detail},)

    def page(self, limit: int) -> int | None:
        """Return the page's number, if it is not too deep to jump to."""
        page, depth = self.number("page"), self.collection.limits.page_depth
        if page is not None and page * limit > depth:
            detail = f"page times limit is at most {depth}; follow the cursor instead."
            self.note("page", "page_too_deep", detail)
        return page

    def tz(self, involved: list[Any]) -> str | None:
        """Return the time zone, if anything depends on one."""
        name = self.one("tz")
        if name is None:
            return None
        if name not in zones():
            detail = "A name of the IANA time zones is expected, such as Europe/Berlin."
            self.note("tz", "invalid_value", detail, suggestion=nearest(name, zones()))
        elif not involved:
            self.note("tz", "not_applicable", "No timestamp column is involved.")
        return name

    def check_paging(self, *, is_export: bool) -> None:
        """Note parameters that contradict each other or have no effect."""
        if is_export:
            for name in sorted({"cursor", "page", "count"} & set(self.given)):
                code = "not_applicable" if name == "count" else "parameter_conflict"
                self.note(name, code, f"An export has no {name}: it is the whole set.")
        elif {"cursor", "page"} <= set(self.given):
            self.note("page", "parameter_conflict", "Either cursor or page, not both.")

    def fields(self) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]]:
        """Return the columns to show, and those inside each include."""
        includes = self._includes()
        wanted = self.items("fields", most=200)
        if not wanted:
            nested = ((name, tuple(inner.collection.columns)) for name, inner in includes.items())
            return tuple(self.collection.columns), tuple(nested)
        inner = {name: self._inner(name, wanted) for name in includes}
        known = set(self.collection.columns) | set(includes)
        known |= {
            f"{name}.{each}" for name in includes for each in includes[name].collection.columns
        }
        for name in wanted:
            if name not in known:
                self._note_field(name, known)
        own = tuple(name for name in self.collection.columns if name in wanted)
        return own, tuple(inner.items())

    def _inner(self, include: str, wanted: list[str]) -> tuple[str, ...]:
        columns = self.collection.includes[include].collection.columns
        named = tuple(name for name in columns if f"{include}.{name}" in wanted)
        return named or tuple(columns)

    def _includes(self) -> dict[str, Any]:
        names, known = self.items("include", most=10), self.collection.includes
        for name in names:
            if name not in known:
                detail = f"There is nothing to include named {name[:80]}."
                near = nearest(name, known)
                self.note("include", "unknown_include", detail, allowed=known, suggestion=near)
        return {name: known[name] for name in known if name in names}

    def _note_field(self, name: str, known: set[str]) -> None:
        first, _, _ = name.partition(".")
        detail = f"No field is named {name[:80]}."
        if first in self.collection.includes:
            detail = f"{name[:80]} needs include={first}."
        allowed = [each for each in self.collection.columns if each in known]
        near = nearest(name, sorted(known))
        self.note("fields", "unknown_field", detail, allowed=allowed, suggestion=near)


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """Return the time zones that both this machine and PostgreSQL can be expected to know."""
    return frozenset(
        each
        for each in available_timezones()
        if "/" in each and not each.startswith(("posix/", "right/"))
    ) | {"UTC"}
