"""The doors through which a collection is read: each translates a request, and calls one."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Response, request

from backend.core.collections import conditional
from backend.core.collections.aggregates import Groups, aggregate
from backend.core.collections.bodies import read_json
from backend.core.collections.conditional import tag_headers, tagged, weak_tag
from backend.core.collections.declaration import Collection, Scope
from backend.core.collections.discovery import describe
from backend.core.collections.envelope import links, list_body, record_body
from backend.core.collections.export import MEDIA_TYPES, export
from backend.core.collections.grammar import read_pairs
from backend.core.collections.group_files import groups_csv, groups_ndjson
from backend.core.collections.pages import Page, read_page, read_record, read_revision
from backend.core.collections.parse import parse_list, parse_record
from backend.core.collections.parse_groups import parse_groups
from backend.core.collections.problems import InvalidSearch, Mistakes, NotAcceptable, RecordNotFound
from backend.core.collections.query import Query, dumps
from backend.core.collections.search import parse_search
from backend.core.collections.types import Refused
from backend.core.downloads import download
from backend.core.limits import only_reads

JSON = "application/json"
MEDIA = {"json": JSON, "csv": "text/csv", "ndjson": "application/x-ndjson"}


class Doors:
    """The views of one collection; each only translates."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection

    def list(self) -> Response:
        """Read the rows of the collection, filtered, sorted and cut into pages."""
        query = parse_list(self.collection, query_string(), accepted())
        scope = self.collection.scope()
        tag_of = self._tag_of(query, scope)
        if known := self._unchanged(query, scope, tag_of):
            return known
        if query.format != "json":
            return export_response(self.collection, query, scope, tag_of)
        page = read_page(self.collection, query, scope)
        tag = None if page.revision is None else tag_of(page.revision)
        return list_response(page, tag, Link=links(request.path, query_string(), page))

    def record(self, key: str) -> Response:
        """Read one record of the collection."""
        accepted(only=("json",))
        query = parse_record(self.collection, query_string())
        return read_one(self.collection, self.key(key), query)

    def aggregates(self) -> Response:
        """Read groups of the collection's rows with their figures."""
        query = parse_groups(self.collection, query_string(), accepted())
        scope = self.collection.scope()
        canonical = [query.applied(), "aggregates"]
        tag_of = self._tag(scope, canonical, query.format)
        if known := self._unchanged(Query(), scope, tag_of):
            return known
        revision = read_revision(self.collection, Query(), scope)
        groups = aggregate(self.collection, query, scope)
        tag = None if revision is None else tag_of(revision)
        if query.format != "json":
            return tagged(file_of_groups(self.collection, groups), tag)
        return tagged(json_response(dumps(groups.body()) + "\n"), tag)

    @only_reads
    def search(self) -> Response:
        """Read rows by a filter with `and`, `or` and `not`, sent as a body."""
        accepted(only=("json",))
        query = parse_search(self.collection, self.body())
        scope = self.collection.scope()
        page = read_page(
            self.collection, query, scope, refusal=InvalidSearch, place={"pointer": "/cursor"}
        )
        return list_response(page, None)

    def body(self) -> Any:
        """Return the body; beside it the address has nothing to say."""
        if query_string():
            mistakes = Mistakes()
            for at, (name, _) in enumerate(read_pairs(query_string(), mistakes)):
                mistakes.add(name, "not_applicable", "Everything stands in the body.", at=at)
            mistakes.check()
        return read_json()

    def describe(self) -> Response:
        """Tell which columns, operators, metrics and limits the collection has."""
        accepted(only=("json",))
        self.collection.scope()
        return json_response(dumps({"data": describe(self.collection)}) + "\n")

    def key(self, text: str) -> Any:
        """Return the key that the address names.

        :raises RecordNotFound: when no record could have it
        """
        try:
            return self.collection.key_column.type.parse(text)
        except Refused as refused:
            raise RecordNotFound(f"No record here has the id {text[:80]}.") from refused

    def _tag_of(self, query: Query, scope: Scope) -> Callable[[int], str]:
        canonical = [query.applied_text, query.cursor, query.page]
        return self._tag(scope, canonical, query.format or "json")

    def _tag(self, scope: Scope, canonical: Any, media: str) -> Callable[[int], str]:
        return lambda revision: weak_tag(self.collection, scope, revision, canonical, media)

    def _unchanged(
        self, query: Query, scope: Scope, tag_of: Callable[[int], str]
    ) -> Response | None:
        """Answer 304 from the revision alone, before any row is read."""
        if not conditional.asks_conditionally():
            return None
        revision = read_revision(self.collection, query, scope)
        if revision is None or not conditional.is_known(tag_of(revision)):
            return None
        return conditional.not_modified(tag_of(revision))


def read_one(collection: Collection, key: Any, query: Query) -> Response:
    """Answer with one record and its tag: strong by its version, or weak by the revision."""
    scope = collection.scope()
    revision = None
    if query.nested or not collection.has_version:
        revision = read_revision(collection, query, scope)
    text, version = read_record(collection, key, query, scope)
    applied = query.applied()
    applied = {name: applied[name] for name in ("fields", "include")}
    tag, is_weak = (str(version), False) if version is not None else (None, True)
    if revision is not None:
        tag, is_weak = weak_tag(collection, scope, revision, [str(key), applied], "json"), True
    response = tagged(json_response(record_body(text, applied)), tag, weak=is_weak)
    if tag is not None:
        response.make_conditional(request)
    return response


def export_response(
    collection: Collection, query: Query, scope: Scope, tag_of: Callable[[int], str]
) -> Response:
    """Answer with all rows as a file."""
    revision = read_revision(collection, query, scope)
    form = query.format or "csv"
    response = file_response(export(collection, query, scope), form, collection.name)
    return tagged(response, None if revision is None else tag_of(revision))


def file_of_groups(collection: Collection, groups: Groups) -> Response:
    """Answer with the groups as a file."""
    form = groups.query.format or "csv"
    write = groups_csv if form == "csv" else groups_ndjson
    return file_response([write(groups).encode()], form, f"{collection.name}-aggregates")


def file_response(pieces: Iterable[bytes], form: str, name: str) -> Response:
    """Answer with a file of today."""
    filename = f"{name}-{datetime.now(UTC).date()}.{form}"
    return download(pieces, name=filename, content_type=MEDIA_TYPES[form])


def list_response(page: Page, tag: str | None, **headers: str) -> Response:
    """Return the page as an answer; headers that are known before it is made cost least."""
    headers |= {"Content-Type": JSON, "Accept-Query": JSON}
    return Response(list_body(page), headers=headers | tag_headers(tag))


def json_response(body: str, status: int = 200) -> Response:
    """Return the text as a JSON answer."""
    return Response(body, status=status, mimetype=JSON)


def query_string() -> str:
    """Return the request's query string in ASCII; bytes beyond it are as if percent-encoded."""
    raw = request.query_string
    return raw.decode() if raw.isascii() else quote(raw, safe="%&=+!$'()*,;:@/?[]~#\"<>\\^`{|} ")


def accepted(only: tuple[str, ...] = ("json", "csv", "ndjson")) -> str:
    """Return the form that the Accept header prefers; whoever takes anything gets JSON.

    :raises NotAcceptable: when it names nothing that is offered
    """
    header = request.headers.get("Accept", "*/*")
    if header in {"*/*", JSON}:
        return "json"
    offered = [MEDIA[each] for each in only]
    if "format" in request.args and only != ("json",):
        return ""
    best = request.accept_mimetypes.best_match(offered)
    if best is None:
        raise NotAcceptable(f"Offered are {', '.join(offered)}.")
    chosen = next(name for name, media in MEDIA.items() if media == best)
    explicit = {media for media, _ in request.accept_mimetypes}
    return chosen if MEDIA[chosen] in explicit else "json"
