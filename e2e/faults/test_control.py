"""The negative control: a build that must not survive what the suite does to it."""

import time

import pytest

from e2e.faults.storm import Faults, go_through, summary

SECONDS = 6
QUEUED = 20  # Jobs that certainly lie in the broker when it is emptied.
REST = 5  # Seconds for whatever is not lost.


def lose(stand, workers):
    """Empty the broker while nobody takes anything out of it, and have somebody do the rest."""
    for each in workers:
        each.stop()
    stand.enqueue("faults.pay", 2 * QUEUED)
    stand.until(lambda: stand.broker.length("payments") >= QUEUED, within=30)
    stand.broker.flush()
    stand.ready(stand.worker(module="e2e.faults.run_control_worker"))
    time.sleep(REST)


@pytest.mark.parametrize("is_hurt", [False, True])
def test_a_build_that_marks_jobs_done_when_published_does_not_survive(stand, dice, tell, is_hurt):
    """The negative control: without faults it works, so it is the faults that it fails at."""
    keepers = [
        stand.relay("e2e.faults.run_control_relay"),
        *(stand.worker(module="e2e.faults.run_control_worker") for _ in range(2)),
    ]
    stand.ready(*keepers)
    faults = Faults(stand, dice)
    if is_hurt:
        go_through(stand, faults, dice, SECONDS)
        lose(stand, keepers[1:])
        tell(summary("negative control", stand, faults, REST))
        lost, _ = stand.judge()
        assert lost >= QUEUED
    else:
        stand.enqueue("faults.pay", 40)
        stand.until(lambda: stand.judge() == (0, 0), within=20)
