"""Framing: whole lines in blocks, and the characters of a line."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import BinaryIO

BOM = b"\xef\xbb\xbf"
BLOCK = 256 * 1024
LONGEST_LINE = 1024 * 1024


class LineTooLongError(Exception):
    """A line is longer than any flow's: `rest` has been read and was not handed out."""

    def __init__(self, rest: bytes) -> None:
        super().__init__()
        self.rest = rest


def blocks(stream: BinaryIO, size: int = BLOCK) -> Iterator[bytes]:
    """Yield a stream in blocks that end at the end of a line; the last may lack its newline.

    Raises LineTooLongError.
    """
    rest = b""
    while block := stream.read(size):
        end = block.rfind(b"\n") + 1
        if len(rest) + (block.find(b"\n") if end else len(block)) > LONGEST_LINE:
            raise LineTooLongError(rest + block)
        if end:
            yield rest + block[:end]
            rest = block[end:]
        else:
            rest += block
    if rest:
        yield rest


def as_text(block: bytes) -> str:
    """Return a block with one character for each byte and LF line endings.

    Latin-1 never fails and keeps every byte, so only a line that needs it is decoded again, by
    `decoded`.
    """
    text = block.decode("latin-1")
    if "\r" in text:
        text = text.replace("\r\n", "\n").removesuffix("\r")
    return text


def is_blank(line: str) -> bool:
    """Tell whether a line holds nothing but spaces and tabs."""
    return not line.strip(" \t")


def group_code(line: str) -> str:
    """Return the first field of a line, without the spaces around it."""
    return line.partition("|")[0].strip(" ")


def decoded(line: str) -> str:
    """Return a line of `as_text` as its sender meant it: UTF-8, else cp1252, else latin-1."""
    raw = line.encode("latin-1")
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line


def line_at(stream: BinaryIO, line_offsets: Sequence[tuple[int, int]], number: int) -> bytes:
    """Return one line of a file as sent, without its line ending, from a seekable stream.

    `line_offsets` are a survey's. Raises LookupError for a line that the file does not have.
    """
    place = bisect_right(line_offsets, number, key=lambda pair: pair[0]) - 1
    if place < 0:
        raise LookupError(number)
    first, offset = line_offsets[place]
    stream.seek(offset)
    line = b""
    for _ in range(number - first + 1):
        line = stream.readline()
    if not line:
        raise LookupError(number)
    return line.removesuffix(b"\n").removesuffix(b"\r").removeprefix(BOM if number == 1 else b"")
