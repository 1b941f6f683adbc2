"""The second pass line by line: fields, the tree of groups, and what is rejected with what.

This is the whole of the rules. The parser's fast way only skips it for runs of lines about which
nothing is to be said, and gives the same result.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from backend.domains.flows.d0010.copytext import row
from backend.domains.flows.d0010.findings import shortened
from backend.domains.flows.d0010.groups import GroupReader
from backend.domains.flows.d0010.lines import group_code, is_blank
from backend.domains.flows.d0010.records import (
    Batch,
    Counters,
    Finding,
    Options,
    serial_key,
)
from backend.domains.flows.d0010.tables import PARENTS, Flow, Group, Role
from backend.domains.flows.d0010.times import Instants

_BATCH = 20_000
_OPENING = (Role.MPAN, Role.METER, Role.REGISTER)
# Within a parent these come before their siblings.
_FIRST = frozenset({Role.MPAN_VISIT, Role.METER_VISIT, Role.RESULT})


class Run(NamedTuple):
    """A run of faultless readings.

    `before` and `line` are the numbers of the lines before it and at its end; `owner_line` and
    `meter_line` are those of the MPAN and meter that it left open, 0 where they were open before.
    """

    before: int
    line: int
    roots: int
    rows: list[str]
    owner_line: int
    meter_line: int
    meter: str


@dataclass(slots=True)
class Node:
    """An open group: `values` is None for one that was rejected."""

    line: int
    group: Group
    values: tuple[str | None, ...] | None
    has_late_child: bool = False
    has_meter: bool = False
    has_reading: bool = False
    result: tuple[str | None, ...] | None = None


class Tree:
    """Takes the lines of one file in order and fills batches.

    `owner` and `meter` are the columns of the open MPAN and of the open meter with its MPAN, None
    where none is open or where it was rejected.
    """

    def __init__(self, flow: Flow, options: Options, instants: Instants) -> None:
        self.batch = Batch()
        self.counters = Counters()
        self.owner: str | None = None
        self.meter: str | None = None
        self._flow = flow
        self._root, self._meter_code = flow.code(Role.MPAN), flow.code(Role.METER)
        self._reader = GroupReader(flow, options, instants, self._say)
        self._nodes: dict[Role, Node] = {}

    def take(self, number: int, line: str) -> None:
        """Take one line, without its ending."""
        if is_blank(line):
            return
        code = group_code(line)
        if code in ("ZHV", "ZPT"):
            self.close(Role.MPAN)
            return
        self.counters.records += 1
        group = self._flow.groups.get(code)
        if group is None:
            message = "The line has a group code that is not of this flow, and is skipped."
            self._say(Finding("unknown-group", "warning", message, number, value=shortened(code)))
        elif group.role in _OPENING:
            self._open(number, group, line)
        else:
            self._leaf(number, group, line)

    def close(self, role: Role) -> None:
        """Close the open group of a role and all below it."""
        node = self._nodes.pop(Role.REGISTER, None)
        if node and node.values:
            self._emit_reading(node, node.values)
        if role is Role.REGISTER:
            return
        node = self._nodes.pop(Role.METER, None)
        if node and node.values and not node.has_reading:
            self.batch.meters.append(f"{node.line}\t{self.meter}")
        self.meter = None
        if role is Role.METER:
            return
        node = self._nodes.pop(Role.MPAN, None)
        if node and node.values and not node.has_meter:
            message = "The MPAN comes without a meter."
            self._warn(node.line, node.group, "no-meter", message)
        self.owner = None

    def advance(self, run: Run) -> None:
        """Catch up with a run."""
        records, readings = run.line - run.before, len(run.rows)
        # A run begins with an MPAN, a meter or a register, that much above its first reading.
        height = int(run.rows[0].partition("\t")[0]) - run.before
        self.close(_OPENING[-height])
        self.batch.readings += run.rows
        counters, nodes, groups = self.counters, self._nodes, self._flow.groups
        counters.records += records
        counters.records_accepted += records
        counters.root_groups += run.roots
        counters.root_groups_accepted += run.roots
        counters.readings += readings
        counters.readings_accepted += readings
        mpan, bsc, serial, _, kind = run.meter.split("\t")
        self.owner, self.meter = f"{mpan}\t{bsc}", run.meter
        if run.owner_line:
            nodes[Role.MPAN] = Node(run.owner_line, groups[self._root], (mpan, bsc))
        if run.meter_line:
            nodes[Role.METER] = Node(run.meter_line, groups[self._meter_code], (serial, kind))
        for role in (Role.MPAN, Role.METER):
            node = nodes[role]
            node.has_late_child = node.has_meter = node.has_reading = True

    def is_full(self) -> bool:
        """Tell whether enough has come together for a batch."""
        batch = self.batch
        rows = len(batch.readings) + len(batch.visits) + len(batch.meters) + len(batch.findings)
        return rows >= _BATCH

    def take_batch(self) -> Batch:
        """Return what has come together since the last time, and begin anew."""
        batch, self.batch = self.batch, Batch()
        batch.counters = replace(self.counters)
        return batch

    def _open(self, number: int, group: Group, line: str) -> None:
        self.close(group.role)
        values = self._reader.read(number, group, line) if self._has_place(number, group) else None
        self._count(values is not None)
        counters = self.counters
        if group.role is Role.MPAN:
            self.owner = row(values) if values else None
            counters.root_groups += 1
            counters.root_groups_accepted += values is not None
            counters.root_groups_rejected += values is None
        elif group.role is Role.METER:
            self.meter = self._meter_row(*values) if values else None
        else:
            counters.readings += 1
            counters.readings_accepted += values is not None
            counters.readings_rejected += values is None
            if values is not None:
                self._nodes[Role.METER].has_reading = True
        self._nodes[group.role] = Node(number, group, values)

    def _leaf(self, number: int, group: Group, line: str) -> None:
        values = self._reader.read(number, group, line) if self._has_place(number, group) else None
        self._count(values is not None)
        if values is None:
            return
        parent = self._nodes[PARENTS[group.role]]
        if group.role is not Role.RESULT:
            self._emit_visit(number, parent, values)
            return
        if parent.result:
            message = f"The reading of line {parent.line} has several results; the last decides."
            earlier = "|".join(value or "" for value in parent.result)
            self._warn(number, group, "repeated-result", message, earlier)
        parent.result = values

    def _has_place(self, number: int, group: Group) -> bool:
        """Tell whether a line has an accepted parent, and say so if not."""
        role = PARENTS.get(group.role)
        if role is None:
            return True
        parent = self._nodes.get(role)
        if parent is None:
            message = f"The {group.role} has no {role} above it to belong to."
            self._error(number, group, "orphan", message)
            return False
        parent.has_meter = parent.has_meter or group.role is Role.METER
        if parent.values is None:
            message = f"The {group.role} is rejected with the {role} of line {parent.line}."
            self._error(number, group, "parent-rejected", message)
            return False
        if group.role in _FIRST and parent.has_late_child:
            message = f"The {group.role} comes after lines that it should precede."
            self._warn(number, group, "odd-order", message)
        parent.has_late_child = parent.has_late_child or group.role not in _FIRST
        return True

    def _emit_reading(self, node: Node, values: tuple[str | None, ...]) -> None:
        register, instant, value, md_reset, md_resets, flag, method = values
        if flag == "F" and not node.result:
            message = "The reading is flagged as suspect, but no validation result comes with it."
            self._warn(node.line, node.group, "suspect-without-result", message)
        result = node.result or (None, None)
        told = (register, instant, value, value, md_reset, md_resets, flag, method, *result)
        self.batch.readings.append(f"{node.line}\t{self.meter}\t{row(told)}")

    def _emit_visit(self, number: int, parent: Node, values: tuple[str | None, ...]) -> None:
        nodes = self._nodes
        is_at_meter = parent.group.role is not Role.MPAN
        is_at_register = parent.group.role is Role.REGISTER
        self.batch.visits.append(
            row(
                (
                    str(number),
                    str(parent.line),
                    parent.group.code,
                    _first_value(nodes[Role.MPAN]),
                    _first_value(nodes[Role.METER]) if is_at_meter else None,
                    _first_value(nodes[Role.REGISTER]) if is_at_register else None,
                    *values,
                )
            )
        )

    def _meter_row(self, serial: str | None, reading_type: str | None) -> str:
        return f"{self.owner}\t{row((serial, serial_key(serial or ''), reading_type))}"

    def _count(self, is_accepted: bool) -> None:  # noqa: FBT001 - It is all that is counted.
        self.counters.records_accepted += is_accepted
        self.counters.records_rejected += not is_accepted

    def _error(self, line: int, group: Group, code: str, message: str) -> None:
        self._say(Finding(code, "error", message, line, group.code))

    def _warn(
        self, line: int, group: Group, code: str, message: str, value: str | None = None
    ) -> None:
        self._say(Finding(code, "warning", message, line, group.code, value=value))

    def _say(self, finding: Finding) -> None:
        self.batch.findings.append(finding)
        self.counters.errors += finding.severity == "error"
        self.counters.warnings += finding.severity == "warning"


def _first_value(node: Node) -> str | None:
    return node.values[0] if node.values else None
