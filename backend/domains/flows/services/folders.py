"""Moving files between folders of this machine so that nothing is overwritten or half there."""

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

_LONGEST = 200  # Bytes of a name; the file system ends at 255, and suffixes follow.


def safe_name(label: str) -> str:
    """Return a label as the name of a file: one step, not hidden, and short enough."""
    name = label.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")
    name = name.replace("/", "_").replace("\0", "_").lstrip(".")
    return name or "unnamed"


def move(path: Path, folder: Path, *, reason: str | None = None) -> Path:
    """Move a file into a folder, with its reason beside it, and return where it is now.

    A name that is taken gets a suffix from the file's content. Doing it again, after it was
    interrupted, ends in the same place.

    :raises FileNotFoundError: when somebody else has moved it
    """
    folder.mkdir(parents=True, exist_ok=True)
    for target in _targets(path, folder):
        if _place(path, target):
            if reason is not None:
                _write(target.with_name(f"{target.name}.reason.txt"), reason)
            with suppress(FileNotFoundError):
                path.unlink()
            return target
    raise AssertionError("names do not end")


def _targets(path: Path, folder: Path) -> Iterator[Path]:
    yield folder / path.name
    with path.open("rb") as content:
        digest = sha256()
        while block := content.read(1024 * 1024):
            digest.update(block)
    suffixed = f"{path.stem}.{digest.hexdigest()[:12]}"
    yield folder / f"{suffixed}{path.suffix}"
    number = 2
    while True:
        yield folder / f"{suffixed}-{number}{path.suffix}"
        number += 1


def _place(path: Path, target: Path) -> bool:
    """Give the file this name too, unless another file has it."""
    try:
        os.link(path, target)
    except FileExistsError:
        return target.samefile(path)
    except FileNotFoundError:
        raise
    except OSError:
        # Some file systems of networks have no second names.
        if target.exists():
            return False
        path.rename(target)
    return True


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(text)
    unfinished.replace(path)
