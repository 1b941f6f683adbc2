"""What staff see of flows: the files that came in, and the readings that they brought."""

from backend.domains.flows.console import files, readings, sections, uploads
from backend.domains.flows.console.blueprint import blueprint

__all__ = ["blueprint", "files", "readings", "sections", "uploads"]
