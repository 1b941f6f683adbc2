"""Framing: blocks, lines and their characters."""

from collections.abc import Sequence
from typing import BinaryIO


def line_at(stream: BinaryIO, line_offsets: Sequence[tuple[int, int]], number: int) -> bytes:
    """Return one line of a file as sent, without its line ending, from a seekable stream.

    `line_offsets` are a survey's. Raises LookupError for a line that the file does not have.
    """
    raise NotImplementedError
