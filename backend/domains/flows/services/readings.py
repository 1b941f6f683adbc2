"""Find readings by MPAN or serial, newest first, and what was said of one over time."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Literal

from sqlalchemy import or_, select

from backend.core.database import db
from backend.core.errors import Invalid, NotFound
from backend.domains.flows.models import FlowFile, FlowReading, FlowSiteVisit
from backend.domains.flows.services import candidates, terms
from backend.domains.flows.services.candidates import Direction, Span
from backend.domains.flows.services.projection import (
    NEWEST_FIRST,
    Occurrence,
    Position,
    said,
    with_standing,
)
from backend.domains.flows.services.terms import SHORTEST_PREFIX, Keys, Meter, Term

PAGE = 50
EXPORT_PAGE = 500
EXPORT_ROWS = 100_000
# How many readings one page looks at, at most, when a filter hides nearly all of them.
LOOKED_AT = 2000
LONGEST_HISTORY = 500
# How many lines from a reading its MPAN's and meter's visits are looked for.
NEAR = 1000

Notice = Literal[
    "nothing asked",
    "too short",
    "wrong check digit",
    "unknown",
    "too many",
    "without readings",
    "filtered out",
]


class ReadingNotFound(NotFound):
    """No file has an accepted reading at that line. The file may have been processed again."""


class TooManyMeters(Invalid):
    """More meters begin with that than can be put together. Type more of the MPAN or serial."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """What a person searches for; `reading_type` is empty for all types."""

    term: Term
    since: date | None = None
    until: date | None = None
    reading_type: str = ""
    is_usable_only: bool = False
    has_history: bool = False

    def shows(self, found: Occurrence) -> bool:
        """Whether the person wants to see this one.

        Withdrawn readings are shown, with their badge, unless only valid ones are wanted.
        Superseded ones, and the withdrawals themselves, belong to the history.
        """
        if found.is_test:
            return False
        if self.reading_type and found.reading_type != self.reading_type:
            return False
        if self.is_usable_only and not found.is_usable:
            return False
        return self.has_history or not (found.is_superseded or found.is_withdrawal)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of the hits, newest first, and where the others begin.

    `is_cut_short` says that the page ends before it is full, having looked at enough.
    """

    hits: list[Occurrence] = field(default_factory=list)
    older: Position | None = None
    newer: Position | None = None
    is_cut_short: bool = False
    meters: list[Meter] = field(default_factory=list)
    notice: Notice | None = None


def search(query: Query, *, start: Position | None = None, direction: Direction = "older") -> Page:
    """Return one page of hits, with the meters to choose from when there are too many.

    It looks at a bounded number of readings, whatever the size of the table.
    """
    if not query.term.text:
        return Page(notice="nothing asked")
    found = terms.keys(query.term)
    if found.has_more:
        return Page(meters=_choice(query.term, found), notice="too many")
    page = _page(query, found, start, direction, PAGE)
    if start is not None and (direction == "older" or page.newer):
        return page
    if start is not None:
        page = _page(query, found, None, "older", PAGE)
    return _introduced(page, query, found)


def _introduced(page: Page, query: Query, found: Keys) -> Page:
    """Add to a first page the meters that the term stands for, or why there is nothing."""
    unread = terms.meters_without_readings(query.term)
    is_choice = query.term.is_prefix and len(found) > 1
    listed = _choice(query.term, found) if is_choice else unread
    notice: Notice | None = None
    if not page.hits and not page.is_cut_short:
        notice = _why_empty(query.term, found, has_meters=bool(unread))
    return replace(page, meters=listed, notice=notice)


def _choice(term: Term, found: Keys) -> list[Meter]:
    listed = terms.meters(found) + terms.meters_without_readings(term)
    return sorted(listed, key=lambda each: (each.mpan, each.serial_key, each.serial))


def _why_empty(term: Term, found: Keys, *, has_meters: bool) -> Notice:
    if terms.meters(found):
        return "filtered out"
    if has_meters:
        return "without readings"
    if len(term.text) < SHORTEST_PREFIX:
        return "too short"
    return "wrong check digit" if term.has_wrong_check_digit else "unknown"


def _page(
    query: Query, found: Keys, start: Position | None, direction: Direction, size: int
) -> Page:
    """Collect hits from one position on, in growing steps, until the page is full."""
    hits: list[Occurrence] = []
    span = _span(query)
    position, looked_at, step = start, 0, size + 1
    while True:
        rows = candidates.following(found, span, position=position, direction=direction, size=step)
        hits += [each for each in rows if query.shows(each)]
        looked_at += len(rows)
        is_end = len(rows) < step
        if is_end or len(hits) > size or looked_at >= LOOKED_AT:
            break
        position, step = rows[-1].position, min(2 * step, LOOKED_AT - looked_at)
    is_cut_short = not is_end and len(hits) <= size
    beyond = rows[-1].position if is_cut_short else None
    if len(hits) > size:
        hits = hits[:size]
        beyond = hits[-1].position
    if direction == "older":
        newer = (hits[0].position if hits else start) if start else None
        return Page(hits=hits, older=beyond, newer=newer, is_cut_short=is_cut_short)
    hits.reverse()
    older = hits[-1].position if hits else start
    return Page(hits=hits, older=older, newer=beyond, is_cut_short=is_cut_short)


def _span(query: Query) -> Span:
    """Return the local times of the days that the person named, both of them included."""
    until = query.until and query.until + timedelta(days=1)
    return Span(
        start=datetime.combine(query.since, time.min) if query.since else None,
        end=datetime.combine(until, time.min) if until else None,
    )


def export(query: Query) -> Iterator[Occurrence]:
    """Return the hits of a search from the newest on, `EXPORT_ROWS` at most.

    :raises TooManyMeters: when the search has to be narrowed first
    """
    found = terms.keys(query.term)
    if found.has_more:
        raise TooManyMeters(f"“{query.term.text}” is the beginning of too many.")
    return _exported(query, found)


def _exported(query: Query, found: Keys) -> Iterator[Occurrence]:
    position, left = None, EXPORT_ROWS
    while left:
        page = _page(query, found, position, "older", min(EXPORT_PAGE, left))
        yield from page.hits
        left -= len(page.hits)
        position = page.older
        if position is None:
            return


def one(*, file_id: int, line_number: int) -> Occurrence:
    """Return the reading of one line of a file, with its standing.

    :raises ReadingNotFound: when the file has no accepted reading there
    """
    wanted = said().where(FlowReading.file_id == file_id, FlowReading.line_number == line_number)
    row = db.session.execute(with_standing(wanted.cte("wanted"))).one_or_none()
    if row is None:
        raise ReadingNotFound(f"File {file_id} has no reading at line {line_number}.")
    return Occurrence._make(row)


def history(of: Occurrence) -> list[Occurrence]:
    """Return all that files say of one register at one time, the last word first.

    That is the reading's own key and whatever withdraws it, or has another type there. A reading of
    a test file stands alone.
    """
    if of.is_test:
        return [of]
    wanted = (
        said()
        .where(
            FlowReading.mpan == of.mpan,
            FlowReading.reading_at_local == of.reading_at_local,
            FlowFile.is_test.is_(False),
        )
        .order_by(*NEWEST_FIRST)
        .limit(LONGEST_HISTORY)
        .cte("wanted")
    )
    rows = (Occurrence._make(row) for row in db.session.execute(with_standing(wanted)))
    # By serial the planner might walk the other index, along all meters that share the serial.
    same = (each for each in rows if _register(each) == _register(of))
    return sorted(same, key=lambda each: each.position, reverse=True)


def _register(of: Occurrence) -> tuple[str, str]:
    return of.serial_key, of.register


def visits(of: Occurrence) -> list[FlowSiteVisit]:
    """Return the site visits at the reading, at its meter and at its MPAN in the same file."""
    near = FlowSiteVisit.line_number.between(of.line_number - NEAR, of.line_number + NEAR)
    query = (
        select(FlowSiteVisit)
        .where(FlowSiteVisit.file_id == of.file_id, near, FlowSiteVisit.mpan == of.mpan)
        .where(or_(FlowSiteVisit.serial.is_(None), FlowSiteVisit.serial == of.serial))
        .where(or_(FlowSiteVisit.register.is_(None), FlowSiteVisit.parent_line == of.line_number))
        .order_by(FlowSiteVisit.line_number)
    )
    return list(db.session.scalars(query))
