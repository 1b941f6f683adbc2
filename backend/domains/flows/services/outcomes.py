"""What came of one file, for every door to show in its own way."""

from dataclasses import asdict, dataclass, field
from typing import Any

from backend.domains.flows import d0010

# Beyond these a person looks at the file's own list.
FINDINGS_SHOWN = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The result of one receipt; `file_id` is None where nothing was recorded.

    With `is_left` the file was processed again and refused, and what was there stays.
    """

    name: str
    status: str
    message: str
    file_id: int | None = None
    flow: str | None = None
    is_test: bool = False
    is_dry_run: bool = False
    is_left: bool = False
    duplicate_of_id: int | None = None
    conflicts_with_id: int | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    seconds: float = 0.0
    errors: int = 0
    warnings: int = 0
    counters: d0010.Counters = field(default_factory=d0010.Counters)
    findings: tuple[d0010.Finding, ...] = ()

    def as_json(self, *, findings: int = FINDINGS_SHOWN) -> dict[str, Any]:
        """Return plain values, with no more findings than asked for."""
        counters = asdict(self.counters)
        return {
            "file_id": self.file_id,
            "name": self.name,
            "status": self.status,
            "message": self.message,
            "flow": self.flow,
            "is_test": self.is_test,
            "is_dry_run": self.is_dry_run,
            "duplicate_of_id": self.duplicate_of_id,
            "conflicts_with_id": self.conflicts_with_id,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "seconds": round(self.seconds, 3),
            "records": _three(counters, "records"),
            "mpans": _three(counters, "root_groups"),
            "readings": _three(counters, "readings"),
            "errors": self.errors,
            "warnings": self.warnings,
            "findings": [each._asdict() for each in self.findings[:findings]],
        }


def _three(counters: dict[str, int], name: str) -> dict[str, int]:
    return {
        "total": counters[name],
        "accepted": counters[f"{name}_accepted"],
        "rejected": counters[f"{name}_rejected"],
    }
