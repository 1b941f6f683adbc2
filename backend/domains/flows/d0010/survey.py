"""The first pass: what a file is, before a line of it is judged."""

from typing import BinaryIO

from backend.domains.flows.d0010.records import Survey


def survey(stream: BinaryIO) -> Survey:
    """Read a file from its beginning to its end once, in constant memory."""
    raise NotImplementedError
