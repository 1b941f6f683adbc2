"""The first pass: what a file is, before a line of it is judged."""

from typing import BinaryIO

from backend.domains.flows.d0010.digests import Digests
from backend.domains.flows.d0010.findings import file_error, file_warning
from backend.domains.flows.d0010.framing import header_missing, read_header, read_trailer
from backend.domains.flows.d0010.lines import (
    BLOCK,
    BOM,
    LONGEST_LINE,
    LineTooLongError,
    as_text,
    blocks,
    group_code,
    is_blank,
)
from backend.domains.flows.d0010.records import Finding, Header, Survey, Trailer
from backend.domains.flows.d0010.tables import FLOWS, Role

_MOST_OFFSETS = 4096


def survey(stream: BinaryIO) -> Survey:
    """Read a file from its beginning to its end once, in constant memory."""
    surveyor = _Surveyor()
    try:
        for block in blocks(stream):
            surveyor.take(block)
    except LineTooLongError as error:
        surveyor.take_rest(error.rest)
        while block := stream.read(BLOCK):
            surveyor.take_rest(block)
    return surveyor.result()


class _Lines:
    """Counts lines and keeps the few that say something about the file."""

    def __init__(self) -> None:
        self.lines = 0
        self.groups = 0
        self.roots = 0
        self.blanks = 0
        self.first_blank = 0
        self.last_filled = 0
        self.header: Header | None = None
        self.second_header = 0
        self.trailer: Trailer | None = None
        self.trailers = 0
        self.findings: list[Finding] = []
        self._root = ""
        self._first_bytes: frozenset[bytes] = frozenset()

    def take(self, block: bytes) -> None:
        """Count a block of whole lines."""
        if not self._take_plain(block):
            text = as_text(block if self.lines else block.removeprefix(BOM))
            for line in text.removesuffix("\n").split("\n"):
                self.lines += 1
                self._take_line(line)

    def _take_plain(self, block: bytes) -> bool:
        """Count a block in which every line begins with the first character of a group code.

        Such a block has no blank line, header or trailer, and is counted many times faster.
        """
        lines = block.count(b"\n")
        root, root_field = self._root.encode(), self._root.encode() + b"|"
        begins = sum(block.count(b"\n" + first) for first in self._first_bytes)
        roots = block.count(b"\n" + root_field) + block.startswith(root_field)
        if not (
            block.endswith(b"\n")
            and begins + (block[:1] in self._first_bytes) == lines
            and roots == block.count(b"\n" + root) + block.startswith(root)
        ):
            return False
        self.lines += lines
        self.groups += lines
        self.roots += roots
        self.last_filled = self.lines
        return True

    def _take_line(self, line: str) -> None:
        if is_blank(line):
            self.blanks += 1
            self.first_blank = self.first_blank or self.lines
            return
        self.last_filled = self.lines
        code = group_code(line)
        if self.lines == 1:
            self._take_header(line)
        if code == "ZPT":
            self.trailers += 1
            self.trailer = read_trailer(line, self.lines)
        elif code == "ZHV":
            self.second_header = self.second_header or (self.lines if self.lines > 1 else 0)
        else:
            self.groups += 1
            self.roots += code == self._root

    def _take_header(self, line: str) -> None:
        self.header, self.findings = read_header(line)
        flow = FLOWS.get(self.header.flow + self.header.version) if self.header else None
        if flow:
            self._root = flow.code(Role.MPAN)
            self._first_bytes = frozenset(code[:1].encode() for code in flow.groups)


class _Surveyor:
    def __init__(self) -> None:
        self._digests = Digests()
        self._lines = _Lines()
        self._size = 0
        self._is_text = True
        self._offsets: list[tuple[int, int]] = []
        self._stride = 1
        self._blocks = 0

    def take(self, block: bytes) -> None:
        self._digests.take(block)
        if self._blocks % self._stride == 0:
            self._offsets.append((self._lines.lines + 1, self._size))
        if len(self._offsets) >= _MOST_OFFSETS:
            self._offsets = self._offsets[::2]
            self._stride *= 2
        self._lines.take(block)
        self._size += len(block)
        self._blocks += 1

    def take_rest(self, block: bytes) -> None:
        if not self._size:
            self._lines.take(block[:LONGEST_LINE])
        self._is_text = False
        self._digests.take_rest(block)
        self._size += len(block)

    def result(self) -> Survey:
        lines = self._lines
        findings = [*lines.findings, *self._findings()]
        return Survey(
            size=self._size,
            content_hash=self._digests.content_hash,
            raw_hash=self._digests.raw_hash,
            lines=lines.lines,
            groups=lines.groups,
            root_groups=lines.roots,
            header=lines.header,
            trailer=lines.trailer,
            findings=tuple(findings),
            line_offsets=tuple(self._offsets),
        )

    def _findings(self) -> list[Finding]:
        lines = self._lines
        if not self._size:
            return [file_error("empty-file", "The file is empty.")]
        if not lines.header and not lines.findings:
            return [header_missing("")]
        if lines.findings and lines.findings[0].code == "header-missing":
            return []
        found = []
        if not self._is_text:
            message = "The file has a line of more than a million characters: it is no flow file."
            found.append(file_error("line-too-long", message, lines.lines + 1))
        if lines.second_header:
            message = "The file has a second header line (ZHV), as if two files were joined."
            found.append(file_error("header-repeated", message, lines.second_header))
        if lines.blanks:
            message = f"The file has {lines.blanks} blank line(s), which are ignored."
            found.append(file_warning("blank-lines", message, lines.first_blank))
        return found + self._trailer_findings()

    def _trailer_findings(self) -> list[Finding]:
        lines = self._lines
        if not lines.trailer:
            message = (
                "The trailer line (ZPT) is cut off, so the file is not complete. Ask for it again."
                if lines.trailers
                else "The file has no trailer line (ZPT), so it is cut off. Ask for it again."
            )
            return [file_error("trailer-missing", message, lines.last_filled or None)]
        if lines.trailers > 1:
            message = f"The file has {lines.trailers} trailer lines (ZPT) instead of one."
            return [file_error("trailer-repeated", message, lines.trailer.line)]
        if lines.trailer.line != lines.last_filled:
            message = "There is text after the trailer line (ZPT), which must be the last."
            return [file_error("trailer-not-last", message, lines.trailer.line + 1)]
        return []
