import shutil
import tempfile
from pathlib import Path

import pytest

from environments.local.postgres import Postgres


@pytest.fixture
def folder():
    """A folder that the server's user can enter, which pytest's own temporary folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="quintet-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def initialised():
    """Data that was made once, to be copied by each test."""
    folder = Path(tempfile.mkdtemp(prefix="quintet-test-", dir="/tmp"))
    folder.chmod(0o755)
    Postgres(folder).prepare()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def postgres(folder, initialised):
    shutil.copytree(initialised, folder, dirs_exist_ok=True)
    _keep_owners(initialised, folder)
    server = Postgres(folder)
    yield server
    server.stop()


def _keep_owners(original, copy):
    for path in [original, *original.rglob("*")]:
        status = path.stat()
        shutil.chown(copy / path.relative_to(original), status.st_uid, status.st_gid)
