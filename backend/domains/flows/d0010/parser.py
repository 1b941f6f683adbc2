"""The second pass: readings, site visits and findings, in batches."""

from collections.abc import Iterator
from typing import BinaryIO

from backend.domains.flows.d0010.records import Batch, Options, Survey


def parse(stream: BinaryIO, survey: Survey, options: Options) -> Iterator[Batch]:
    """Stream a file, read again from its beginning, as batches of about 20,000 rows.

    Yields nothing when the survey found no header of a flow and version known here. The last batch
    may be empty but always comes, so that the last counters are those of the whole file; a file
    none of whose root groups is accepted is refused by the importer on those.
    """
    raise NotImplementedError
