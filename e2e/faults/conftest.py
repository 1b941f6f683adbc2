"""A stand for each test module, and the seed by which everything random can be had again."""

import os
import random
import tempfile
from pathlib import Path

import pytest

from e2e.faults.stand import Stand

SEED = int(os.environ.get("QUINTET_SEED") or random.SystemRandom().randrange(10**6))


def pytest_report_header():
    return f"seed: {SEED} (QUINTET_SEED={SEED} repeats it)"


@pytest.fixture
def dice():
    return random.Random(SEED)


@pytest.fixture
def stand():
    """Servers of the test's own, without any process of ours yet."""
    with tempfile.TemporaryDirectory(prefix="quintet-faults-") as folder:
        stand = Stand(Path(folder)).start()
        try:
            yield stand
        finally:
            stand.stop()
