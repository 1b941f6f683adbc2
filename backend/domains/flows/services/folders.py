"""Moving files between folders of this machine so that nothing is overwritten or half there."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from hashlib import file_digest, sha256
from pathlib import Path
from typing import BinaryIO

_LONGEST = 200  # Bytes of a name; the file system ends at 255, and suffixes follow.


def safe_name(label: str) -> str:
    """Return a label as the name of a file: one step, not hidden, and short enough."""
    name = label.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")
    name = name.replace("/", "_").replace("\0", "_").lstrip(".")
    return name or "unnamed"


def opened(path: Path) -> BinaryIO:
    """Open a file for reading; what is a link or a pipe by now is not followed nor waited for.

    :raises OSError: when it cannot be opened or is no file
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    stream = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "this is no file", str(path))
    return stream


def move(path: Path, folder: Path, *, reason: str | None = None) -> Path:
    """Move a file into a folder, with its reason beside it, and return where it is now.

    A name that is taken gets a suffix from the file's content. Doing it again, after it was
    interrupted, ends in the same place.

    :raises FileNotFoundError: when somebody else has moved it
    """
    folder.mkdir(parents=True, exist_ok=True)
    for target in _targets(path, folder):
        note = target.with_name(f"{target.name}.reason.txt")
        if reason is not None and note.exists() and not target.exists():
            continue  # The note's name is that of somebody's file.
        if _reserve(path, target):
            try:
                if reason is not None:
                    _write(note, reason)
            except OSError:
                target.unlink()
                raise
            _take(path, target)
            return target
    raise AssertionError("names do not end")


def _targets(path: Path, folder: Path) -> Iterator[Path]:
    yield folder / path.name
    suffixed = f"{path.stem}.{_digest(path)[:12]}"
    yield folder / f"{suffixed}{path.suffix}"
    number = 2
    while True:
        yield folder / f"{suffixed}-{number}{path.suffix}"
        number += 1


def _digest(path: Path) -> str:
    try:
        with opened(path) as content:
            return file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads
    except FileNotFoundError:
        raise
    except OSError:  # What cannot be read is told from others by its name alone.
        return sha256(os.fsencode(path.name)).hexdigest()


def _reserve(path: Path, target: Path) -> bool:
    """Give the file this name too, or an empty file in its place, unless another file has it."""
    try:
        os.link(path, target)
    except FileExistsError:
        return _is_same(path, target)
    except FileNotFoundError:
        raise
    except OSError:
        # Some file systems of networks have no second names.
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            return False
    return True


def _take(path: Path, target: Path) -> None:
    """Have the file only the name that is reserved for it."""
    with suppress(FileNotFoundError):
        if _is_same(path, target):
            path.unlink()
        else:
            path.replace(target)


def _is_same(path: Path, target: Path) -> bool:
    return os.path.samestat(path.lstat(), target.lstat())


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(text)
    unfinished.replace(path)
