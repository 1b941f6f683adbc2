"""The checks of single fields, by the kind of their item.

Patterns are ASCII on purpose: `int` and `Decimal` would take `1_000`, ` 5 `, `NaN` and digits of
other scripts.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from backend.domains.flows.d0010.mpan import check_digit, has_valid_check_digit
from backend.domains.flows.d0010.records import Options, Severity
from backend.domains.flows.d0010.tables import Item, Kind
from backend.domains.flows.d0010.times import Instants

_LONGEST_SERIAL = 32
_MPAN = re.compile(r"[0-9]{13}")
_VALUE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?")
_USUAL_VALUE = re.compile(r"[0-9]{1,8}(?:\.[0-9])?")
_COUNT = re.compile(r"[0-9]{1,3}")
_LETTERS_AND_DIGITS = re.compile(r"[0-9A-Za-z]+")
# C1 controls are left out: they are what latin-1 makes of bytes that nothing else can read.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_REMEMBERED = 10_000
# What is hardly ever the same twice is not worth remembering, nor is what may be long.
_VARIED = frozenset({Kind.MPAN, Kind.SERIAL, Kind.VALUE, Kind.TEXT})
_TRIMMED = frozenset({Kind.CODE, Kind.FLAG, Kind.REGISTER})


class Problem(NamedTuple):
    """What is wrong with a field; `says` follows the item's name in a sentence."""

    code: str
    severity: Severity
    says: str


class Checked(NamedTuple):
    """The value to store, meaningless when a problem is an error."""

    value: str | None
    problems: tuple[Problem, ...] = ()


_TRIM = Problem("spaces-trimmed", "warning", "has spaces around it, which were removed.")
_BLANK = Problem("blank-mandatory", "error", "is mandatory and is blank.")
_BLANK_TOLERATED = Problem("blank-mandatory", "warning", "is mandatory and is blank.")
_CONTROL = Problem("control-character", "error", "holds a control character.")
_NON_ASCII = Problem("non-ascii", "error", "holds a character outside the English set.")


class Checker:
    """Checks the fields of one file."""

    def __init__(self, options: Options, instants: Instants) -> None:
        self._options = options
        self._instants = instants
        self._known: dict[tuple[str, str], Checked] = {}
        self._kinds: Mapping[Kind, Callable[[Item, str], Checked]] = {
            Kind.MPAN: self._mpan,
            Kind.SERIAL: _serial,
            Kind.REGISTER: _register,
            Kind.CODE: _code,
            Kind.FLAG: _flag,
            Kind.INSTANT: self._instant,
            Kind.VALUE: _value,
            Kind.COUNT: _count,
            Kind.TEXT: _text,
        }

    def check(self, item: Item, sent: str) -> Checked:
        """Return what to store of a field as sent, and what is wrong with it."""
        if item.kind in _VARIED:
            return self._check(item, sent)
        key = (item.number, sent)
        checked = self._known.get(key)
        if checked is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            checked = self._known[key] = self._check(item, sent)
        return checked

    def _check(self, item: Item, sent: str) -> Checked:
        if item.kind is Kind.IGNORED:
            return Checked(None)
        if not sent.strip(" "):
            return _blank(item, sent)
        if _CONTROLS.search(sent):
            return Checked(None, (_CONTROL,))
        if item.kind is not Kind.TEXT and not sent.isascii():
            return Checked(None, (_NON_ASCII,))
        value = sent.strip(" ") if item.kind in _TRIMMED else sent
        checked = self._kinds[item.kind](item, value)
        return checked if value == sent else Checked(checked.value, (_TRIM, *checked.problems))

    def _mpan(self, _item: Item, value: str) -> Checked:
        if not _MPAN.fullmatch(value):
            return _error("bad-mpan", "must have exactly 13 digits.")
        is_valid = has_valid_check_digit(value)
        if is_valid is False:
            says = f"ends with {value[12]}, but its check digit is {check_digit(value[:12])}."
            severity: Severity = "error" if self._options.check_digit == "reject" else "warning"
            return Checked(value, (Problem("check-digit", severity, says),))
        if value.startswith("77"):
            says = "is an asset id of prefix 77, whose check digit cannot be verified."
            return _warning(value, "check-digit-unknown", says)
        return Checked(value)

    def _instant(self, item: Item, value: str) -> Checked:
        instant = self._instants.read(value)
        if instant is None:
            says = "must be a real date and time of the years 1950 to 2199, written ccyymmddhhmmss."
            return _error("bad-instant", says)
        problems = []
        if change := self._instants.clock_change(value):
            problems.append(_CLOCK_CHANGES[change])
        if item.is_mandatory and self._instants.is_after_creation(value):
            problems.append(_FUTURE)
        return Checked(instant, tuple(problems))


_CLOCK_CHANGES = {
    "gap": Problem("clock-gap", "warning", "does not exist in London: the clocks skip that hour."),
    "twice": Problem("clock-twice", "warning", "occurs twice in London; the earlier is assumed."),
}
_FUTURE = Problem("after-creation", "warning", "lies after the creation of the file.")


def _error(code: str, says: str) -> Checked:
    return Checked(None, (Problem(code, "error", says),))


def _warning(value: str, code: str, says: str) -> Checked:
    return Checked(value, (Problem(code, "warning", says),))


def _blank(item: Item, sent: str) -> Checked:
    problems = (_TRIM,) if sent else ()
    if item.is_mandatory:
        problems = (*problems, _BLANK_TOLERATED if item.is_blank_tolerated else _BLANK)
    return Checked(None, problems)


def _serial(item: Item, value: str) -> Checked:
    if len(value) > _LONGEST_SERIAL:
        return _error("too-long", f"is longer than {_LONGEST_SERIAL} characters.")
    return _text(item, value)


def _text(item: Item, value: str) -> Checked:
    if len(value) > item.length:
        return _warning(value, "too-long", f"is longer than {item.length} characters.")
    return Checked(value)


def _register(item: Item, value: str) -> Checked:
    if len(value) > item.length:
        return _error("too-long", f"is longer than {item.length} characters.")
    if not _LETTERS_AND_DIGITS.fullmatch(value):
        return _warning(value, "odd-register", "holds more than letters and digits.")
    return Checked(value)


def _code(item: Item, value: str) -> Checked:
    if len(value) != item.length:
        return _error("bad-code", f"must have {item.length} character(s).")
    if value not in item.codes:
        return _warning(value, "unknown-code", "has a value that the catalogue does not list.")
    if value in item.foreign_codes:
        return _warning(value, "foreign-code", "has a value that belongs to other flows.")
    return Checked(value)


def _flag(_item: Item, value: str) -> Checked:
    return Checked(value) if value in ("T", "F") else _error("bad-flag", "must be T or F.")


def _value(_item: Item, value: str) -> Checked:
    if not _VALUE.fullmatch(value):
        says = "must be digits, at most nine, and at most three more after a point."
        return _error("bad-value", says)
    if not _USUAL_VALUE.fullmatch(value):
        return _warning(value, "odd-value", "has more than eight digits or more than one decimal.")
    return Checked(value)


def _count(_item: Item, value: str) -> Checked:
    return Checked(value) if _COUNT.fullmatch(value) else _error("bad-count", "must be 0 to 999.")
