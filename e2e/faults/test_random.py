"""A minute and a half of faults at random: nothing is lost, and nothing is doubled."""

import os

from e2e.faults.storm import Faults, go_through, summary

SECONDS = int(os.environ.get("QUINTET_FAULT_SECONDS", "90"))


def test_nothing_is_lost_and_nothing_doubled_through_random_faults(stand, dice, tell):
    keepers = [stand.relay(), stand.relay(), *(stand.worker(concurrency=4) for _ in range(3))]
    stand.ready(*keepers)
    faults = Faults(stand, dice)
    go_through(stand, faults, dice, SECONDS)
    drained = stand.drain(within=60)
    tell(summary("outbox", stand, faults, drained))
    stand.check()
    if SECONDS >= 90:
        assert faults.counts.total() >= 30
