"""Where the files of a command lie: paths of this machine, and addresses that fsspec knows."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import fsspec  # type: ignore[import-untyped]  # it has no types

UNFINISHED = (".part", ".tmp", ".filepart", ".processing")


class Unreadable(Exception):
    """What was named cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file that can be opened; its address holds no password."""

    name: str
    address: str
    open: Callable[[], BinaryIO]


def at_path(path: str) -> Source:
    """Return the file of this machine at the path, which need not exist yet."""
    return Source(Path(path).name, in_text(path), lambda: _open_local(path))


def at_address(address: str) -> list[Source]:
    """Return the file at a path or URL, or the files in that folder, by name.

    Hidden files and those that are still being written are left out.

    :raises Unreadable: when nothing can be found there
    """
    shown = in_text(without_password(address))
    try:
        filesystem, path = fsspec.url_to_fs(address)
        if not filesystem.isdir(path):
            name = path.rstrip("/").rpartition("/")[2]
            return [Source(name, shown, _opener(filesystem, path))]
        found = filesystem.ls(path, detail=True)
    except Exception as error:
        # Every kind of file system has errors of its own.
        raise Unreadable(_reason(error)) from error
    paths = sorted(each["name"] for each in found if each["type"] == "file")
    return [
        Source(name, f"{shown.rstrip('/')}/{in_text(name)}", _opener(filesystem, each))
        for each in paths
        if not (name := each.rpartition("/")[2]).startswith(".") and not name.endswith(UNFINISHED)
    ]


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """Open a source for reading, with its first bytes read.

    :raises Unreadable: when it cannot be opened or read
    """
    try:
        stream = source.open()
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(_reason(error)) from error
    with stream:
        try:
            if isinstance(stream, BufferedReader):
                stream.peek(1)
        except OSError as error:
            raise Unreadable(_reason(error)) from error
        yield stream


def _open_local(path: str) -> BinaryIO:
    if Path(path).is_dir():
        raise Unreadable("this is a folder; import its files with --source")
    mode = os.stat(path).st_mode  # noqa: PTH116  its errors are told by the caller
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise Unreadable("this is neither a file nor a pipe")
    return Path(path).open("rb")


def _opener(filesystem: Any, path: str) -> Callable[[], BinaryIO]:
    return lambda: cast("BinaryIO", filesystem.open(path, "rb"))


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file or folder"
    if isinstance(error, PermissionError):
        return "it may not be read (permission denied)"
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be read ({error.strerror})"
    return f"it cannot be read ({type(error).__name__})"


def in_text(name: str) -> str:
    """Return a name of this machine as it may be shown and stored: no bytes that are no text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def without_password(address: str) -> str:
    """Return the address as it may be shown and stored."""
    parts = urlsplit(address)
    if not parts.password:
        return address
    return address.replace(f":{parts.password}@", "@", 1)
