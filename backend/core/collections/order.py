"""Orders: read from `sort` and `order`, written as SQL with the place of nulls said aloud."""

from typing import Any

from sqlalchemy import ColumnElement, collate

from backend.core.collections.declaration import Collection
from backend.core.collections.grammar import Given, read_list
from backend.core.collections.problems import Mistakes, nearest
from backend.core.collections.query import SortKey
from backend.core.collections.types import Refused

ORDERS = ("asc", "desc")


def read_sort(
    collection: Collection, given: dict[str, Given], mistakes: Mistakes
) -> tuple[SortKey, ...]:
    """Return the keys that `sort` and `order` ask for, or the collection's own."""
    words = read_words(given, mistakes)
    if "sort" not in given:
        return default_order(collection)
    return read_keys(collection, words, "sort", given["sort"].at, mistakes)


def read_words(given: dict[str, Given], mistakes: Mistakes) -> list[str]:
    """Return the words of `sort`, with the signs that `order` gives them."""
    sort, order = given.get("sort"), given.get("order")
    if sort is None:
        if order is not None:
            detail = "order needs sort beside it."
            mistakes.add("order", "parameter_conflict", detail, at=order.at)
        return []
    words = _words(sort, mistakes)
    return _signed(words, order, mistakes) if words and order is not None else words


def default_order(collection: Collection) -> tuple[SortKey, ...]:
    """Return the order of a collection when none is asked for."""
    words = collection.default_sort.replace(" ", "").split(",")
    return tuple(
        SortKey(collection.columns[word.lstrip("-")], word.startswith("-")) for word in words
    )


def read_keys(
    collection: Collection, words: list[str], name: str, at: int, mistakes: Mistakes
) -> tuple[SortKey, ...]:
    """Return the keys that the words stand for."""
    keys: dict[str, SortKey] = {}
    sortable = [each.name for each in collection.columns.values() if collection.can_sort(each)]
    for word in words:
        key = _key(collection, word)
        plain = word.removeprefix("-").partition(":")[0]
        if key is None or plain not in sortable:
            _note(word, plain, key, sortable, name, at, mistakes)
        elif plain in keys:
            mistakes.add(name, "duplicate_item", f"{plain} is given twice.", at=at)
        else:
            keys[plain] = key
    # The key that every order is given at its end does not count: what was applied can be asked.
    most = collection.limits.sort_keys + (words[-1:] == [collection.key])
    if len(keys) > most:
        detail = f"At most {collection.limits.sort_keys} keys."
        mistakes.add(name, "too_many_items", detail, at=at)
    return tuple(keys.values())


def _key(collection: Collection, word: str) -> SortKey | None:
    plain, _, placement = word.removeprefix("-").partition(":")
    column = collection.columns.get(plain)
    if column is None or placement not in {"", "nullsfirst"} or word.endswith(":"):
        return None
    is_first = placement == "nullsfirst" and column.nullable
    return SortKey(column, word.startswith("-"), is_first)


def _note(  # noqa: PLR0913, PLR0917  it knows what its caller knows
    word: str,
    plain: str,
    key: SortKey | None,
    sortable: list[str],
    name: str,
    at: int,
    mistakes: Mistakes,
) -> None:
    sign = "-" if word.startswith("-") else ""
    if plain in sortable:
        detail, near = "Only :nullsfirst may follow a name.", f"{sign}{plain}:nullsfirst"
    elif key is not None:
        detail, near = f"{plain} cannot be sorted by.", None
    else:
        close = nearest(plain, sortable)
        detail, near = f"No field is named {plain[:80]}.", sign + close if close else None
    code = "not_sortable" if key is not None else "unknown_field"
    mistakes.add(name, code, detail, at=at, allowed=sortable, suggestion=near)


def _words(given: Given, mistakes: Mistakes) -> list[str]:
    try:
        return read_list(given.values)
    except Refused as refused:
        mistakes.add(given.name, refused.code, refused.detail, at=given.at)
        return []


def _signed(words: list[str], given: Given, mistakes: Mistakes) -> list[str]:
    orders = _words(given, mistakes)
    if not orders:
        return words
    if any(word.startswith("-") for word in words):
        detail = "Either signs or order, not both."
        mistakes.add("order", "parameter_conflict", detail, at=given.at)
    elif wrong := [each for each in orders if each not in ORDERS]:
        near = nearest(wrong[0], ORDERS)
        detail = "asc or desc is expected."
        mistakes.add("order", "invalid_value", detail, at=given.at, allowed=ORDERS, suggestion=near)
    elif len(orders) not in {1, len(words)}:
        detail = "One order for all keys, or one for each."
        mistakes.add("order", "invalid_value", detail, at=given.at)
    else:
        every = orders * len(words) if len(orders) == 1 else orders
        signs = {"asc": "", "desc": "-"}
        return [signs[each] + word for each, word in zip(every, words, strict=True)]
    return words


def by_code_point(key: SortKey, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column so that it is compared by code point, where it is text."""
    is_collated = getattr(column.type, "collation", None) == "C"
    return collate(column, "C") if key.column.type.is_text and not is_collated else column


def order_by(key: SortKey, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the key as SQL; PostgreSQL's own default for nulls differs by direction."""
    compared = by_code_point(key, column)
    directed = compared.desc() if key.descending else compared.asc()
    if not key.column.nullable:
        return directed
    return directed.nulls_first() if key.nulls_first else directed.nulls_last()
