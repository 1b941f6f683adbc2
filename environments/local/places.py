"""Where a checkout's servers keep their data, and as whom they run."""

import hashlib
import os
import pwd
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0


class LocalProblem(Exception):
    """Something on this machine that a person has to put right; the message says what."""


class UnsafeFolder(LocalProblem):
    """A folder with a well-known name belongs to somebody else."""


def servers_folder(name: str) -> Path:
    """Return the folder of this checkout's servers of that name ("local", "test"), made if missing.

    PostgreSQL does not run as root. Root's servers run as another user, who may be unable to enter
    the checkout, so their data lies elsewhere. `QUINTET_LOCAL_FOLDER` names another place, for
    machines on which programs in `/tmp` cannot be executed.
    """
    elsewhere = os.environ.get("QUINTET_LOCAL_FOLDER")
    if IS_ROOT or elsewhere:
        checkout = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
        parent = Path(elsewhere or "/tmp").resolve() / f"quintet-{checkout}"  # noqa: S108  its owner is checked
    else:
        parent = CHECKOUT / ".quintet"
    return own_folder(own_folder(parent) / name)


def files_folder() -> Path:
    """Return the folder of uploaded and archived files and of the e-mails that are kept here."""
    return CHECKOUT / ".quintet" / "files"


def drop_folder() -> Path:
    """Return the folder in which people leave flow files to be imported."""
    return CHECKOUT / ".quintet" / "drop"


def own_folder(folder: Path) -> Path:
    """Return the folder, made if missing.

    :raises UnsafeFolder: when it is a link or somebody else's
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.geteuid():
        raise UnsafeFolder(
            f"{folder} belongs to {_user_name(status.st_uid)}. Remove it, or name another place"
            " with QUINTET_LOCAL_FOLDER."
        )
    return folder


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def server_user() -> str | None:
    """Return the name of the user that PostgreSQL runs as, or nothing where it is oneself."""
    return "nobody" if IS_ROOT else None


def as_server_user() -> dict[str, Any]:
    """Return what `subprocess` needs to run a program as the server's user, anywhere."""
    where = {"cwd": "/", "env": server_environment()}
    if not IS_ROOT:
        return where
    nobody = pwd.getpwnam("nobody")
    return where | {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def server_environment() -> dict[str, str]:
    """Return the environment without what would change a server's or client's behaviour."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "LANG", "QUINTET_", "DATABASE_", "REDIS_"))
    } | {"LC_ALL": "C"}


def give_to_server_user(path: Path) -> None:
    """Make the server's user the owner of the path."""
    if IS_ROOT:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
