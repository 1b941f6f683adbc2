"""The expenses file: its rows, and everything that is wrong with them by line and column.

UTF-8 with or without a byte order mark, lines that end in CRLF or LF, a header with five names in
any order. Nothing is guessed: what is not written as expected is named with its place.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from io import TextIOWrapper
from typing import Any, BinaryIO, TextIO

from backend.domains.expenses import cells
from backend.domains.expenses.cells import WrongCell

COLUMNS = ("departments", "project_name", "amount", "date", "member_name")
READERS: dict[str, Callable[[str], Any]] = {
    "departments": cells.words,
    "project_name": cells.words,
    "amount": cells.amount,
    "date": cells.day,
    "member_name": cells.words,
}
SHOWN = 60

_LINE_END = re.compile(r"\r\n|\r|\n")
_CELL = re.compile(r'(?:"[^"]*(?:""[^"]*)*"|(?!")[^,\r\n]*)(?=,|\r|\n|$)')
_OPEN_CELL = re.compile(r'"[^"]*(?:""[^"]*)*')


@dataclass(frozen=True)
class Row:
    """One expense as the file tells it; `line` is where it begins."""

    line: int
    departments: str
    project_name: str
    amount: Decimal
    date: date
    member_name: str


@dataclass(frozen=True)
class Finding:
    """Something wrong or odd: the line, the column by name and number, and what it is."""

    line: int
    column: str | None
    column_number: int | None
    code: str
    detail: str
    text: str | None = None
    suggestion: str | None = None

    def entry(self) -> dict[str, Any]:
        """Return the finding as problems and reports list it."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def __str__(self) -> str:
        """Tell it in a line."""
        column = f", column {self.column_number}" if self.column_number else ""
        name = f" ({self.column})" if self.column else ""
        text = f" It says {self.text!r}." if self.text is not None else ""
        meant = f" Perhaps {self.suggestion!r} is meant." if self.suggestion else ""
        return f"line {self.line}{column}{name}: {self.detail}{text}{meant}"


def opened(stream: BinaryIO) -> TextIOWrapper:
    """Return the file's text with its line ends as they are; bytes beyond UTF-8 are found later."""
    return TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")


def write(rows: Iterable[Mapping[str, Any] | Row], stream: TextIO, line_end: str = "\n") -> None:
    """Write the rows in the form of the file, the header first."""
    stream.write(",".join(COLUMNS) + line_end)
    for row in rows:
        values = vars(row) if isinstance(row, Row) else row
        written = {
            "amount": cells.written_amount(values["amount"]),
            "date": cells.written_day(values["date"]),
        }
        texts = (written.get(name, values[name]) for name in COLUMNS)
        stream.write(",".join(map(_quoted, texts)) + line_end)


@dataclass
class Reading:
    """The file on its way through: iterating yields the good rows and notes what is wrong.

    `read` counts rows of any kind, `bad` those with errors. `is_cut` tells that reading stopped
    before the end, so that nobody knows what else the file says.
    """

    stream: TextIO
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    read: int = 0
    bad: int = 0
    is_cut: bool = False
    columns: tuple[str, ...] = ()
    _kept: list[str] = field(default_factory=list, init=False, repr=False)

    def __iter__(self) -> Iterator[Row]:
        """Yield the good rows in the order of the file."""
        records = self._records()
        for line, names in records:
            self._read_header(line, names)
            break
        else:
            self._note(1, None, "empty_file", "The file is empty; a header line is expected.")
        if self.errors:
            self.is_cut = True
            return
        for line, found in records:
            self.read += 1
            row = None if found is None else self._row(line, found)
            if row is not None:
                yield row
            else:
                self.bad += 1

    def _lines(self) -> Iterator[str]:
        """Yield the physical lines, and keep those of the present record to look at again."""
        for line in self.stream:
            self._kept.append(line)
            yield line

    def _records(self) -> Iterator[tuple[int, list[str] | None]]:
        """Yield each record with the line it begins at; none where it cannot be taken apart."""
        reader = csv.reader(self._lines(), strict=True)
        while not self.is_cut:
            line = reader.line_num + 1
            self._kept.clear()
            try:
                yield line, next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._note_broken(line, "".join(self._kept), is_long="limit" in str(error))
                yield line, None

    def _note_broken(self, line: int, text: str, *, is_long: bool) -> None:
        """Find the cell whose quotes are wrong: one never closed swallows the rest of the file."""
        at, number = 0, 1
        while (found := _CELL.match(text, at)) and text.startswith(",", found.end()):
            at, number = found.end() + 1, number + 1
        line += _line_ends(text[:at])
        if is_long:
            self.is_cut = True
            detail = "This cell is longer than can be read; perhaps its quote is never closed."
            self._note(line, number, "too_long", detail, text[at:])
        elif _OPEN_CELL.fullmatch(text, at):
            self.is_cut = True
            detail = "This quote is never closed; nothing behind it can be read."
            self._note(line, number, "unclosed_quote", detail, text[at:])
        else:
            detail = "A closing quote is followed by a comma; inner quotes are doubled."
            self._note(line, number, "invalid_quoting", detail, text[at:])

    def _read_header(self, line: int, names: list[str] | None) -> None:
        for number, name in enumerate(names or (), start=1):
            if name not in COLUMNS:
                missing = [each for each in COLUMNS if each not in (names or ())]
                close = get_close_matches(name.strip().lower(), missing, n=1, cutoff=0.6)
                detail = "No column has this name."
                suggestion = close[0] if close else None
                self._note(line, number, "unknown_column", detail, name, suggestion)
            elif name in (names or ())[: number - 1]:
                self._note(line, number, "repeated_column", "This column is named twice.", name)
        for name in COLUMNS:
            if names is not None and name not in names:
                self._note(line, None, "missing_column", f"The column {name} is missing.")
        self.columns = tuple(names or ())

    def _row(self, line: int, found: list[str]) -> Row | None:
        """Return the row, or none after noting everything that is wrong with it."""
        before = len(self.errors)
        if len(found) > len(COLUMNS):
            self._note_long(line, found)
            return None
        values = {}
        has_line_ends = _LINE_END.search("".join(found)) is not None
        for number, name in enumerate(self.columns, start=1):
            here = line + (_line_ends(*found[: number - 1]) if has_line_ends else 0)
            if number > len(found):
                detail = f"The row ends after {len(found)} of {len(COLUMNS)} cells."
                self._note(here, number, "short_row", detail if found else "The line is empty.")
                break
            values[name] = self._cell(here, number, name, found[number - 1])
        return None if len(self.errors) > before else Row(line=line, **values)

    def _cell(self, line: int, number: int, name: str, text: str) -> Any:
        trimmed = text.strip()
        if not trimmed:
            self._note(line, number, "empty_cell", f"{name} is empty.")
            return None
        if trimmed != text:
            detail = "Blanks around the value were taken away."
            self._note(line, number, "trimmed_blanks", detail, text, found=self.warnings)
        try:
            return READERS[name](trimmed)
        except WrongCell as wrong:
            self._note(line, number, wrong.code, wrong.detail, text, wrong.suggestion)
            return None

    def _note_long(self, line: int, found: list[str]) -> None:
        at = self.columns.index("amount")
        meant = ",".join(found[at : at + 1 + len(found) - len(COLUMNS)])
        try:
            cells.amount(meant)
        except WrongCell:
            number = len(COLUMNS) + 1
            detail = f"The row has {len(found)} cells instead of {len(COLUMNS)}."
            here = line + _line_ends(*found[: len(COLUMNS)])
            self._note(here, number, "long_row", detail, found[len(COLUMNS)])
            return
        detail = "The row has a cell too many: an amount with a comma needs quotes."
        here = line + _line_ends(*found[:at])
        self._note(here, at + 1, "unquoted_amount", detail, meant, f'"{meant}"')

    def _note(  # noqa: PLR0913, PLR0917  one for each member of the finding
        self,
        line: int,
        number: int | None,
        code: str,
        detail: str,
        text: str | None = None,
        suggestion: str | None = None,
        *,
        found: list[Finding] | None = None,
    ) -> None:
        is_named = number is not None and number <= len(self.columns)
        column = self.columns[number - 1] if is_named and number else None
        shown = None if text is None else _shortened(text)
        noted = Finding(line, column, number, code, detail, shown, suggestion)
        (self.errors if found is None else found).append(noted)


def _quoted(text: str) -> str:
    # The library's writer would leave a carriage return bare that is not part of its line end.
    return '"' + text.replace('"', '""') + '"' if re.search(r'[,"\r\n]', text) else text


def _line_ends(*texts: str) -> int:
    return sum(len(_LINE_END.findall(text)) for text in texts)


def _shortened(text: str) -> str:
    """Return the text as it can be shown: short, and with a mark for each unreadable byte."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
