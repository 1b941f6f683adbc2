"""The negative control: a build that must not survive what the suite does to it."""

import time

import pytest

from e2e.faults.storm import Faults, go_through, summary

SECONDS = 6


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
        for _ in range(3):
            stand.enqueue("faults.pay", 20)
            faults.broker_flushed()
        time.sleep(10)
        tell(summary("negative control", stand, faults, 10))
        assert stand.judge() > (0, 0)
    else:
        stand.enqueue("faults.pay", 40)
        stand.until(lambda: stand.judge() == (0, 0), within=20)
