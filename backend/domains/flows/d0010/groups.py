"""One line of a group taken apart: its fields, their number and their characters."""

from collections.abc import Callable

from backend.domains.flows.d0010.checks import Checker, Problem
from backend.domains.flows.d0010.findings import shortened
from backend.domains.flows.d0010.lines import decoded
from backend.domains.flows.d0010.mpan import quick_check
from backend.domains.flows.d0010.patterns import line_pattern
from backend.domains.flows.d0010.records import Finding, Options, Severity
from backend.domains.flows.d0010.tables import Flow, Group, Item, Kind, Role
from backend.domains.flows.d0010.times import Instants


class GroupReader:
    """Reads the lines of one file."""

    def __init__(
        self, flow: Flow, options: Options, instants: Instants, say: Callable[[Finding], None]
    ) -> None:
        self._checker = Checker(options, instants)
        self._instants = instants
        self._say = say
        self._patterns = {
            code: line_pattern(group).fullmatch for code, group in flow.groups.items()
        }
        self._has_told_of_bytes = False

    def read(self, number: int, group: Group, line: str) -> tuple[str | None, ...] | None:
        """Return the values of a line's fields, or None when something rejects it."""
        match = self._patterns[group.code](line)
        values = self._faultless(group, match.groups()) if match else None
        return values or self._read_closely(number, group, line)

    def _faultless(self, group: Group, sent: tuple[str, ...]) -> tuple[str | None, ...] | None:
        """Return the values of a line that matches, or None when there is something to say yet."""
        match group.role:
            case Role.MPAN:
                return sent if quick_check(sent[0]) else None
            case Role.REGISTER:
                return self._faultless_register(sent)
            case _:
                return tuple(value or None for value in sent)

    def _faultless_register(self, sent: tuple[str, ...]) -> tuple[str | None, ...] | None:
        register, taken, value, reset, *rest = sent
        instant = self._instants.read_clean(taken)
        reset_instant = self._instants.read_clean(reset) if reset else ""
        if instant is None or reset_instant is None:
            return None
        return register, instant, value, reset_instant or None, *(each or None for each in rest)

    def _read_closely(self, number: int, group: Group, line: str) -> tuple[str | None, ...] | None:
        """Say what there is to say of a line; return its values unless that rejects it."""
        if not line.isascii():
            line = self._decode(number, line)
        code, *sent = line.split("|")
        if code != group.code:
            message = "The group code has spaces around it, which were removed."
            self._note(number, group, "warning", "spaces-trimmed", message)
        fields = self._frame(number, group, sent)
        if fields is None:
            return None
        values = []
        is_valid = True
        for item, field in zip(group.items, fields, strict=True):
            value, problems = self._checker.check(item, field)
            values.append(value)
            for problem in problems:
                is_valid = is_valid and problem.severity != "error"
                self._say(_finding(problem, number, group, item, field))
        return tuple(values) if is_valid else None

    def _frame(self, number: int, group: Group, sent: list[str]) -> list[str] | None:
        """Return exactly the group's fields, or None when there are too many or too few."""
        most = len(group.items)
        if len(sent) == most + 1 and not sent[-1]:
            return sent[:-1]
        least = most - sum(item.kind is Kind.IGNORED for item in group.items)
        is_terminated = bool(sent) and not sent[-1].strip(" ")
        fields = sent[:-1] if is_terminated else sent
        count = f"The line has {len(fields)} fields instead of {most}"
        if any(field.strip(" ") for field in fields[most:]):
            message = f"{count}; a '|' in free text does that."
            self._note(number, group, "error", "field-count", message)
            return None
        if not is_terminated and len(fields) < least:
            message = f"{count} and no final '|': it is cut off."
            self._note(number, group, "error", "line-cut-off", message)
            return None
        if not is_terminated:
            message = "The line lacks its final '|'."
            self._note(number, group, "warning", "missing-terminator", message)
        if len(fields) > most:
            message = f"{count}; those too many are blank."
            self._note(number, group, "warning", "field-count", message)
        elif len(fields) < least:
            message = f"{count}; those missing are taken as blank."
            self._note(number, group, "warning", "field-count", message)
        return [*fields, *[""] * most][:most]

    def _decode(self, number: int, line: str) -> str:
        if not self._has_told_of_bytes:
            self._has_told_of_bytes = True
            message = "The file holds bytes outside ASCII, first in this line; they were kept."
            self._say(Finding("non-ascii-bytes", "warning", message, number))
        return decoded(line)

    def _note(self, number: int, group: Group, severity: Severity, code: str, says: str) -> None:
        self._say(Finding(code, severity, says, number, group.code))


def _finding(problem: Problem, number: int, group: Group, item: Item, sent: str) -> Finding:
    return Finding(
        problem.code,
        problem.severity,
        f"{item.name} ({item.number}) {problem.says}",
        number,
        group.code,
        item.number,
        shortened(sent) or None,
    )
