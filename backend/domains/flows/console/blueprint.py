"""The staff console of flows: one blueprint over the pages of readings and of files."""

from typing import Any

from backend.core.auth import Entry, PageBlueprint
from backend.domains.flows import d0010

blueprint = PageBlueprint(
    "flows_console",
    "backend.domains.flows",
    role="staff",
    template_folder="templates",
    entries=(
        Entry(
            "Meter readings",
            "flows_console.show_readings",
            "Find readings by MPAN or by meter serial, with the file they came in.",
        ),
    ),
)


@blueprint.context_processor
def _context() -> dict[str, Any]:
    return {"label": _label, "truth": {True: "T: valid", False: "F: suspect"}.get}


def _label(item: str, code: str | None) -> str | None:
    """Return a code with what it means."""
    words = d0010.LABELS[item].get(code or "")
    return f"{code}: {words}" if words else code
