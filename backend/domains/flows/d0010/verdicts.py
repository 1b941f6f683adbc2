"""Whether a file as a whole may be imported."""

from collections.abc import Callable, Iterable

from backend.domains.flows.d0010.findings import file_error, file_warning
from backend.domains.flows.d0010.records import Finding, Header, Options, Survey, Trailer
from backend.domains.flows.d0010.tables import FLOWS


def verdict(survey: Survey, options: Options) -> list[Finding]:
    """Return every finding about the file as a whole; one error refuses the file."""
    findings = list(survey.findings)
    if survey.header:
        findings += _flow(survey.header)
        findings += _test_flag(survey.header, options)
        if survey.header.flow + survey.header.version in FLOWS:
            findings += _content(survey, survey.header, options)
    return findings


def is_refused(findings: Iterable[Finding]) -> bool:
    """Tell whether findings hold an error."""
    return any(finding.severity == "error" for finding in findings)


def _flow(header: Header) -> list[Finding]:
    flow = header.flow + header.version
    if flow == "D0010001":
        message = "D0010 version 001 is read without reading methods, which it does not carry."
        return [file_warning("old-version", message, 1, flow)]
    if flow in FLOWS:
        return []
    known = ", ".join(FLOWS)
    if any(header.flow == each.name for each in FLOWS.values()):
        message = f"Version {header.version or 'blank'} of {header.flow} is not supported: {known}."
        return [file_error("unsupported-version", message, 1, flow)]
    return [file_error("wrong-flow", f"{flow} is not a flow that is read here: {known}.", 1, flow)]


def _test_flag(header: Header, options: Options) -> list[Finding]:
    if not header.is_test:
        return []
    if options.allow_test:
        message = f"The file is marked as test data ({header.test_flag})."
        return [file_warning("test-data", message, 1, header.test_flag)]
    message = f"The file is marked as test data ({header.test_flag}), which is not allowed here."
    return [file_error("test-data", message, 1, header.test_flag)]


def _content(survey: Survey, header: Header, options: Options) -> list[Finding]:
    findings = _footer(survey, header, survey.trailer, options) if survey.trailer else []
    if not survey.root_groups:
        message = "The file holds no MPAN: it has no root group."
        findings.append(file_error("no-root-group", message))
    return findings


def _footer(survey: Survey, header: Header, trailer: Trailer, options: Options) -> list[Finding]:
    say = _sayer(trailer, is_lenient=options.lenient_footer)
    findings = []
    if trailer.file_id != header.file_id:
        message = f"The trailer names file '{trailer.file_id}', the header '{header.file_id}'."
        findings.append(say("trailer-file-id", message))
    if trailer.group_count != survey.groups:
        sent = "no readable number" if trailer.group_count is None else trailer.group_count
        message = f"The trailer's group count is {sent}, but the file has {survey.groups} groups."
        findings.append(say("trailer-group-count", message))
    if trailer.is_flow_count_sent and trailer.flow_count != survey.root_groups:
        sent = "no readable number" if trailer.flow_count is None else trailer.flow_count
        message = f"The trailer's flow count is {sent}, but the file has {survey.root_groups}."
        findings.append(say("trailer-flow-count", message))
    if "".join(trailer.extra).strip(" "):
        message = "The trailer has more fields than a trailer has."
        findings.append(file_error("trailer-malformed", message, trailer.line))
    elif trailer.extra:
        message = "The trailer has more fields than a trailer has; they are blank."
        findings.append(file_warning("field-count", message, trailer.line))
    return findings


def _sayer(trailer: Trailer, *, is_lenient: bool) -> Callable[[str, str], Finding]:
    make = file_warning if is_lenient else file_error
    return lambda code, message: make(code, message, trailer.line)
