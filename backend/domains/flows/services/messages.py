"""What came of a file, in the words that support staff read."""

from collections.abc import Sequence
from datetime import datetime

from backend.domains.flows import d0010
from backend.domains.flows.models import FlowFile
from backend.domains.flows.services.loading import Tally
from backend.domains.flows.services.outcomes import Outcome

INTERRUPTED = "The import was interrupted, and nothing of it was kept. Import the file again."

GONE = "The file was taken away before it could be imported."

_AGAIN = " Processing it again was refused on "

DISCARDED = "It was discarded, and nothing of it was imported."

UNREADABLE = "The file may not be read. Give the worker the right to read it, and bring it again."


def over_size_limit(limit: int | None) -> d0010.Finding:
    """Return the finding for more bytes than this way in accepts."""
    message = f"The file is larger than the {limit or 0:,} bytes that are accepted here."
    return d0010.Finding("over-size-limit", "error", message)


def other_hash(raw_hash: str) -> d0010.Finding:
    """Return the finding for bytes that are not those that were promised."""
    message = f"The file's sha256 is {raw_hash}, which is not the one that was given."
    return d0010.Finding("other-sha256", "error", message)


def imported(tally: Tally) -> str:
    """Say how much was taken in."""
    counters = tally.counters
    said = f"{many(counters.readings_accepted, 'reading')} imported"
    if counters.records_rejected:
        said += f", {many(counters.records_rejected, 'line')} rejected"
    return f"{said}."


def duplicate(first: FlowFile) -> str:
    """Say that these bytes are there already."""
    on = f"{first.started_at:%-d %B %Y}"
    return f"Already imported as file {first.id} ({first.name}) on {on}; nothing was changed."


def conflict(other: FlowFile) -> str:
    """Say that the sender used one identity for two contents."""
    return (
        f"Its sender, file id and creation time are those of file {other.id} ({other.name}), but"
        " its content is another one. Somebody has to decide which of them counts."
    )


def rejected(findings: Sequence[d0010.Finding]) -> str:
    """Say the first thing that is wrong with the file as a whole."""
    errors = [each for each in findings if each.severity == "error"]
    if not errors:
        return "The file cannot be imported."
    more = f" ({many(len(errors) - 1, 'more error')})" if len(errors) > 1 else ""
    return f"{errors[0].message}{more}"


def nothing_accepted(tally: Tally) -> str:
    """Say that no root group was good."""
    roots = tally.counters.root_groups
    return f"None of its {many(roots, 'MPAN')} could be accepted." if roots else "It has no MPAN."


def strict(tally: Tally) -> str:
    """Say that strictness refused the file for its lines."""
    return f"{many(tally.errors, 'error')} in strict mode, which accepts none."


def refused_again(message: str, outcome: Outcome, at: datetime) -> str:
    """Add to a file's message that it was processed again for nothing; the last time is told."""
    status, on = outcome.status.replace("_", " "), f"{at:%-d %B %Y}"
    return (
        f"{message.partition(_AGAIN)[0]}{_AGAIN}{on} ({status}), and what was there stays."
        f" {outcome.message}"
    )


def failure(error: Exception) -> str:
    """Say that we failed, in no word that could quote a line."""
    return (
        f"An unexpected failure ({type(error).__name__}) ended the import, and nothing of it was"
        " kept. Import the file again; if it fails again, tell the developers."
    )


def many(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
