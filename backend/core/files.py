"""Files that all processes share, by key: in a folder or an object store (`QUINTET_FILES_URL`).

A key names bytes that never change: it ends in their hash, or in something else of their own.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

import fsspec  # type: ignore[import-untyped]  # it has no types
import structlog

from backend.core.config import current_settings
from backend.core.errors import Unavailable

_BLOCK = 1024 * 1024
_PART = 8 * _BLOCK  # Ten thousand parts are an object's most.

log = structlog.get_logger(__name__)


class OverSizeLimit(Exception):
    """More bytes came than are accepted."""


class FilesUnavailable(Unavailable):
    """Files cannot be kept or read just now. Nothing was changed; repeat the request in a while."""


@contextmanager
def _reached() -> Iterator[None]:
    """Say of every failure in the block that it is the store's, whatever kind of store it is."""
    try:
        yield
    except Exception as error:
        log.exception("files unavailable")
        raise FilesUnavailable from error


@contextmanager
def received(
    head: bytes, stream: BinaryIO, *, folder: str, size_limit: int | None = None
) -> Iterator[BinaryIO]:
    """Give an unnamed copy of what is read already and of what is left in the stream.

    It vanishes with its process if it is not kept.

    Everything is read from the copy, so a sender who goes on writing changes nothing. It lies
    beside the kept files where those are in a folder, so that keeping it costs no second copy.

    :raises OverSizeLimit: as soon as more has come
    :raises FilesUnavailable: when there is no room or no place for it
    """
    rest = iter(partial(stream.read, _BLOCK), b"") if head else ()
    with copied(chain([head], rest), folder=folder, size_limit=size_limit) as copy:
        yield copy


@contextmanager
def copied(
    blocks: Iterable[bytes], *, folder: str, size_limit: int | None = None
) -> Iterator[BinaryIO]:
    """Give an unnamed copy of bytes that come in blocks, as `received` does of a stream.

    :raises OverSizeLimit: as soon as more has come
    :raises FilesUnavailable: when there is no room or no place for it
    """
    root = _local_root()
    with _reached():
        copy = _unnamed(root and root / folder)
    try:
        for block in blocks:
            with _reached():
                copy.write(block)
            if size_limit is not None and copy.tell() > size_limit:
                raise OverSizeLimit
        with _reached():
            copy.seek(0)
        yield copy
    finally:
        with suppress(OSError):  # What could not be written is tried once more, in vain.
            copy.close()


def _unnamed(folder: Path | None) -> BinaryIO:
    """Open a file without a name; in a folder it is one that can be given a name later."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        # The library's own are made so that they never can, and other systems have none at all.
        with suppress(AttributeError, OSError):
            descriptor = os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o644)
            return os.fdopen(descriptor, "w+b")
    return cast("BinaryIO", tempfile.TemporaryFile(dir=folder))


def keep(copy: BinaryIO, key: str) -> None:
    """Keep the bytes under the key; bytes that are there stay as they are.

    :raises FilesUnavailable: when they cannot be kept, and then nothing of them is
    """
    root = _local_root()
    with _reached():
        if root is None:
            _upload(copy, key)
        else:
            _name(copy, root / key)


def opened(key: str) -> BinaryIO:
    """Open the bytes of a key for reading.

    :raises FileNotFoundError: when there are none
    :raises FilesUnavailable: when they cannot be read
    """
    filesystem, root = _filesystem()
    with _reached(), suppress(FileNotFoundError):
        # An object store reads ahead a block or more, all of which is held in memory.
        return cast("BinaryIO", filesystem.open(f"{root}/{key}", "rb", block_size=_PART))
    raise FileNotFoundError(key)


def remove(key: str) -> None:
    """Remove the bytes of a key; it is no mistake if there are none.

    :raises FilesUnavailable: when they cannot be removed
    """
    filesystem, root = _filesystem()
    with _reached(), suppress(FileNotFoundError):
        filesystem.rm_file(f"{root}/{key}")


def aged(folder: str, *, before: datetime) -> list[str]:
    """Return the keys in a folder whose bytes have not changed since.

    :raises FilesUnavailable: when it cannot be listed
    """
    filesystem, root = _filesystem()
    with _reached():
        found = filesystem.find(f"{root}/{folder}")
        return [each[len(root) + 1 :] for each in found if _is_older(filesystem, each, before)]


def _is_older(filesystem: fsspec.AbstractFileSystem, path: str, moment: datetime) -> bool:
    with suppress(FileNotFoundError):  # Somebody may have removed it since it was listed.
        return bool(filesystem.modified(path) < moment)
    return False


def _filesystem() -> tuple[fsspec.AbstractFileSystem, str]:
    # A list from memory would not know what other processes have written and removed.
    filesystem, root = fsspec.url_to_fs(current_settings().files_url, use_listings_cache=False)
    return filesystem, root


def _local_root() -> Path | None:
    """Return the folder, or None where the files are not in one of this machine."""
    url = current_settings().files_url
    if "://" in url and not url.startswith("file://"):
        return None
    return Path(url.removeprefix("file://")).resolve()


def _name(copy: BinaryIO, target: Path) -> None:
    """Give the unnamed copy its name, once its bytes are on the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.fsync(copy.fileno())
        # Only with a descriptor for its folder, which is of no other use, does this follow links.
        source, descriptor = f"/proc/self/fd/{copy.fileno()}", copy.fileno()
        os.link(source, target, src_dir_fd=descriptor, follow_symlinks=True)
    except FileExistsError:
        return
    except OSError:
        # Without unnamed files (other systems and some disks) it is copied once more.
        _copy_beside(copy, target)
    _sync_folder(target.parent)


def _copy_beside(copy: BinaryIO, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        with temporary.open("xb") as out:
            _copy(copy, cast("BinaryIO", out))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _upload(copy: BinaryIO, key: str) -> None:
    """Write the object, in parts if it is large; it is there when all of it is, or not at all."""
    filesystem, root = _filesystem()
    target = f"{root}/{key}"
    if filesystem.exists(target):
        return
    out = filesystem.open(target, "wb", block_size=_PART)
    try:
        _copy(copy, out)
        out.close()
    except BaseException:
        with suppress(Exception):
            out.discard()
        out.closed = True  # Otherwise what has come so far would be the object in the end.
        raise


def _copy(copy: BinaryIO, out: BinaryIO) -> None:
    copy.seek(0)
    shutil.copyfileobj(copy, out, _BLOCK)
