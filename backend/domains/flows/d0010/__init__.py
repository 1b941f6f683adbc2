"""What a D0010 or D0086 file is: its groups, its checks, and the readings in it.

Nothing here knows a database or a clock. `survey` looks at a file once, `verdict` says whether the
file as a whole may be imported, and `parse` streams its readings.
"""

from backend.domains.flows.d0010.copytext import fields, render, row
from backend.domains.flows.d0010.lines import line_at
from backend.domains.flows.d0010.mpan import has_valid_check_digit, with_check_digit
from backend.domains.flows.d0010.parser import parse
from backend.domains.flows.d0010.records import (
    METER_FIELDS,
    READING_FIELDS,
    VISIT_FIELDS,
    Batch,
    Counters,
    Finding,
    Header,
    Options,
    Survey,
    Trailer,
    serial_key,
)
from backend.domains.flows.d0010.surveyor import survey
from backend.domains.flows.d0010.tables import FLOWS, LABELS, Flow, Group, Item
from backend.domains.flows.d0010.verdicts import is_refused, verdict

__all__ = [
    "FLOWS",
    "LABELS",
    "METER_FIELDS",
    "READING_FIELDS",
    "VISIT_FIELDS",
    "Batch",
    "Counters",
    "Finding",
    "Flow",
    "Group",
    "Header",
    "Item",
    "Options",
    "Survey",
    "Trailer",
    "fields",
    "has_valid_check_digit",
    "is_refused",
    "line_at",
    "parse",
    "render",
    "row",
    "serial_key",
    "survey",
    "verdict",
    "with_check_digit",
]
