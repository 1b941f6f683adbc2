"""The original bytes of every file, kept under their hash (`QUINTET_FILES_URL`)."""

import os
import shutil
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

import fsspec  # type: ignore[import-untyped]  # it has no types

from backend.core.config import current_settings
from backend.core.errors import NotFound
from backend.domains.flows.models import FlowFile

FOLDER = "flows"
_BLOCK = 1024 * 1024


class LineNotFound(NotFound):
    """The original of this file holds no such line. It may have been removed after its time."""


class OverSizeLimit(Exception):
    """More bytes came than this way in accepts."""


@contextmanager
def received(head: bytes, stream: BinaryIO, *, size_limit: int | None = None) -> Iterator[BinaryIO]:
    """Give an unnamed copy of what is read already and of what is left in the stream.

    It vanishes with its process if it is not kept.

    Everything is read from the copy, so a sender who goes on writing changes nothing. It lies
    beside the archive where that is a folder, so that keeping it costs no second copy.

    :raises OverSizeLimit: as soon as more has come
    """
    folder = _local_folder()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as copy:
        block = head
        while block:
            copy.write(block)
            if size_limit is not None and copy.tell() > size_limit:
                raise OverSizeLimit
            block = stream.read(_BLOCK)
        copy.seek(0)
        yield cast("BinaryIO", copy)


def keep(copy: BinaryIO, raw_hash: str) -> str:
    """Keep the bytes under their hash and return the key; bytes that are there stay as they are."""
    key = f"{FOLDER}/{raw_hash[:2]}/{raw_hash}"
    folder = _local_folder()
    if folder is None:
        _upload(copy, key)
    else:
        _name(copy, folder.parent / key)
    return key


def original(file: FlowFile) -> BinaryIO:
    """Open the original bytes of a file.

    :raises FileNotFoundError: when they were never kept, or are no longer
    """
    if file.archive_key is None:
        raise FileNotFoundError
    filesystem, root = fsspec.url_to_fs(current_settings().files_url)
    return cast("BinaryIO", filesystem.open(f"{root}/{file.archive_key}", "rb"))


def pack(line_offsets: Sequence[tuple[int, int]]) -> bytes:
    """Return pairs of line and offset as bytes for their column."""
    return array("q", (number for pair in line_offsets for number in pair)).tobytes()


def unpack(packed: bytes) -> list[tuple[int, int]]:
    """Return what `pack` was given."""
    numbers = array("q", packed)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _local_folder() -> Path | None:
    """Return the archive's folder, or None where it is no folder of this machine."""
    url = current_settings().files_url
    if "://" in url and not url.startswith("file://"):
        return None
    return Path(url.removeprefix("file://")).resolve() / FOLDER


def _name(copy: BinaryIO, target: Path) -> None:
    """Give the unnamed copy its name, once its bytes are on the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.fsync(copy.fileno())
    try:
        os.link(f"/proc/self/fd/{copy.fileno()}", target, follow_symlinks=True)
    except FileExistsError:
        return
    except OSError:
        # Without unnamed files (other systems and some disks) it is copied once more.
        temporary = target.with_name(f".{target.name}.{uuid4().hex}")
        with temporary.open("xb") as out:
            _copy(copy, cast("BinaryIO", out))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _upload(copy: BinaryIO, key: str) -> None:
    """Write to a name of its own first, so that the hash never names half a file."""
    filesystem, root = fsspec.url_to_fs(current_settings().files_url)
    target = f"{root}/{key}"
    if filesystem.exists(target):
        return
    temporary = f"{root}/{FOLDER}/incoming/{uuid4().hex}"
    filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
    filesystem.makedirs(temporary.rpartition("/")[0], exist_ok=True)
    with filesystem.open(temporary, "wb") as out:
        _copy(copy, out)
    filesystem.mv(temporary, target)


def _copy(copy: BinaryIO, out: BinaryIO) -> None:
    copy.seek(0)
    shutil.copyfileobj(copy, out, _BLOCK)
