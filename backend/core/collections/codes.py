"""Texts kept in capitals and without blanks, so that a beginning is a range of an index."""

from dataclasses import dataclass

from backend.core.collections.types import Text


@dataclass(frozen=True)
class Code(Text):
    """A number or mark of things. People write them in groups and in any case; neither counts.

    There is no `contains`: it would read the whole of a large table.
    """

    example: str = "QA10"
    operators = ("eq", "ne", "in", "nin", "startswith", "isnull")
    plural = "Codes"
    is_folded = False

    def parse(self, text: str) -> str:
        """Return the text as it is kept."""
        return "".join(super().parse(text).split()).upper()
