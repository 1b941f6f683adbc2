"""The flows that are read here: their groups and items (DTC 15.4).

D0086 is bound by the catalogue to stay like D0010, so it is the same tree with other group codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from backend.domains.flows.d0010 import codes


class Kind(StrEnum):
    """How a field is checked."""

    MPAN = "mpan"
    SERIAL = "serial"
    REGISTER = "register"
    CODE = "code"
    FLAG = "flag"
    INSTANT = "instant"
    VALUE = "value"
    COUNT = "count"
    TEXT = "text"
    IGNORED = "ignored"


class Role(StrEnum):
    """What a group is in the tree."""

    MPAN = "MPAN"
    METER = "meter"
    REGISTER = "register reading"
    RESULT = "validation result"
    MPAN_VISIT = "site visit at an MPAN"
    METER_VISIT = "site visit at a meter"
    REGISTER_VISIT = "site visit at a reading"


PARENTS = {
    Role.METER: Role.MPAN,
    Role.REGISTER: Role.METER,
    Role.RESULT: Role.REGISTER,
    Role.MPAN_VISIT: Role.MPAN,
    Role.METER_VISIT: Role.METER,
    Role.REGISTER_VISIT: Role.REGISTER,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One field of a group.

    `foreign_codes` are valid only in other flows: a warning here.
    """

    number: str
    name: str
    kind: Kind
    length: int
    is_mandatory: bool = True
    is_blank_tolerated: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    foreign_codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """One kind of line."""

    code: str
    name: str
    role: Role
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow and version: its groups by code."""

    name: str
    version: str
    groups: Mapping[str, Group]

    def code(self, role: Role) -> str:
        """Return the code of the group in a role."""
        return next(group.code for group in self.groups.values() if group.role is role)


_VISIT = (
    Item("J0024", "Site Visit Check Code", Kind.CODE, 2, codes=codes.VISIT_CHECKS),
    Item("J0012", "Additional Information", Kind.TEXT, 200, is_mandatory=False),
)
_METHOD = Item(
    "J1888",
    "Reading Method",
    Kind.CODE,
    1,
    is_blank_tolerated=True,
    codes=codes.READING_METHODS,
)
# Version 001 has never been met; it most likely lacks the method, so whatever stands there is kept
# in the archive only.
_NO_METHOD = Item("J1888", "Reading Method", Kind.IGNORED, 1, is_mandatory=False)
_REGISTER = (
    Item("J0010", "Meter Register Id", Kind.REGISTER, 2),
    Item("J0016", "Reading Date & Time", Kind.INSTANT, 14),
    Item("J0040", "Register Reading", Kind.VALUE, 13),
    Item("J0044", "MD Reset Date & Time", Kind.INSTANT, 14, is_mandatory=False),
    Item("J1013", "Number of MD Resets", Kind.COUNT, 3, is_mandatory=False),
    Item("J0045", "Meter Reading Flag", Kind.FLAG, 1, is_mandatory=False),
)
_ITEMS = {
    Role.MPAN: (
        Item("J0003", "MPAN Core", Kind.MPAN, 13),
        Item("J0022", "BSC Validation Status", Kind.CODE, 1, codes=codes.BSC_STATUSES),
    ),
    Role.MPAN_VISIT: _VISIT,
    Role.METER: (
        Item("J0004", "Meter Id (Serial Number)", Kind.SERIAL, 10),
        Item(
            "J0171",
            "Reading Type",
            Kind.CODE,
            1,
            codes=codes.READING_TYPES,
            foreign_codes=frozenset("O"),
        ),
    ),
    Role.METER_VISIT: _VISIT,
    Role.REGISTER: (*_REGISTER, _METHOD),
    Role.RESULT: (
        Item("J0332", "Meter Reading Reason Code", Kind.CODE, 2, codes=codes.REASONS),
        Item("J0047", "Meter Reading Status", Kind.FLAG, 1),
    ),
    Role.REGISTER_VISIT: _VISIT,
}
_NAMES = {
    Role.MPAN: "MPAN Cores",
    Role.MPAN_VISIT: "Site Visit Information",
    Role.METER: "Meter/Reading Types",
    Role.METER_VISIT: "Site Visit Information",
    Role.REGISTER: "Register Readings",
    Role.RESULT: "Meter Reading Validation Result",
    Role.REGISTER_VISIT: "Site Visit Information",
}


def _flow(
    name: str, version: str, group_codes: str, register: tuple[Item, ...] = _ITEMS[Role.REGISTER]
) -> Flow:
    items = {**_ITEMS, Role.REGISTER: register}
    groups = {
        code: Group(code, _NAMES[role], role, items[role])
        for code, role in zip(group_codes.split(), items, strict=True)
    }
    return Flow(name, version, groups)


_D0010_CODES = "026 027 028 029 030 032 033"

FLOWS: Mapping[str, Flow] = {
    "D0010001": _flow("D0010", "001", _D0010_CODES, (*_REGISTER, _NO_METHOD)),
    "D0010002": _flow("D0010", "002", _D0010_CODES),
    "D0086002": _flow("D0086", "002", "196 765 197 766 198 07A 199"),
}

LABELS: Mapping[str, Mapping[str, str]] = {
    "J0022": codes.BSC_STATUSES,
    "J0024": codes.VISIT_CHECKS,
    "J0045": codes.VALIDITY,
    "J0047": codes.VALIDITY,
    "J0171": codes.READING_TYPES,
    "J0332": codes.REASONS,
    "J1888": codes.READING_METHODS,
}
