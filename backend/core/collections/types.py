"""What a column's values are: how text becomes one, which operators it knows, how it is shown.

Every text is checked against its grammar before Python reads it, because `int` and `Decimal` take
far more than a query language should (underscores, exponents, digits of other scripts).
"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, case, cast, func, literal_column
from sqlalchemy import Text as SqlText

ORDERED: tuple[str, ...] = ("eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "nin", "isnull")
PLAIN: tuple[str, ...] = ("eq", "ne", "in", "nin", "isnull")
MAX_VALUE_LENGTH = 200
FORMULA_MARKS = "=+-@\t\r'"
APOSTROPHE = "chr(39)"

_DIGITS = re.compile(r"[0-9]{1,40}")
_INTEGER = re.compile(r"-?[0-9]{1,40}")
_DECIMAL = re.compile(r"-?([0-9]{1,60})(?:\.([0-9]{1,60}))?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


class Refused(ValueError):
    """The text is no value of the type; the suggestion, when there is one, would be."""

    def __init__(
        self, detail: str, suggestion: str | None = None, code: str = "invalid_value"
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.suggestion = suggestion
        self.code = code


def unkeepable(text: str) -> bool:
    """Whether PostgreSQL or the driver could not keep the text."""
    return "\0" in text or _SURROGATE.search(text) is not None


@dataclass(frozen=True)
class Type:
    """What all kinds of value share."""

    name: ClassVar[str] = ""
    plural: ClassVar[str] = ""
    operators: ClassVar[tuple[str, ...]] = PLAIN
    is_text: ClassVar[bool] = False
    # Whether a bare date stands for a whole day of moments, and whether case is ignored.
    has_days: ClassVar[bool] = False
    is_folded: ClassVar[bool] = True

    def parse(self, text: str) -> Any:
        """Return the value that the text stands for.

        :raises Refused: when it stands for none
        """
        raise NotImplementedError

    def load(self, content: Any) -> Any:
        """Return the value that a member of a JSON body stands for.

        :raises Refused: when it stands for none
        """
        if not isinstance(content, str):
            raise Refused(f"{self.plural} are JSON strings.")
        return self.parse(content)

    def wire(self, value: Any) -> str:
        """Return the value's normal text, as filters and cursors carry it."""
        return str(value)

    def content(self, value: Any) -> Any:
        """Return the value as JSON carries it."""
        return self.wire(value)

    def shown(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the SQL that renders the column for JSON and CSV."""
        return column

    def celled(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the SQL of a cell in a CSV file."""
        shown = cast(self.shown(column), SqlText)
        if not self.is_text:
            return shown
        # A spreadsheet would run such a text as a formula; the apostrophe can be taken off again.
        is_risky = func.ascii(shown).in_([literal_column(str(ord(each))) for each in FORMULA_MARKS])
        return case((is_risky, literal_column(APOSTROPHE).concat(shown)), else_=shown)

    def keyed(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the SQL of the exact text that a cursor carries."""
        return cast(self.shown(column), SqlText)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a value in an answer."""
        raise NotImplementedError

    def operand(self) -> dict[str, Any]:
        """Return the JSON schema of a value in a request."""
        return self.schema()

    def sample(self) -> str:
        """Return a value for the documents' examples."""
        raise NotImplementedError

    def fitted(self, sql_type: Any) -> "Type":  # noqa: ARG002  those with sizes need it
        """Return the type with the sizes of the database's column where none were given."""
        return self


@dataclass(frozen=True)
class Text(Type):
    """Text of at most so many characters."""

    max_length: int = MAX_VALUE_LENGTH
    example: str = "Research"
    name = "text"
    plural = "Texts"
    operators: ClassVar[tuple[str, ...]] = (*PLAIN[:-1], "contains", "startswith", "isnull")
    is_text = True

    def parse(self, text: str) -> str:
        """Return the text itself, if it can be kept."""
        if unkeepable(text):
            raise Refused("The text has U+0000 or half a character in it.")
        return text

    def load(self, content: Any) -> str:
        """Return the text itself, if it is short enough."""
        text: str = super().load(content)
        if len(text) > self.max_length:
            raise Refused(f"At most {self.max_length} characters.", code="too_long")
        return text

    def schema(self) -> dict[str, Any]:
        """Return a string with its length."""
        return {"type": "string", "maxLength": self.max_length}

    def sample(self) -> str:
        """Return the declared example."""
        return self.example


@dataclass(frozen=True)
class Enum(Type):
    """One of a few known words."""

    values: tuple[str, ...] = ()
    name = "enum"
    plural = "Values"
    is_text = True

    def parse(self, text: str) -> str:
        """Return the word, if it is one of the known."""
        if text not in self.values:
            from backend.core.collections.problems import nearest  # noqa: PLC0415

            raise Refused(
                f"One of {', '.join(self.values[:20])} is expected.", nearest(text, self.values)
            )
        return text

    def schema(self) -> dict[str, Any]:
        """Return the known words."""
        return {"type": "string", "enum": list(self.values)}

    def sample(self) -> str:
        """Return the first word."""
        return self.values[0]


@dataclass(frozen=True)
class Boolean(Type):
    """True or false, spelled so and not otherwise."""

    name = "boolean"
    plural = "Booleans"
    operators = ("eq", "ne", "isnull")

    def parse(self, text: str) -> bool:
        """Return the truth value."""
        if text not in {"true", "false"}:
            guess = {"1": "true", "0": "false"}.get(text, text.lower())
            raise Refused(
                "true or false is expected.", guess if guess in {"true", "false"} else None
            )
        return text == "true"

    def load(self, content: Any) -> bool:
        """Return a JSON truth value."""
        if not isinstance(content, bool):
            raise Refused("A JSON true or false is expected.")
        return content

    def wire(self, value: Any) -> str:
        """Return `true` or `false`."""
        return "true" if value else "false"

    def content(self, value: Any) -> bool:
        """Return the value itself."""
        return bool(value)

    def schema(self) -> dict[str, Any]:
        """Return a boolean."""
        return {"type": "boolean"}

    def sample(self) -> str:
        """Return `true`."""
        return "true"


@dataclass(frozen=True)
class Uuid(Type):
    """An id of 128 bits."""

    name = "id"
    plural = "Ids"

    def parse(self, text: str) -> UUID:
        """Return the id, written in its usual form."""
        if not _UUID.fullmatch(text):
            raise Refused("Ids look like 123e4567-e89b-42d3-a456-426614174000.")
        return UUID(text)

    def schema(self) -> dict[str, Any]:
        """Return a string in the form of a UUID."""
        return {"type": "string", "format": "uuid"}

    def sample(self) -> str:
        """Return any id."""
        return "123e4567-e89b-42d3-a456-426614174000"
