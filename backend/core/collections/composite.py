"""Keys of two columns, which have one text in addresses and are still found by the table's index.

The text is `number-rest`. Comparing it as text would read the whole table, so that a comparison
with one value is taken apart into the two columns that the index has.
"""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, cast, collate, func, type_coerce
from sqlalchemy import Text as SqlText
from sqlalchemy.sql.operators import OperatorType, eq
from sqlalchemy.types import TypeDecorator

from backend.core.collections.types import PLAIN, Refused, Text

_NUMBERS = re.compile(r"[0-9]{1,18}-[0-9]{1,9}")
_NUMBER_AND_NAME = re.compile(r"[0-9]{1,18}-[^\x00\ud800-\udfff]{1,100}")


class _Comparator(TypeDecorator.Comparator[str]):
    """Takes a comparison with one value apart; all others compare the text."""

    def operate(self, op: OperatorType, *other: Any, **options: Any) -> ColumnElement[Any]:
        if op is eq and isinstance(other[0], BindParameter) and hasattr(self.expr, "table"):
            pair: Any = self.expr.type
            columns = self.expr.table.c
            first, second = columns[pair.first], columns[pair.second]
            text = type_coerce(other[0], SqlText())
            rest = func.substr(text, func.strpos(text, "-") + 1)
            number = func.split_part(text, "-", 1)
            return and_(first == cast(number, first.type), second == cast(rest, second.type))
        found: ColumnElement[Any] = super().operate(op, *other, **options)
        return found


class _Pair(TypeDecorator[str]):
    """Text made of two columns that the same subquery has."""

    impl = SqlText
    cache_ok = True
    comparator_factory = _Comparator

    def __init__(self, first: str = "", second: str = "") -> None:
        super().__init__(collation="C")
        self.first, self.second = first, second


@dataclass(frozen=True)
class Composite(Text):
    """A key of two parts, such as a file's number and a line's; `of` makes its column."""

    max_length: int = 130
    example: str = "12-345"
    is_numeric: bool = True
    operators = PLAIN
    name = "id"
    plural = "Ids"

    def parse(self, text: str) -> str:
        """Return the text, if it could be a key."""
        grammar = _NUMBERS if self.is_numeric else _NUMBER_AND_NAME
        if not grammar.fullmatch(text):
            raise Refused(f"Ids look like {self.example}.")
        return text


def composite(first: ColumnElement[Any], second: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the key's column, for a select that has both columns under their own names."""
    text = cast(first, SqlText).concat("-").concat(cast(second, SqlText))
    return type_coerce(collate(text, "C"), _Pair(str(first.key), str(second.key)))
