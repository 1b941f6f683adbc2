"""Whether a file as a whole may be imported."""

from collections.abc import Iterable

from backend.domains.flows.d0010.records import Finding, Options, Survey


def verdict(survey: Survey, options: Options) -> list[Finding]:
    """Return every finding about the file as a whole; one error refuses the file."""
    raise NotImplementedError


def is_refused(findings: Iterable[Finding]) -> bool:
    """Tell whether findings hold an error."""
    return any(finding.severity == "error" for finding in findings)
