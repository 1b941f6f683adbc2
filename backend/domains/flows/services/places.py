"""Where the bytes of a file wait, and where they go when it has been imported."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from backend.core import files
from backend.core.config import current_settings
from backend.core.errors import Unavailable
from backend.domains.flows.models import FlowFile, FlowFinding, FlowWaiting
from backend.domains.flows.services import archive, folders
from backend.domains.flows.services import files as shown
from backend.domains.flows.services.receipts import UNATTENDED

STAGED = f"{archive.FOLDER}/staged"
PROCESSING, PROCESSED, QUARANTINE = "processing", "processed", "quarantine"
GOOD = {"imported", "imported_with_errors", "duplicate"}
_FINDINGS_TOLD = 20


class DropFolderMissing(Unavailable):
    """No drop folder is set. The setting is QUINTET_FLOWS_DROP."""


def drop_folder() -> Path | None:
    """Return the folder in which files are left for us, if there is one."""
    address = current_settings().flows_drop
    return Path(address.removeprefix("file://")).resolve() if address else None


def stage(copy: BinaryIO, raw_hash: str) -> str:
    """Keep bytes until they are imported, and return their key: hash, and a part of its own.

    Two uploads of the same bytes do not share it, so that the end of one is not the other's.
    """
    key = f"{STAGED}/{raw_hash}-{uuid4().hex[:12]}"
    files.keep(copy, key)
    return key


@contextmanager
def staged(key: str) -> Iterator[None]:
    """Remove the staged bytes again when the block does not come to promise their import.

    The commit is left out: nobody knows of one that failed whether the database has it.
    """
    try:
        yield
    except BaseException:
        with suppress(files.FilesUnavailable):
            files.remove(key)
        raise


def opened(waiting: FlowWaiting) -> BinaryIO:
    """Open the bytes that wait.

    :raises FileNotFoundError: when somebody took them away
    :raises DropFolderMissing: when they are in a folder that is away, or no longer set
    """
    if waiting.place == "folder":
        # The place at which a disk is mounted is there without the disk, and empty.
        if not (_root() / PROCESSING).is_dir():
            raise DropFolderMissing("The drop folder is away.")
        return folders.opened(_path(waiting))
    return files.opened(waiting.location)


def put_away(waiting: FlowWaiting, file: FlowFile) -> bool:
    """Move or remove the bytes now that the file has ended, and say whether they are settled.

    Staged bytes of a failed file stay: nobody else has them any more.
    """
    if waiting.place == "folder":
        _settle(waiting, file)
    elif waiting.place == "staged":
        if file.status == "failed":
            return False
        if file.channel in UNATTENDED and file.status == "rejected" and file.archive_key is None:
            # Whoever has to decide about it is promised that it is kept, whatever its bytes are.
            raw_hash = waiting.location.removeprefix(f"{STAGED}/").partition("-")[0]
            with files.opened(waiting.location) as copy:
                file.archive_key = archive.keep(copy, raw_hash)
            return True  # Retention removes what is staged, as this may have to be done again.
        files.remove(waiting.location)
    return True


def _settle(waiting: FlowWaiting, file: FlowFile) -> None:
    path, root = _path(waiting), _root()
    if path.exists():
        if file.status in GOOD:
            folders.move(path, root / PROCESSED)
        else:
            folders.move(path, root / QUARANTINE, reason=_reason(file))
    with suppress(OSError):  # Whatever else lies there is not ours to remove.
        path.parent.rmdir()


def _path(waiting: FlowWaiting) -> Path:
    return _root() / PROCESSING / waiting.location


def _root() -> Path:
    root = drop_folder()
    if root is None:
        raise DropFolderMissing
    return root


def _reason(file: FlowFile) -> str:
    found = shown.findings(file_id=file.id, most=_FINDINGS_TOLD)
    told = "".join(map(_line, found))
    address = f"{current_settings().public_url}/admin/flows/files/{file.id}"
    return f"{file.status}: {file.message}\n{told}\nFile {file.id}: {address}\n"


def _line(finding: FlowFinding) -> str:
    where = f"line {finding.line_number}: " if finding.line_number else ""
    return f"- {where}{finding.message}\n"
