"""Read the body of a search: the same columns and operators, joined by `and`, `or` and `not`."""

import json
from decimal import Decimal
from typing import Any

from backend.core.collections.declaration import Collection, Column
from backend.core.collections.filters import build, note_operator
from backend.core.collections.grammar import Given, write_item
from backend.core.collections.order import read_sort
from backend.core.collections.parse import COUNTS, Words
from backend.core.collections.problems import InvalidSearch, Mistakes, nearest
from backend.core.collections.query import LISTED, Condition, Query, Tree, with_key
from backend.core.collections.times import Timestamp
from backend.core.collections.types import Refused

MEMBERS = frozenset(
    ("filter", "sort", "fields", "include", "limit", "cursor", "page", "count", "tz")
)
LISTS = frozenset(("sort", "fields", "include"))
NUMBERS = frozenset(("limit", "page"))
JOINTS = ("and", "or", "not")
LEAF = ("field", "op", "value")


def parse_search(collection: Collection, body: Any) -> Query:
    """Return what the body of a search asks for.

    :raises InvalidSearch: with every mistake in the body
    """
    mistakes = Mistakes("pointer")
    if not isinstance(body, dict):
        mistakes.add("", "invalid_type", "A JSON object is expected.")
        mistakes.check(InvalidSearch)
    reader = _TreeReader(collection, mistakes)
    tree = reader.whole(body.get("filter"))
    reader.check_number()
    words = _BodyWords(collection, _members(body, mistakes), mistakes)
    query = words.query(tree)
    mistakes.check(InvalidSearch)
    return query


def _members(body: dict[str, Any], mistakes: Mistakes) -> dict[str, Given]:
    """Return the members beside the filter as if they were parameters of an address."""
    given = {}
    for at, (name, value) in enumerate(body.items()):
        if name not in MEMBERS:
            near = nearest(name, MEMBERS)
            detail = f"A search has no member {name[:80]}."
            mistakes.add(
                pointer(name),
                "unknown_member",
                detail,
                at=at,
                allowed=sorted(MEMBERS),
                suggestion=near,
            )
        elif name != "filter" and value is not None:
            texts = _texts(name, value)
            if texts is None:
                mistakes.add(pointer(name), "invalid_type", _expected(name), at=at)
            elif texts:
                given[name] = Given(name, at, texts)
    return given


def _texts(name: str, value: Any) -> list[str] | None:
    if name in LISTS:
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in items):
            return None
        return [",".join(map(write_item, items))] if items else []
    if name in NUMBERS:
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        return [_text(value)] if is_number else None
    return [value] if isinstance(value, str) else None


def _expected(name: str) -> str:
    if name in LISTS:
        return "A list of strings is expected."
    return "A number is expected." if name in NUMBERS else "A string is expected."


def pointer(*steps: str | int) -> str:
    """Return the JSON pointer of these steps."""
    words = (str(step).replace("~", "~0").replace("/", "~1") for step in steps)
    return "".join(f"/{word[:80]}" for word in words)


class _BodyWords(Words):
    """The reserved members of a body, read as the parameters of the same names."""

    def note(self, name: str, code: str, detail: str, **more: Any) -> None:
        self.mistakes.add(pointer(name), code, detail, at=self.given[name].at, **more)

    def query(self, tree: Tree | None) -> Query:
        fields, nested = self.fields()
        limit, notices = self.limit(is_export=False)
        leaves = tree.leaves() if tree else []
        found = Query(
            conditions=_plain(tree),
            tree=None if _is_plain(tree) else tree,
            sort=with_key(self.collection, self._sort()),
            fields=fields,
            nested=nested,
            limit=limit,
            is_limited="limit" in self.given,
            page=self.page(limit),
            cursor=self.one("cursor"),
            count=self.choice("count", COUNTS) or "capped",
            format="json",
            tz=self.tz([each for each in leaves if isinstance(each.column.type, Timestamp)]),
            notices=notices,
        )
        self.check_paging(is_export=False)
        return found

    def _sort(self) -> Any:
        found = Mistakes("pointer")
        keys = read_sort(self.collection, self.given, found)
        for entry in found.entries():
            entry.pop("pointer")
            self.note("sort", entry.pop("code"), entry.pop("detail"), **entry)
        return keys


def _is_plain(tree: Tree | None) -> bool:
    if tree is None or tree.condition is not None:
        return True
    leaves = [each.condition for each in tree.parts]
    names = [(each.column.name, each.op) for each in leaves if each is not None]
    return tree.kind == "and" and None not in leaves and len(set(names)) == len(names)


def _plain(tree: Tree | None) -> tuple[Condition, ...]:
    """Return the conditions of a filter that an address could carry as well: one normal form."""
    if tree is None or not _is_plain(tree):
        return ()
    return tuple(sorted(tree.leaves(), key=Condition.order))


class _TreeReader:
    """Reads a filter's tree, and counts its leaves."""

    def __init__(self, collection: Collection, mistakes: Mistakes) -> None:
        self.collection = collection
        self.mistakes = mistakes
        self.leaves = 0

    def check_number(self) -> None:
        """Note a tree with too many leaves."""
        most = self.collection.limits.leaves
        if self.leaves > most:
            self.mistakes.add("/filter", "too_many_conditions", f"At most {most} conditions.")

    def whole(self, node: Any) -> Tree | None:
        """Return the body's filter; a list, as answers repeat it, is joined by `and`."""
        if node is None or node == []:
            return None
        return self.read({"and": node} if isinstance(node, list) else node, "/filter", 1)

    def read(self, node: Any, place: str, depth: int) -> Tree | None:
        """Return the tree that the node stands for, or none after noting why not."""
        if not isinstance(node, dict):
            self.mistakes.add(place, "invalid_type", "An object is expected.")
            return None
        joints = [each for each in JOINTS if each in node]
        if not joints:
            return self._leaf(node, place)
        if len(node) > 1:
            self.mistakes.add(place, "invalid_value", "One of and, or, not stands alone.")
            return None
        if depth > self.collection.limits.depth:
            detail = f"At most {self.collection.limits.depth} levels."
            self.mistakes.add(place, "too_deep", detail)
            return None
        return self._joined(joints[0], node[joints[0]], place, depth)

    def _joined(self, kind: str, content: Any, place: str, depth: int) -> Tree | None:
        place = f"{place}/{kind}"
        if kind == "not":
            inner = self.read(content, place, depth + 1)
            return Tree("not", (inner,)) if inner else None
        if not isinstance(content, list) or not content:
            self.mistakes.add(place, "invalid_type", "A list of at least one filter is expected.")
            return None
        parts = [
            self.read(each, f"{place}/{at}", depth + 1)
            for at, each in enumerate(content[: self.collection.limits.leaves + 1])
        ]
        found = [each for each in parts if each is not None]
        return found[0] if len(found) == 1 else Tree(kind, tuple(_sorted(found)))

    def _leaf(self, node: dict[str, Any], place: str) -> Tree | None:
        self.leaves += 1
        if not self._knows_members(node, place):
            return None
        column = self._column(node, place)
        op: Any = node.get("op", "eq")
        if column is not None and op not in column.operators:
            note_operator(column, str(op), f"{place}/op", 0, self.mistakes)
            column = None
        if column is None:
            return None
        try:
            return Tree("is", condition=build(self.collection, column, op, _operands(op, node)))
        except Refused as refused:
            self.mistakes.add(
                f"{place}/value", refused.code, refused.detail, suggestion=refused.suggestion
            )
            return None

    def _knows_members(self, node: dict[str, Any], place: str) -> bool:
        for member in node:
            if member not in LEAF:
                near = nearest(member, (*JOINTS, *LEAF))
                self.mistakes.add(
                    place + pointer(member),
                    "unknown_member",
                    "Not part of a filter.",
                    suggestion=near,
                )
                return False
        return True

    def _column(self, node: dict[str, Any], place: str) -> Column | None:
        name: Any = node.get("field")
        column = self.collection.columns.get(name) if isinstance(name, str) else None
        if column is None:
            near = nearest(str(name), self.collection.columns)
            detail = f"No field is named {str(name)[:80]}."
            self.mistakes.add(
                f"{place}/field",
                "unknown_field",
                detail,
                allowed=self.collection.columns,
                suggestion=near,
            )
        return column


def _sorted(parts: list[Tree]) -> list[Tree]:
    """Return the parts in normal form: their order means nothing."""
    return sorted(parts, key=lambda each: json.dumps(each.applied(), sort_keys=True))


def _operands(op: str, node: dict[str, Any]) -> list[str]:
    """Return the operands as texts; JSON's own numbers and truth values are taken as written."""
    if "value" not in node:
        raise Refused("A value is missing.")
    value = node["value"]
    if op in LISTED:
        if not isinstance(value, list) or not value:
            raise Refused("A list of values is expected.")
        return [_text(each) for each in value]
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) < 10**60 else "9" * 61
    if value is None:
        raise Refused("There is no null among values; use the operator isnull.")
    if isinstance(value, Decimal):
        if abs(value.adjusted()) >= 100:  # noqa: PLR2004
            return str(value)
        # To JSON 5.0 is as whole a number as 5.
        whole = value.to_integral_value()
        return format(whole if whole == value else value, "f")
    raise Refused("A string, a number or a truth value is expected.")
