"""The patterns of what nothing is to be said about, built from the tables of the groups.

What matches has passed every check of `checks` but the two that no pattern can make: those of check
digits and of instants.
"""

import re
from collections.abc import Set as AbstractSet
from itertools import groupby

from backend.domains.flows.d0010.tables import Flow, Group, Item, Kind, Role

_ANY_TEXT = r"[\t -{}~]"
_PLAIN_TEXT = r"[ -\[\]-{}~]"
_PARTS = {
    # Prefixes 77 and 78 are asset ids, whose check digits follow other rules.
    Kind.MPAN: "(?!7[78])[0-9]{13}",
    Kind.SERIAL: r"(?! *\|)[\t -{}~]{1,LENGTH}",
    Kind.TEXT: r"(?! *\|)[\t -{}~]{1,LENGTH}",
    Kind.REGISTER: "[0-9A-Za-z]{1,LENGTH}",
    Kind.FLAG: "[TF]",
    Kind.INSTANT: "[0-9]{14}",
    Kind.VALUE: r"[0-9]{1,8}(?:\.[0-9])?",
    Kind.COUNT: "[0-9]{1,3}",
}


def line_pattern(group: Group) -> re.Pattern[str]:
    """Return a pattern of whole lines, with one group for each item."""
    return re.compile(rf"{group.code}\|" + "".join(_field(item) for item in group.items))


def reading_pattern(flow: Flow) -> re.Pattern[str]:
    r"""Return a pattern that takes one reading, or else one line, at a time.

    Its groups are the text of the whole match, then MPAN, BSC status, serial, type, register,
    instant, value, flag, method, reason and status; a line that is no such reading fills the first
    group alone. A reading brings the MPAN and meter above it when they come right before, and is
    taken only when the next line opens a group, since what else may follow has to find it.

    What COPY would have to escape is not in it, and readings of maximum demand are not.
    """
    mpan, meter, register, result = (
        flow.groups[flow.code(role)] for role in (Role.MPAN, Role.METER, Role.REGISTER, Role.RESULT)
    )
    serial, kind = meter.items
    label, instant, value, _, _, flag, method = register.items
    return re.compile(
        rf"((?:(?:{line_pattern(mpan).pattern}\n)?"
        rf"{meter.code}\|{_field(serial).replace(_ANY_TEXT, _PLAIN_TEXT)}{_field(kind)}\n)?"
        rf"{register.code}\|{_field(label)}{_field(instant)}{_field(value)}\|\|{_field(flag)}"
        rf"{_field(method)}\n"
        rf"(?:{line_pattern(result).pattern}\n)?"
        rf"(?={mpan.code}\||{meter.code}\||{register.code}\|)"
        r"|[^\n]+\n?|\n)"
    )


def _field(item: Item) -> str:
    if item.kind is Kind.IGNORED:
        return "()"
    if item.kind is Kind.CODE:
        part = _any_of(item.codes.keys() - item.foreign_codes)
    else:
        part = _PARTS[item.kind].replace("LENGTH", str(item.length))
    return rf"({part}{'' if item.is_mandatory else '|'})\|"


def _any_of(codes: AbstractSet[str]) -> str:
    """Return a pattern of any of some codes, of which many begin alike."""
    if all(len(code) == 1 for code in codes):
        return f"[{''.join(sorted(codes))}]"
    return "|".join(
        f"{first}[{''.join(code[1] for code in same)}]"
        for first, same in groupby(sorted(codes), key=lambda code: code[0])
    )
