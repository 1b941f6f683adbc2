"""The doors through which records of a writable collection are made, changed and deleted."""

from typing import Any

from flask import Response, request

from backend.core.collections.bodies import read_json
from backend.core.collections.conditional import tagged
from backend.core.collections.declaration import Collection, Writer
from backend.core.collections.doors import Doors, json_response, query_string, read_one
from backend.core.collections.grammar import read_pairs
from backend.core.collections.items import read_batch, read_changes, read_new
from backend.core.collections.pages import read_many, read_record
from backend.core.collections.problems import Mistakes, VersionNeeded
from backend.core.collections.query import Query, dumps
from backend.core.collections.writer import version_changed


class WriteDoors(Doors):
    """The views that write; each reads, calls the writer once and answers with the record."""

    def __init__(self, collection: Collection, writer: Writer) -> None:
        super().__init__(collection)
        self.writer = writer

    def create(self) -> Response:
        """Store a new record."""
        _refuse_parameters()
        item = read_new(self.collection, read_json())
        (key,) = self.writer.create([item])
        response = self._answer(key)
        response.status_code = 201
        response.headers["Location"] = f"{self.collection.path}/{key}"
        return response

    def create_batch(self) -> Response:
        """Store several new records, all of them or none."""
        _refuse_parameters()
        items = read_batch(self.collection, read_json())
        texts = read_many(self.collection, self.writer.create(items), self.collection.scope())
        meta = dumps({"count": len(texts)})
        body = f'{{"data":[{",".join(texts)}],"meta":{meta}}}\n'
        return tagged(json_response(body, 201), None)

    def update(self, key: str) -> Response:
        """Change some members of a record, which has to have the version of If-Match still."""
        _refuse_parameters()
        found, version = self.key(key), self._version(key)
        if not request.headers.get("If-Match"):
            entry = {"header": "If-Match", "code": "missing", "detail": f'Such as "{version}".'}
            raise VersionNeeded(errors=[entry])
        changes = read_changes(self.collection, read_json())
        self._check(version)
        self.writer.update(found, changes, version)
        return self._answer(found)

    def delete(self, key: str) -> Response:
        """Delete a record; If-Match is honoured when it is sent."""
        _refuse_parameters()
        found, version = self.key(key), self._version(key)
        is_conditional = bool(request.headers.get("If-Match"))
        if is_conditional:
            self._check(version)
        self.writer.delete(found, version if is_conditional else None)
        return Response(status=204)

    def restore(self, key: str) -> Response:
        """Bring a deleted record back."""
        _refuse_parameters()
        found = self.key(key)
        self.writer.restore(found)
        return self._answer(found)

    def _answer(self, key: Any) -> Response:
        return read_one(self.collection, key, Query(fields=tuple(self.collection.columns)))

    def _version(self, key: str) -> int:
        """Return the record's version: whether the caller may see it comes before anything else."""
        query = Query(fields=(self.collection.key,))
        _, version = read_record(self.collection, self.key(key), query, self.collection.scope())
        return version or 0

    def _check(self, version: int) -> None:
        # The UPDATE asks again: this is for the tag's form, and to choose among several.
        if not (request.if_match.star_tag or request.if_match.is_strong(str(version))):
            raise version_changed(version)


def _refuse_parameters() -> None:
    mistakes = Mistakes()
    for at, (name, _) in enumerate(read_pairs(query_string(), mistakes)):
        mistakes.add(name, "not_applicable", f"{name[:80]} has no effect here.", at=at)
    mistakes.check()
