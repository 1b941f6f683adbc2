"""The original bytes of every file, kept under their hash, and where lines begin in them."""

from array import array
from collections.abc import Sequence
from hashlib import sha256
from typing import BinaryIO

from sqlalchemy import text

from backend.core import files
from backend.core.database import db
from backend.core.errors import NotFound
from backend.domains.flows.models import FlowFile

FOLDER = "flows"
_LOCKS = 0x4641 << 48  # Keeps these numbers apart from other users of advisory locks.


class LineNotFound(NotFound):
    """The original of this file holds no such line. It may have been removed after its time."""


def keep(copy: BinaryIO, raw_hash: str) -> str:
    """Keep the bytes under their hash and return the key; bytes that are there stay as they are.

    Until the present transaction has ended, and its receipt can be seen, nobody removes them.
    """
    key = f"{FOLDER}/{raw_hash[:2]}/{raw_hash}"
    db.session.execute(text("select pg_advisory_xact_lock_shared(:lock)"), {"lock": _lock(key)})
    files.keep(copy, key)
    return key


def is_ours_to_remove(key: str) -> bool:
    """Have nobody keep the bytes of a key until the present transaction has ended, if none does."""
    lock = text("select pg_try_advisory_xact_lock(:lock)")
    return bool(db.session.scalar(lock, {"lock": _lock(key)}))


def _lock(key: str) -> int:
    return _LOCKS + int.from_bytes(sha256(key.encode()).digest()[:6])


def original(file: FlowFile) -> BinaryIO:
    """Open the original bytes of a file.

    :raises FileNotFoundError: when they were never kept, or are no longer
    """
    if file.archive_key is None:
        raise FileNotFoundError
    return files.opened(file.archive_key)


def pack(line_offsets: Sequence[tuple[int, int]]) -> bytes:
    """Return pairs of line and offset as bytes for their column."""
    return array("q", (number for pair in line_offsets for number in pair)).tobytes()


def unpack(packed: bytes) -> list[tuple[int, int]]:
    """Return what `pack` was given."""
    numbers = array("q", packed)
    return list(zip(numbers[::2], numbers[1::2], strict=True))
