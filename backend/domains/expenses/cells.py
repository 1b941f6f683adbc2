"""The cells of an expenses file: how an amount, a day and a name are written there."""

import re
from datetime import date
from decimal import Decimal

CURRENCY = "EUR"
MOST_CHARACTERS = 80
MOST_DIGITS = 10
FIRST_YEAR, LAST_YEAR = 1900, 9998
MONTHS = 12

_AMOUNT = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})*|[0-9]+)\.[0-9]{2}€")
_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_ISO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_OTHER_SIGN = re.compile(r"[$£¥₣₤₹₺₽]|[A-Za-z]{3}")
_UNREADABLE = re.compile("[\ud800-\udfff]")
_MISREADINGS = (
    (_UNREADABLE, "invalid_encoding", "These bytes are not UTF-8."),
    (_OTHER_SIGN, "other_currency", "Amounts are in euros, with € directly behind."),
    (re.compile(r"^[-+(]"), "invalid_amount", "Amounts carry no sign."),
    (re.compile(r"^[0-9,]+\.[0-9]{2}€$"), "invalid_amount", "Commas part groups of three digits."),
    (
        re.compile(r"^[0-9.]*,[0-9]{2}\s?€$"),
        "invalid_amount",
        "Decimals follow a point, thousands a comma.",
    ),
    (re.compile(r"^[0-9,]+(\.[0-9]*)?€$"), "invalid_amount", "Exactly two decimals are expected."),
)


class WrongCell(ValueError):
    """The text cannot stand in this column; the suggestion, when there is one, could."""

    def __init__(self, code: str, detail: str, suggestion: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.suggestion = suggestion


def words(text: str) -> str:
    """Return a name, which may be any text that can be kept and sorted.

    :raises WrongCell: when it is too long or holds what is no character
    """
    if _UNREADABLE.search(text):
        raise WrongCell("invalid_encoding", "These bytes are not UTF-8.")
    if "\0" in text:
        raise WrongCell("invalid_text", "The character U+0000 cannot be kept.")
    if len(text) > MOST_CHARACTERS:
        raise WrongCell("too_long", f"At most {MOST_CHARACTERS} characters, not {len(text)}.")
    return text


def amount(text: str) -> Decimal:
    """Return the amount in euros that is written like `800.50€` or `1,234.00€`.

    :raises WrongCell: when it is written in another way, or is too large
    """
    if not _AMOUNT.fullmatch(text):
        raise _misread_amount(text)
    found = Decimal(text.removesuffix("€").replace(",", ""))
    if found >= Decimal(10) ** MOST_DIGITS:
        raise WrongCell("out_of_range", f"At most {MOST_DIGITS} digits before the point.")
    return found


def _misread_amount(text: str) -> WrongCell:
    number = text.replace("€", "").strip()
    if not _OTHER_SIGN.search(text) and _AMOUNT.fullmatch(f"{number}€"):
        if "€" in text:
            return WrongCell(
                "invalid_amount", "One euro sign stands directly behind.", f"{number}€"
            )
        return WrongCell("currency_missing", "The euro sign is missing.", f"{number}€")
    for pattern, code, detail in _MISREADINGS:
        if pattern.search(text):
            return WrongCell(code, detail)
    return WrongCell("invalid_amount", "Amounts look like 800.50€ or 1,234.00€.")


def day(text: str) -> date:
    """Return the day that is written as month/day/year.

    :raises WrongCell: when it is written in another order or form, or there is no such day
    """
    found = _DAY.fullmatch(text)
    if found is None:
        raise _misread_day(text)
    month, number, year = map(int, found.groups())
    if month > MONTHS >= number > 0:
        raise WrongCell("invalid_date", "Dates are month/day/year; this looks like D/M/YYYY.")
    try:
        meant = date(year, month, number)
    except ValueError:
        raise WrongCell("invalid_date", "There is no such day; dates are month/day/year.") from None
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise WrongCell("out_of_range", f"Years are from {FIRST_YEAR} to {LAST_YEAR}.")
    return meant


def _misread_day(text: str) -> WrongCell:
    if _UNREADABLE.search(text):
        return WrongCell("invalid_encoding", "These bytes are not UTF-8.")
    if found := _ISO_DAY.fullmatch(text):
        year, month, number = found.groups()
        suggestion = f"{int(month)}/{int(number)}/{year}"
        detail = "Dates are month/day/year; this looks like YYYY-MM-DD."
        return WrongCell("invalid_date", detail, suggestion)
    if re.fullmatch(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}", text):
        return WrongCell("invalid_date", "The year has four digits.")
    return WrongCell("invalid_date", "Dates are month/day/year, such as 3/7/2024.")


def written_amount(value: Decimal) -> str:
    """Return the amount as the file writes it."""
    return f"{value:,.2f}€"


def written_day(value: date) -> str:
    """Return the day as the file writes it."""
    return f"{value.month}/{value.day}/{value.year}"
