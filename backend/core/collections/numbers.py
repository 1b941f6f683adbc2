"""Columns of numbers: whole, as ids, and exact decimals; none of them ever becomes a float."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ColumnElement, SmallInteger, cast, func
from sqlalchemy import Text as SqlText

from backend.core.collections.types import ORDERED, PLAIN, Refused, Type

_DIGITS = re.compile(r"[0-9]{1,40}")
_INTEGER = re.compile(r"-?[0-9]{1,40}")
_DECIMAL = re.compile(r"-?([0-9]{1,60})(?:\.([0-9]{1,60}))?")


@dataclass(frozen=True)
class Integer(Type):
    """A whole number within the range of its column."""

    low: int | None = None
    high: int | None = None
    name = "integer"
    plural = "Whole numbers"
    operators = ORDERED
    grammar: ClassVar[re.Pattern[str]] = _INTEGER

    def parse(self, text: str) -> int:
        """Return the number, if the column could hold it."""
        if not self.grammar.fullmatch(text):
            raise Refused(f"{self.plural} are written with the digits 0 to 9 alone.")
        return self._within(int(text))

    def _within(self, number: int) -> int:
        low, high = int(self.low or 0), int(self.high or 0)
        if not low <= number <= high:
            raise Refused(f"Between {low} and {high} is expected.", code="out_of_range")
        return number

    def load(self, content: Any) -> int:
        """Return a JSON number without fraction."""
        if not isinstance(content, int) or isinstance(content, bool):
            raise Refused("A JSON number without fraction is expected.")
        return self._within(content)

    def content(self, value: Any) -> int:
        """Return the value itself."""
        return int(value)

    def schema(self) -> dict[str, Any]:
        """Return an integer with its range."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def sample(self) -> str:
        """Return a number within the range."""
        return str(min(max(7, self.low or 0), self.high or 7))

    def fitted(self, sql_type: Any) -> "Integer":
        """Return the type with the range of smallint, integer or bigint."""
        sizes = ((SmallInteger, 15), (BigInteger, 63))
        bits = next((bits for kind, bits in sizes if isinstance(sql_type, kind)), 31)
        low = self.low if self.low is not None else self.least(bits)
        high = self.high if self.high is not None else 2**bits - 1
        return type(self)(low=low, high=high)

    def least(self, bits: int) -> int:
        """Return the least number that so many bits hold."""
        return -int(2**bits)


@dataclass(frozen=True)
class Id(Integer):
    """A whole number that names a record."""

    name = "id"
    plural = "Ids"
    operators = PLAIN
    grammar = _DIGITS

    def least(self, bits: int) -> int:  # noqa: ARG002  the parent's signature
        """Return zero: ids are counted."""
        return 0


@dataclass(frozen=True)
class Reference(Id):
    """The id of a record elsewhere."""

    name = "reference"


@dataclass(frozen=True)
class Number(Type):
    """An exact decimal number of so many digits, so many of them behind the point."""

    precision: int | None = None
    scale: int | None = None
    name = "decimal"
    plural = "Numbers"
    operators = ORDERED

    def parse(self, text: str) -> Decimal:
        """Return the number, if the column could hold it as it is."""
        if text.startswith("+"):
            raise Refused("Numbers carry no plus sign.", text[1:])
        found = _DECIMAL.fullmatch(text)
        if found is None:
            plain = re.sub(r"[,_\s€$£]", "", text)
            fits = _DECIMAL.fullmatch(plain) if plain != text else None
            raise Refused(f"{self.plural} look like {self.sample()}.", plain if fits else None)
        whole, fraction = found[1].lstrip("0"), (found[2] or "").rstrip("0")
        if len(fraction) > self.places:
            raise Refused(f"At most {self.places} decimals.", code="out_of_range")
        if len(whole) > (self.precision or 0) - self.places:
            raise Refused(
                f"At most {(self.precision or 0) - self.places} digits before the point.",
                code="out_of_range",
            )
        return abs(Decimal(text)) if not whole and not fraction else Decimal(text)

    @property
    def places(self) -> int:
        """Return how many digits stand behind the point."""
        return self.scale or 0

    def load(self, content: Any) -> Decimal:
        """Return the number from a string, or from a JSON number read without a float between."""
        if isinstance(content, bool) or not isinstance(content, str | int | Decimal):
            raise Refused(f"A string such as “{self.sample()}” is expected.")
        return self.parse(f"{content:f}" if isinstance(content, Decimal) else str(content))

    def wire(self, value: Any) -> str:
        """Return the number with exactly the column's decimals."""
        return format(quantized(value, self.places), "f")

    def shown(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the exact text: a JSON number would become a float at the other end."""
        if getattr(column.type, "scale", None) != self.places:
            column = func.round(column, self.places)
        return cast(column, SqlText)

    def schema(self) -> dict[str, Any]:
        """Return a string: the JSON carries no floats."""
        fraction = rf"\.[0-9]{{{self.places}}}" if self.places else ""
        return {"type": "string", "format": "decimal", "pattern": f"^-?[0-9]+{fraction}$"}

    def operand(self) -> dict[str, Any]:
        """Return a string: fewer decimals than the column's are taken as well."""
        whole = max((self.precision or 0) - self.places, 1)
        fraction = rf"(\.[0-9]{{1,{self.places}}})?" if self.places else ""
        return {
            "type": "string",
            "format": "decimal",
            "pattern": f"^-?[0-9]{{1,{whole}}}{fraction}$",
        }

    def sample(self) -> str:
        """Return a number with the column's decimals."""
        return format(quantized(Decimal(250), self.places), "f")

    def fitted(self, sql_type: Any) -> "Number":
        """Return the type with the precision and scale of the numeric column."""
        precision = self.precision or getattr(sql_type, "precision", None) or 38
        scale = self.scale if self.scale is not None else getattr(sql_type, "scale", None)
        return type(self)(precision=precision, scale=scale if scale is not None else 10)


@dataclass(frozen=True)
class Money(Number):
    """An amount in the collection's currency."""

    name = "money"
    plural = "Amounts"


def quantized(value: Decimal, places: int) -> Decimal:
    """Return the value with so many decimals, rounded half to even, whatever its size."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, Context(prec=120))
