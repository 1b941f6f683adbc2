import threading
import time
from datetime import timedelta

import pytest

from backend.core import outbox


@pytest.fixture
def effects():
    return []


@pytest.mark.parametrize("words", ["a\0b", "caf\udce9"])
def test_a_failure_whose_words_cannot_be_kept_is_recorded_all_the_same(real_database, jobs, words):
    def work(**_):
        raise ValueError(words)

    jobs.add("test.work", work)
    job = jobs.ask("test.work")
    assert outbox.run(job) == "failed"
    assert jobs.find(job).last_error in {"ValueError: a\ufffdb", r"ValueError: caf\udce9"}


def test_a_process_that_hangs_in_its_work_lets_go_of_the_row_in_time(real_database, jobs, effects):
    """Nobody kills it here, as when its whole machine hangs or is gone."""

    def work(**_):
        if not effects:
            effects.append("begun")
            time.sleep(1)

    lease = timedelta(seconds=0.4)
    jobs.add("test.work", work, lease=lease, time_limit=lease / 2)
    job = jobs.ask("test.work")
    first = []

    def run():
        with real_database.app_context():
            first.append(outbox.run(job))

    hanging = threading.Thread(target=run)
    hanging.start()
    time.sleep(0.7)
    assert outbox.run(job) == "done"
    assert not first
    hanging.join()
    assert first == ["failed"]
    assert jobs.find(job).done_at is not None
