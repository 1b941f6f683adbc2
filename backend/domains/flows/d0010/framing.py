"""The header ZHV and the trailer ZPT, whose layout comes from practice."""

import re
from datetime import datetime
from typing import NamedTuple

from backend.domains.flows.d0010.findings import file_error, file_warning
from backend.domains.flows.d0010.records import Finding, Header, Trailer
from backend.domains.flows.d0010.times import parse_created

_UNFIT = re.compile(r"[^\x20-\x7e]")
_NUMBER = re.compile(r"[0-9]{1,10}")
_TRAILER_FIELDS = 5
_UTF16 = ("\xff\xfe", "\xfe\xff")


class _Field(NamedTuple):
    name: str
    length: int | None
    is_mandatory: bool = True


_HEADER = (
    _Field("File identifier", 10),
    _Field("Flow and version", 8),
    _Field("From role code (J0001)", None),
    _Field("From participant", 4),
    _Field("To role code (J0001)", None),
    _Field("To participant", 4),
    _Field("Creation timestamp", 14),
    _Field("Sending application", 5, is_mandatory=False),
    _Field("Receiving application", 5, is_mandatory=False),
    _Field("Broadcast", 1, is_mandatory=False),
    _Field("Test data flag", 4, is_mandatory=False),
)
_CREATED = 6


def read_header(line: str) -> tuple[Header | None, list[Finding]]:
    """Return the header that the first line of a file is, and what is wrong with it."""
    if not line.startswith("ZHV|"):
        return None, [header_missing(line)]
    sent = line.split("|")[1:]
    findings: list[Finding] = []
    if sent[-1].strip(" "):
        findings.append(file_warning("missing-terminator", "The header lacks its final '|'.", 1))
    else:
        sent.pop()
    if len(sent) != len(_HEADER):
        findings.append(_wrong_field_count(sent))
    sent = [*sent, *[""] * len(_HEADER)][: len(_HEADER)]
    for field, value in zip(_HEADER, sent, strict=True):
        findings += _check(field, value)
    values = [value.strip(" ") for value in sent]
    created = parse_created(values[_CREATED])
    if values[_CREATED] and created is None:
        message = "The header's creation timestamp is no date and time (ccyymmddhhmmss)."
        findings.append(file_error("header-malformed", message, 1, values[_CREATED]))
    if created is None or any(finding.severity == "error" for finding in findings):
        return None, findings
    return _header(values, created), findings


def _header(values: list[str], created: datetime) -> Header:
    file_id, flow, from_role, from_participant, to_role, to_participant, *others = values
    created_text, sending, receiving, broadcast, test_flag = others
    return Header(
        file_id=file_id,
        flow=flow[:5],
        version=flow[5:],
        from_role=from_role,
        from_participant=from_participant,
        to_role=to_role,
        to_participant=to_participant,
        created=created,
        created_text=created_text,
        sending_application=sending,
        receiving_application=receiving,
        broadcast=broadcast,
        test_flag=test_flag,
    )


def header_missing(line: str) -> Finding:
    """Return the error about a first line that is no header."""
    if line.startswith(_UTF16):
        message = "The file is UTF-16 text, so it is no flow file: flows are plain ASCII."
    elif "\0" in line:
        message = "The file is binary, so it is no flow file."
    else:
        message = "The file does not begin with a header line (ZHV), so it is no flow file."
    return file_error("header-missing", message, 1, line)


def _wrong_field_count(sent: list[str]) -> Finding:
    message = f"The header has {len(sent)} fields instead of {len(_HEADER)}."
    is_filled = any(field.strip(" ") for field in sent[len(_HEADER) :])
    return (
        file_error("header-malformed", message, 1)
        if is_filled
        else file_warning("field-count", message, 1)
    )


def _check(field: _Field, value: str) -> list[Finding]:
    kept = value.strip(" ")
    if _UNFIT.search(value):
        message = f"{field.name} in the header holds a character that cannot be there."
        return [file_error("header-malformed", message, 1, value)]
    if not kept:
        message = f"{field.name} in the header is mandatory and is blank."
        return [file_error("header-malformed", message, 1)] if field.is_mandatory else []
    findings = []
    if kept != value:
        message = f"{field.name} in the header has spaces around it, which were removed."
        findings.append(file_warning("spaces-trimmed", message, 1, value))
    if field.length and len(kept) > field.length:
        message = f"{field.name} in the header is longer than {field.length} characters."
        findings.append(file_warning("too-long", message, 1, value))
    return findings


def read_trailer(line: str, number: int) -> Trailer | None:
    """Return the trailer of a line, or None for one that was cut off."""
    sent = line.split("|")[1:]
    if len(sent) <= _TRAILER_FIELDS or sent[-1].strip(" "):
        return None
    file_id, groups, checksum, roots, completed = sent[:_TRAILER_FIELDS]
    return Trailer(
        line=number,
        file_id=file_id.strip(" "),
        group_count=_number(groups),
        checksum=checksum.strip(" "),
        flow_count=_number(roots),
        completed_text=completed.strip(" "),
        is_flow_count_sent=bool(roots.strip(" ")),
        extra=tuple(sent[_TRAILER_FIELDS:-1]),
    )


def _number(text: str) -> int | None:
    text = text.strip(" ")
    return int(text) if _NUMBER.fullmatch(text) else None
