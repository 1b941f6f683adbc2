"""The shapes that go in and out of the parser."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]

READING_FIELDS = (
    "line_number",
    "mpan",
    "bsc_status",
    "serial",
    "serial_key",
    "reading_type",
    "register",
    "reading_at_local",
    "value",
    "value_text",
    "md_reset_at",
    "md_resets",
    "is_flag_valid",
    "method",
    "reason_code",
    "is_status_valid",
)
VISIT_FIELDS = (
    "line_number",
    "parent_line",
    "parent_group",
    "mpan",
    "serial",
    "register",
    "check_code",
    "text",
)
METER_FIELDS = ("line_number", "mpan", "bsc_status", "serial", "serial_key", "reading_type")


class Finding(NamedTuple):
    """One thing that is wrong or odd, said so that a support person can act on it."""

    code: str
    severity: Severity
    message: str
    line: int | None = None
    group: str | None = None
    item: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may decide about an import.

    `strict` is not looked at here: the importer refuses a file when its counters hold an error.
    """

    strict: bool = False
    lenient_footer: bool = False
    allow_test: bool = False
    check_digit: Literal["reject", "warn"] = "reject"


@dataclass(frozen=True, slots=True)
class Header:
    """The ZHV line; `created` is local to Europe/London and has no zone."""

    file_id: str
    flow: str
    version: str
    from_role: str
    from_participant: str
    to_role: str
    to_participant: str
    created: datetime
    created_text: str
    sending_application: str
    receiving_application: str
    broadcast: str
    test_flag: str

    @property
    def is_test(self) -> bool:
        """Tell whether the sender marked the file as anything but operational."""
        return self.test_flag not in ("", "OPER")

    @property
    def business_key(self) -> tuple[str, str, str, str, str]:
        """Return what names this file at its sender: role, participant, id, flow, creation."""
        return (
            self.from_role,
            self.from_participant,
            self.file_id,
            self.flow + self.version,
            self.created_text,
        )


@dataclass(frozen=True, slots=True)
class Trailer:
    """The ZPT line as sent; counts are None where they are blank or no number."""

    line: int
    file_id: str
    group_count: int | None
    checksum: str
    flow_count: int | None
    completed_text: str
    is_flow_count_sent: bool = True
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over a file tells.

    `findings` holds what is true of the file whatever the options are; use `verdict` for all.
    `line_offsets` pairs the number of a line with the byte where it starts, some kilobytes apart,
    never more than some thousand pairs.
    """

    size: int
    content_hash: str
    raw_hash: str
    lines: int
    groups: int
    root_groups: int
    header: Header | None
    trailer: Trailer | None
    findings: tuple[Finding, ...]
    line_offsets: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Counters:
    """Running totals since the start of the file.

    A line of an unknown group is a record that is neither accepted nor rejected.
    """

    records: int = 0
    records_accepted: int = 0
    records_rejected: int = 0
    root_groups: int = 0
    root_groups_accepted: int = 0
    root_groups_rejected: int = 0
    readings: int = 0
    readings_accepted: int = 0
    readings_rejected: int = 0
    errors: int = 0
    warnings: int = 0


@dataclass(slots=True)
class Batch:
    """A run of results in file order.

    The three lists hold rows of PostgreSQL's COPY text format without their newline, columns in
    the order of `READING_FIELDS`, `VISIT_FIELDS` and `METER_FIELDS`; `copytext.render` makes them
    bytes for COPY and `copytext.fields` takes one apart. `meters` has the meters (group 028) that
    have no accepted reading; all others are in `readings`. `counters` is a copy.
    """

    readings: list[str] = field(default_factory=list)
    visits: list[str] = field(default_factory=list)
    meters: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)


def serial_key(serial: str) -> str:
    """Return the form in which serials are compared: upper case, no spaces."""
    return "".join(serial.split()).upper()
