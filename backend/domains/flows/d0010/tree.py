"""The second pass line by line: fields, the tree of groups, and what is rejected with what.

This is the whole of the rules. The parser's fast way only skips it for runs of lines about which
nothing is to be said, and gives the same result.
"""

from dataclasses import dataclass, field, replace

from backend.domains.flows.d0010.copytext import row
from backend.domains.flows.d0010.findings import shortened
from backend.domains.flows.d0010.groups import GroupReader
from backend.domains.flows.d0010.lines import group_code, is_blank
from backend.domains.flows.d0010.records import (
    Batch,
    Counters,
    Finding,
    Options,
    Severity,
    serial_key,
)
from backend.domains.flows.d0010.tables import PARENTS, Flow, Group, Role
from backend.domains.flows.d0010.times import Instants

_BATCH = 20_000
_OPENING = (Role.MPAN, Role.METER, Role.REGISTER)
# Within a parent these come before their siblings.
_FIRST = frozenset({Role.MPAN_VISIT, Role.METER_VISIT, Role.RESULT})


@dataclass(slots=True)
class Node:
    """An open group: `values` is None for one that was rejected."""

    line: int
    group: Group
    values: tuple[str | None, ...] | None
    has_late_child: bool = False
    has_meter: bool = False
    has_reading: bool = False
    results: list[tuple[str | None, ...]] = field(default_factory=list)


class Tree:
    """Takes the lines of one file in order and fills batches."""

    def __init__(self, flow: Flow, options: Options, instants: Instants) -> None:
        self.batch = Batch()
        self.counters = Counters()
        self._flow = flow
        self._reader = GroupReader(options, instants, self._say)
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
        for each in reversed(_OPENING[_OPENING.index(role) :]):
            node = self._nodes.pop(each, None)
            if node is None or node.values is None:
                continue
            if each is Role.REGISTER:
                self._emit_reading(node, node.values)
            elif each is Role.METER and not node.has_reading:
                self.batch.meters.append(row((str(node.line), *self._meter(node))))
            elif each is Role.MPAN and not node.has_meter:
                message = "The MPAN comes without a meter."
                self._note(node.line, node.group, "warning", "no-meter", message)

    def open_rows(self) -> tuple[str | None, str | None]:
        """Return the columns of the open MPAN and of the open meter, None where there is none."""
        owner, meter = self._nodes.get(Role.MPAN), self._nodes.get(Role.METER)
        return (
            row(owner.values) if owner and owner.values else None,
            row(self._meter(meter)) if meter and meter.values else None,
        )

    def advance(self, records: int, roots: int, readings: int, owner_line: int, owner: str, meter_line: int, meter: str) -> None:
        """Catch up with a run of faultless readings."""
        counters = self.counters
        counters.records += records
        counters.records_accepted += records
        counters.root_groups += roots
        counters.root_groups_accepted += roots
        counters.readings += readings
        counters.readings_accepted += readings
        mpan, bsc, serial, _, kind = meter.split("\t")
        if owner_line:
            self._nodes[Role.MPAN] = Node(owner_line, self._group(Role.MPAN), (mpan, bsc))
        if meter_line:
            self._nodes[Role.METER] = Node(meter_line, self._group(Role.METER), (serial, kind))
        for role in (Role.MPAN, Role.METER):
            node = self._nodes[role]
            node.has_late_child = node.has_meter = node.has_reading = True

    def _group(self, role):
        return self._flow.groups[self._flow.code(role)]

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
            counters.root_groups += 1
            counters.root_groups_accepted += values is not None
            counters.root_groups_rejected += values is None
        elif group.role is Role.REGISTER:
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
        if parent.results:
            message = f"The reading of line {parent.line} has several results; the last decides."
            earlier = "|".join(value or "" for value in parent.results[-1])
            self._note(number, group, "warning", "repeated-result", message, earlier)
        parent.results.append(values)

    def _has_place(self, number: int, group: Group) -> bool:
        """Tell whether a line has an accepted parent, and say so if not."""
        role = PARENTS.get(group.role)
        if role is None:
            return True
        parent = self._nodes.get(role)
        if parent is None:
            message = f"The {group.role} has no {role} above it to belong to."
            self._note(number, group, "error", "orphan", message)
            return False
        parent.has_meter = parent.has_meter or group.role is Role.METER
        if parent.values is None:
            message = f"The {group.role} is rejected with the {role} of line {parent.line}."
            self._note(number, group, "error", "parent-rejected", message)
            return False
        if group.role in _FIRST and parent.has_late_child:
            message = f"The {group.role} comes after lines that it should precede."
            self._note(number, group, "warning", "odd-order", message)
        parent.has_late_child = parent.has_late_child or group.role not in _FIRST
        return True

    def _emit_reading(self, node: Node, values: tuple[str | None, ...]) -> None:
        register, instant, value, md_reset, md_resets, flag, method = values
        reason, status = node.results[-1] if node.results else (None, None)
        if flag == "F" and not node.results:
            message = "The reading is flagged as suspect, but no validation result comes with it."
            self._note(node.line, node.group, "warning", "suspect-without-result", message)
        told = (register, instant, value, value, md_reset, md_resets, flag, method, reason, status)
        meter = self._meter(self._nodes[Role.METER])
        self.batch.readings.append(row((str(node.line), *meter, *told)))

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

    def _meter(self, node: Node) -> tuple[str | None, ...]:
        """Return the columns that tell a meter: MPAN, its status, serial, its key, reading type."""
        serial, reading_type = node.values or ("", "")
        mpan = self._nodes[Role.MPAN].values or ()
        return (*mpan, serial, serial_key(serial or ""), reading_type)

    def _count(self, is_accepted: bool) -> None:  # noqa: FBT001 - It is all that is counted.
        self.counters.records_accepted += is_accepted
        self.counters.records_rejected += not is_accepted

    def _note(
        self,
        line: int,
        group: Group,
        severity: Severity,
        code: str,
        message: str,
        value: str | None = None,
    ) -> None:
        self._say(Finding(code, severity, message, line, group.code, value=value))

    def _say(self, finding: Finding) -> None:
        self.batch.findings.append(finding)
        self.counters.errors += finding.severity == "error"
        self.counters.warnings += finding.severity == "warning"


def _first_value(node: Node) -> str | None:
    return node.values[0] if node.values else None
