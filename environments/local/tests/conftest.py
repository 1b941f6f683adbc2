import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from environments.local.postgres import Postgres


@contextmanager
def open_folder():
    """Lend a folder that the server's user can enter, which pytest's own temporary ones are not."""
    folder = Path(tempfile.mkdtemp(prefix="quintet-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder():
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def modules_folder():
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def initialised():
    """Data that is made once."""
    with open_folder() as folder:
        Postgres(folder).prepare()
        yield folder


@pytest.fixture
def postgres(initialised):
    """A server that is not started yet, for tests that leave its data whole."""
    server = Postgres(initialised)
    yield server
    Postgres(initialised).stop()
    (initialised / "state.json").unlink(missing_ok=True)


@pytest.fixture
def spoilt(initialised, folder):
    """A server on a copy of the data, for tests that spoil it."""
    for original in [initialised, *sorted(initialised.rglob("*"))]:
        copy = folder / original.relative_to(initialised)
        if original.is_dir():
            copy.mkdir(exist_ok=True)
        else:
            shutil.copyfile(original, copy)
        status = original.stat()
        copy.chmod(status.st_mode)
        shutil.chown(copy, status.st_uid, status.st_gid)
    server = Postgres(folder)
    yield server
    Postgres(folder).stop()
