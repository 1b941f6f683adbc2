"""A stand for each test module, and the seed by which everything random can be had again."""

import os
import random
import tempfile
from pathlib import Path

import pytest

from e2e.faults.stand import Stand

FLOW_TABLES = (
    "flow_file, flow_reading, flow_site_visit, flow_meter, flow_finding, flow_waiting,"
    " flow_quarantine, flow_look"
)
# Through the environment, so that every process of a run has the same one.
SEED = int(os.environ.setdefault("QUINTET_SEED", str(random.SystemRandom().randrange(10**6))))


# Each of the four processes is given two tests at first, and one more whenever one has ended: what
# takes longest begins first, beside something short, and the rest follows by its length.
ORDER = (
    *("random_faults", "f3_", "a_thousand_files", "f9_", "told_to_end", "f4_", "f2_"),
    *(
        "f1_",
        "done_its_share",
        "marks_jobs_done",
        "f12_",
        "f11_",
        "f6_",
        "followed_in_the_console",
        "f7_",
        "f8_",
    ),
)


def pytest_collection_modifyitems(items):
    items.sort(key=_place)


def _place(item):
    """Leave the tests of other folders, which run beside the quick ones, where they are."""
    if item.path.parent != Path(__file__).parent:
        return -1
    return next((place for place, word in enumerate(ORDER) if word in item.name), len(ORDER))


def pytest_report_header():
    return f"seed: {SEED} (QUINTET_SEED={SEED} repeats it)"


def pytest_terminal_summary(terminalreporter):
    told = [
        text
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        for name, text in report.user_properties
        if name == "told" and report.when == "call"
    ]
    if told:
        terminalreporter.section(f"faults, seed {SEED}")
        terminalreporter.write_line("\n".join(told))


@pytest.fixture
def tell(record_property):
    """Say something in the run's summary."""
    return lambda text: record_property("told", text)


@pytest.fixture
def dice():
    return random.Random(SEED)


@pytest.fixture(scope="session")
def _stand():
    with tempfile.TemporaryDirectory(prefix="quintet-faults-") as folder:
        stand = Stand(Path(folder)).start()
        try:
            yield stand
        finally:
            stand.stop()


@pytest.fixture
def stand(_stand):
    """Servers without any process of ours yet, and with nothing to do."""
    yield _stand
    _stand.clear()


@pytest.fixture
def flows(stand, tmp_path):
    """The variables of processes that have a drop folder and files of this test's own."""
    with stand.database.connect("quintet_owner") as connection:
        connection.execute(f"truncate {FLOW_TABLES}")
    folder = tmp_path / "drop"
    folder.mkdir()
    return {"QUINTET_FLOWS_DROP": str(folder), "QUINTET_FILES_URL": str(tmp_path / "files")}
