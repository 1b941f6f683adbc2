"""The refusals of a collection: each names every wrong place at once, with a way out."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, Unavailable

MAX_ALLOWED = 20


class InvalidQuery(DomainError):
    """Invalid query. Parameters of the address are wrong; each error names one, and a way out."""


class InvalidSearch(Invalid):
    """Invalid search. The body of the search is wrong; each error points at one place in it."""


class InvalidItem(Invalid):
    """Invalid values. Each error points at one place in the body and says what it may be."""


class RecordNotFound(NotFound):
    """There is no such record. It may also be that it is not yours to see."""


class CollectionClosed(Forbidden):
    """You may not read this collection. Somebody with another role can."""


class NotAcceptable(DomainError):
    """None of the accepted media types is offered. Ask for JSON, CSV or NDJSON."""

    status = 406


class VersionNeeded(DomainError):
    """A change needs If-Match. Send the version that you saw, in double quotes."""

    status = 428


class VersionChanged(DomainError):
    """The record was changed since you saw it. Read it again and decide anew."""

    status = 412


class AlreadyThere(Conflict):
    """Another record holds that value already. Choose another one, or change that record."""


class QueryTimeout(Unavailable):
    """The query took too long and was stopped. Narrow the filter, or sort by an indexed column."""


class TooManyExports(DomainError):
    """You have too many exports running. Wait until one of them has ended."""

    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "10"}


class Mistakes:
    """The mistakes found in one request, answered together in the order of the request."""

    def __init__(self, place: str = "parameter") -> None:
        self.place = place
        self._found: list[tuple[int, dict[str, Any]]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(  # noqa: PLR0913  one argument for each member of the entry
        self,
        name: str,
        code: str,
        detail: str,
        *,
        at: int = 0,
        allowed: Iterable[str] = (),
        suggestion: str | None = None,
    ) -> None:
        """Note one mistake, with what would have been allowed there."""
        entry: dict[str, Any] = {self.place: name[:200], "code": code, "detail": detail}
        if listed := list(allowed)[:MAX_ALLOWED]:
            entry["allowed"] = listed
        if suggestion:
            entry["suggestion"] = suggestion
        self._found.append((at, entry))

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries in the order of the request."""
        return [entry for _, entry in sorted(self._found, key=lambda each: each[0])]

    def check(self, kind: type[DomainError] = InvalidQuery) -> None:
        """Raise what was found, if anything."""
        if self._found:
            raise kind(count_problems(len(self._found)), errors=self.entries())


def count_problems(number: int) -> str:
    """Return the number in words."""
    return "1 problem" if number == 1 else f"{number} problems"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most likely meant, if one is near enough."""
    words = list(known)
    folded = {each.lower(): each for each in words}
    if word.lower() in folded:
        return folded[word.lower()]
    close = get_close_matches(word[:80], words, n=1, cutoff=0.7)
    return close[0] if close else None
