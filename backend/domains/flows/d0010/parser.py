"""The second pass: readings, site visits and findings, in batches.

Most of a file is runs of lines about which nothing is to be said. One pattern takes these a reading
at a time, with its MPAN, meter and result; every other line goes through the tree, which knows all
rules. Both ways give the same result, which a test proves on damaged files.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from backend.domains.flows.d0010.copytext import NULL
from backend.domains.flows.d0010.lines import BOM, LineTooLongError, as_text, blocks
from backend.domains.flows.d0010.mpan import CHECK_DIGITS, residue_tables
from backend.domains.flows.d0010.patterns import reading_pattern
from backend.domains.flows.d0010.records import Batch, Options, Survey
from backend.domains.flows.d0010.tables import FLOWS, Flow, Role
from backend.domains.flows.d0010.times import Instants
from backend.domains.flows.d0010.tree import Run, Tree

_NO_MD = f"{NULL}\t{NULL}"
# A block's matches are held at once; smaller blocks keep them in the processor's cache.
_BLOCK = 64 * 1024


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
    parser = Parser(flow, options, Instants(header.created_text))
    is_first = True
    # The verdict refuses a file for such a line, so what comes after it need not be read.
    with suppress(LineTooLongError):
        for block in blocks(stream, _BLOCK):
            yield from parser.take(as_text(block.removeprefix(BOM) if is_first else block))
            is_first = False
    yield parser.finish()


class Parser:
    """Takes the text of a file in blocks of whole lines.

    Between two runs the tree holds the truth; within one, local variables are ahead of it for as
    long as the pattern matches.
    """

    def __init__(self, flow: Flow, options: Options, instants: Instants) -> None:
        self._tree = Tree(flow, options, instants)
        self._instants = instants
        self._find = reading_pattern(flow).findall
        self._line = 0

    def take(self, text: str) -> Iterator[Batch]:
        """Take a block and yield the batches that it fills."""
        matches = iter(self._find(text))
        while lines := self._run(matches):
            for line in lines.removesuffix("\n").split("\n"):
                self._line += 1
                self._tree.take(self._line, line)
            if self._tree.is_full():
                yield self._tree.take_batch()
        if self._tree.is_full():
            yield self._tree.take_batch()

    def finish(self) -> Batch:
        """Return what is left at the end of the file."""
        self._tree.close(Role.MPAN)
        return self._tree.take_batch()

    def _run(self, found: Iterator[tuple[str, ...]]) -> str:
        """Take readings until one has to go through the tree; return its lines."""
        known, read = self._instants.clean.get, self._instants.read_clean
        (first, second, third), digits = residue_tables(), CHECK_DIGITS
        owner, meter, rows = self._tree.owner, self._tree.meter, list[str]()
        line, roots, owner_line, meter_line = self._line, 0, 0, 0
        for lines, mpan, bsc, serial, kind, label, at, value, flag, method, reason, is_ok in found:  # noqa: B007 - The last one's lines are returned.
            when = known(at) or read(at)
            if when is None or (flag == "F" and not reason):
                break
            if mpan:
                if digits[first[mpan[:4]] + second[mpan[4:8]] + third[mpan[8:12]]] != mpan[12]:
                    break
                owner, roots, line = f"{mpan}\t{bsc}", roots + 1, line + 1
                owner_line = line
            if serial and owner:
                meter = f"{owner}\t{serial}\t{serial.replace(' ', '').upper()}\t{kind}"
                meter_line = line = line + 1
            elif serial or not meter:
                break
            line += 1
            told = f"{flag or NULL}\t{method or NULL}\t{reason or NULL}\t{is_ok or NULL}"
            rows.append(f"{line}\t{meter}\t{label}\t{when}\t{value}\t{value}\t{_NO_MD}\t{told}")
            line += reason != ""
        else:
            lines = ""
        if rows and meter:
            self._tree.advance(Run(self._line, line, roots, rows, owner_line, meter_line, meter))
        self._line = line
        return lines
