"""Which occurrence of a reading counts, worked out when it is asked: nothing of it is stored.

An occurrence is one register line of one file. Its natural key is MPAN, serial, register, local
time and reading type; the order is that of the files' creation, then of their import, then of their
lines. The last of its key is current and the earlier ones are superseded. A withdrawal (type W)
withdraws whatever any earlier line says of the same MPAN, serial, register and time. Readings of
test files have no part in any of this.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    and_,
    func,
    literal_column,
    select,
    true,
)

from backend.domains.flows import d0010
from backend.domains.flows.models import FlowFile, FlowReading

WITHDRAWAL = "W"
NEWEST_FIRST = (
    FlowReading.reading_at_local.desc(),
    FlowFile.created_at_local.desc(),
    FlowReading.file_id.desc(),
    FlowReading.line_number.desc(),
)


class Position(NamedTuple):
    """The place of an occurrence among all, by time and then by the order of what was said."""

    reading_at_local: datetime
    created_at_local: datetime
    file_id: int
    line_number: int


class Occurrence(NamedTuple):
    """One register line as it was sent, with its file and its present standing."""

    file_id: int
    line_number: int
    reading_at_local: datetime
    mpan: str
    bsc_status: str
    serial: str
    serial_key: str
    register: str
    reading_type: str
    value: Decimal
    value_text: str
    is_flag_valid: bool | None
    is_status_valid: bool | None
    method: str | None
    reason_code: str | None
    md_reset_at: datetime | None
    md_resets: int | None
    file_name: str
    flow: str
    created_at_local: datetime
    is_test: bool
    is_superseded: bool
    is_withdrawn: bool
    is_without_match: bool

    @property
    def position(self) -> Position:
        """The place of this occurrence among all."""
        return Position(
            self.reading_at_local, self.created_at_local, self.file_id, self.line_number
        )

    @property
    def type_label(self) -> str:
        """The reading type in words; a code that the catalogue did not know is itself."""
        return d0010.LABELS["J0171"].get(self.reading_type, self.reading_type)

    @property
    def is_withdrawal(self) -> bool:
        """Whether this takes another reading back rather than giving one."""
        return self.reading_type == WITHDRAWAL

    @property
    def is_valid(self) -> bool | None:
        """The sender's last word on the value: the status, else the flag, else nothing."""
        return self.is_flag_valid if self.is_status_valid is None else self.is_status_valid

    @property
    def is_usable(self) -> bool:
        """Whether the value was validated, is not suspect and has not been taken back."""
        return (
            self.bsc_status == "V"
            and self.is_valid is not False
            and not self.is_withdrawn
            and not self.is_withdrawal
        )

    @property
    def _is_unquestioned(self) -> bool:
        was_always_valid = self.is_valid is True and self.is_flag_valid is not False
        return was_always_valid and not self.is_superseded

    @property
    def badges(self) -> tuple[str, ...]:
        """What a person has to know before using the value, in words of one or two."""
        return tuple(
            name
            for name, applies in (
                ("test data", self.is_test),
                ("withdrawal", self.is_withdrawal),
                ("without match", self.is_without_match),
                ("withdrawn", self.is_withdrawn),
                ("superseded", self.is_superseded),
                ("failed", self.bsc_status == "F"),
                ("not validated", self.bsc_status == "U"),
                ("unknown status", self.bsc_status not in {"V", "U", "F"}),
                ("suspect", self.is_valid is False),
                (
                    "failed, then accepted",
                    self.is_flag_valid is False and self.is_status_valid is True,
                ),
                ("no verdict", self.is_valid is None),
                ("valid", self.is_usable and self._is_unquestioned),
            )
            if applies
        )


class _Window(TypedDict):
    """Which rows a count looks at."""

    partition_by: Sequence[ColumnElement[Any]]
    order_by: Sequence[ColumnElement[Any]]
    rows: tuple[int | None, int | None]


_STANDING = ("is_superseded", "is_withdrawn", "is_without_match")
_FROM_FILE = (
    FlowFile.name.label("file_name"),
    FlowFile.flow,
    FlowFile.created_at_local,
    FlowFile.is_test,
)
_FROM_READING = tuple(
    FlowReading.__table__.c[name] for name in Occurrence._fields if name in FlowReading.__table__.c
)


def said() -> Select[Any]:
    """Return the query of every occurrence with its file, to be narrowed down."""
    return select(*_FROM_READING, *_FROM_FILE).join(FlowFile, FlowFile.id == FlowReading.file_id)


def with_standing(found: CTE) -> Select[Any]:
    """Return the query of the found occurrences with their standing, in the order of the fields.

    It looks only at what was said of the same MPANs at the same times, so its work depends on how
    many were found and not on the size of the table.
    """
    standing = _standing(found)
    columns = [
        func.coalesce(standing.c[name], False).label(name) if name in _STANDING else found.c[name]
        for name in Occurrence._fields
    ]
    same = and_(
        standing.c.file_id == found.c.file_id, standing.c.line_number == found.c.line_number
    )
    return select(*columns).select_from(found).outerjoin(standing, same)


def _standing(found: CTE) -> Subquery:
    """Return what all other occurrences make of each one at the found MPANs and times."""
    rows = _beside(found)
    register = (rows.c.mpan, rows.c.serial_key, rows.c.register, rows.c.reading_at_local)
    newest_first = [rows.c[name].desc() for name in Position._fields[1:]]
    is_withdrawal = rows.c.reading_type == WITHDRAWAL
    withdrawals, readings = (func.count().filter(each) for each in (is_withdrawal, ~is_withdrawal))
    down_to_here: _Window = {"partition_by": register, "order_by": newest_first, "rows": (None, 0)}
    rank = func.row_number().over(
        partition_by=(*register, rows.c.reading_type), order_by=newest_first
    )
    has_no_earlier = readings.over(partition_by=register) == readings.over(**down_to_here)
    return select(
        rows.c.file_id,
        rows.c.line_number,
        (rank > 1).label("is_superseded"),
        and_(~is_withdrawal, withdrawals.over(**down_to_here) > 0).label("is_withdrawn"),
        and_(is_withdrawal, has_no_earlier).label("is_without_match"),
    ).subquery("standing")


def _beside(found: CTE) -> Subquery:
    """Return every occurrence at the found MPANs and times."""
    moments = select(found.c.mpan, found.c.reading_at_local).distinct().subquery("moments")
    # The offset keeps the planner from turning this into a join that reads the whole table.
    rows = (
        select(
            FlowReading.file_id,
            FlowReading.line_number,
            FlowReading.mpan,
            FlowReading.serial_key,
            FlowReading.register,
            FlowReading.reading_at_local,
            FlowReading.reading_type,
            FlowFile.created_at_local,
        )
        .join(FlowFile, FlowFile.id == FlowReading.file_id)
        .where(
            FlowReading.mpan == moments.c.mpan,
            FlowReading.reading_at_local == moments.c.reading_at_local,
            FlowFile.is_test.is_(False),
        )
        .offset(literal_column("0"))
        .lateral("rows")
    )
    return select(rows).select_from(moments).join(rows, true()).subquery("beside")
