"""The second pass: readings, site visits and findings, in batches.

Most of a file is runs of lines about which nothing is to be said. One pattern takes these a reading
at a time, with its MPAN, meter and result; every other line goes through the tree, which knows all
rules. Both give the same result, which a test proves on damaged files.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from backend.domains.flows.d0010.codes import (
    BSC_STATUSES,
    READING_METHODS,
    READING_TYPES,
    REASONS,
)
from backend.domains.flows.d0010.lines import BLOCK, BOM, as_text, blocks
from backend.domains.flows.d0010.mpan import CHECK_DIGITS, residue_tables
from backend.domains.flows.d0010.records import Batch, Options, Survey
from backend.domains.flows.d0010.tables import FLOWS, Flow, Role
from backend.domains.flows.d0010.times import Instants
from backend.domains.flows.d0010.tree import Tree

_BATCH = 20_000


def parse(stream: BinaryIO, survey: Survey, options: Options) -> Iterator[Batch]:
    """Stream a file, read again from its beginning, as batches of about 20,000 rows.

    Yields nothing when the survey found no header of a flow and version known here. The last batch
    may be empty but always comes, so that the last counters are those of the whole file; a file
    none of whose root groups is accepted is refused by the importer on those.
    """
    header = survey.header
    flow = FLOWS.get(header.flow + header.version) if header else None
    if header is None or flow is None:
        return
    instants = Instants(header.created_text)
    tree = Tree(flow, options, instants)
    number = 0
    for block in blocks(stream):
        text = as_text(block if number else block.removeprefix(BOM))
        for line in text.removesuffix("\n").split("\n"):
            number += 1
            tree.take(number, line)
            if tree.is_full():
                yield tree.take_batch()
    tree.close(Role.MPAN)
    yield tree.take_batch()
