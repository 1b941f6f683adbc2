"""Flow files whose worker dies: each is imported once, and ends in the folder where it belongs."""

import hashlib
import signal
import time
from dataclasses import replace
from io import BytesIO

import psutil

from backend.core import database
from backend.domains.flows.services import imports, places, waiting
from backend.domains.flows.services.receipts import Delivery
from e2e.faults.front import written

FILES, BROKEN, READINGS = 1000, 20, 3
GRACE = 55  # Seconds that the cluster gives a worker; ours is out 30 s before that.


def fill(folder):
    """Write the files under names that are not yet taken, and then rename them."""
    for number in range(FILES):
        content = written(number + 1, READINGS)
        if number % (FILES // BROKEN) == 7:
            content = content.replace(b"ZPT|", b"ZPT|X", 1)
        path = folder / f"{number:04}.uff"
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(content)
        unfinished.rename(path)


def names(folder):
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_a_thousand_files_of_which_twenty_are_broken_through_two_killed_workers(
    stand, flows, tmp_path, tell
):
    folder = tmp_path / "drop"
    fill(folder)
    worker = stand.worker(2, "e2e.faults.run_flows_worker", **flows)
    stand.ready(stand.relay(), worker)
    began = time.monotonic()
    for share in (FILES // 4, FILES // 2):
        stand.until(lambda share=share: len(names(folder / "processed")) > share, within=90)
        worker.kill()
    done = FILES - BROKEN
    stand.until(
        lambda: (
            len(names(folder / "processed")) == done
            and len(names(folder / "quarantine")) == 2 * BROKEN
        ),
        within=120,
    )
    tell(f"drop folder: {FILES} files in {time.monotonic() - began:.1f} s, worker killed twice")
    assert worker.starts == 3
    quarantined = {name for name in names(folder / "quarantine") if name.endswith(".uff")}
    reasons = {f"{name}.reason.txt" for name in quarantined}
    assert len(quarantined) == BROKEN
    assert names(folder / "quarantine") == quarantined | reasons
    statuses = "select status, count(*) from flow_file group by status order by status"
    assert stand.rows(statuses) == [("imported", done), ("rejected", BROKEN)]
    assert stand.rows("select count(*) from flow_reading") == [(done * READINGS,)]
    stand.until(lambda: stand.rows("select count(*) from flow_waiting") == [(0,)], within=20)


def accept(stand, flows, content):
    """Stage an upload and commit its job, as the API does."""
    settings = stand.app.extensions["settings"]
    stand.app.extensions["settings"] = replace(settings, files_url=flows["QUINTET_FILES_URL"])
    with stand.app.app_context():
        key = places.stage(BytesIO(content), hashlib.sha256(content).hexdigest())
        delivery = Delivery(name="long.uff", channel="rest")
        with database.transaction():
            waiting.add(delivery, imports.rules(), size=len(content), place="staged", location=key)
    stand.app.extensions["settings"] = settings


def test_a_worker_told_to_end_in_a_long_import_is_out_in_time_and_each_reading_comes_once(
    stand, flows, tell
):
    first = stand.worker(1, "e2e.faults.run_flows_worker", **flows)
    stand.ready(stand.relay(), first)
    with stand.database.connect("quintet_owner") as owner, owner.transaction():
        # Whoever writes readings now stands still, as if the file were long.
        owner.execute("lock table flow_reading in access exclusive mode")
        accept(stand, flows, written(1, 5000))
        running = "select status from flow_file"
        stand.until(lambda: stand.rows(running) == [("running",)], within=20)
        second = stand.worker(1, "e2e.faults.run_flows_worker", **flows)
        stand.ready(second)
        process, began = first.process, time.monotonic()
        process.send_signal(signal.SIGTERM)
        gone, _ = psutil.wait_procs([process], timeout=GRACE)
        took = time.monotonic() - began
    assert gone
    assert took < GRACE - 20
    tell(f"SIGTERM: the worker was out after {took:.1f} s")
    stand.until(lambda: stand.rows(running) == [("imported",)], within=60)
    assert stand.rows("select count(*) from flow_reading") == [(5000,)]
    assert stand.rows("select count(*) from flow_file") == [(1,)]
