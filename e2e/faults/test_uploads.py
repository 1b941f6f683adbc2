"""F2, F5: uploads through the real API while the broker is away and when the API itself dies."""

import re
import signal
import statistics
import time
from itertools import count

import pytest
import requests

from e2e.faults.front import Front, paced, written

OUTAGE = 30.0  # Seconds.
PAUSE = 0.05  # Seconds between two uploads; one person may send 600 in a minute.
COLLEAGUES = 2
WARM_UP = 20
WINDOW = 80  # Uploads: four seconds.
WELL = 2  # Windows before the outage, and as many after it: the machine itself may slow down.
DURING = int(OUTAGE / PAUSE) // WINDOW
BY_JOB = {"QUINTET_FLOWS_ASYNC_BYTES": "100"}
LONG = 500_000  # Readings: some seconds of work.


@pytest.fixture
def front(stand, flows, request):
    made = Front(stand, **flows, **request.param).sign_in()
    yield made
    made.stop()


class Uploads:
    """Different files, one after another, by several people."""

    def __init__(self, stand, front):
        self.accepted = []
        self._stand, self._front = stand, front
        self._seeds = count(1)

    def windows(self, number):
        """Return each window's 99th percentile, in seconds."""
        return [p99(paced(self.send, WINDOW, PAUSE)) for _ in range(number)]

    def send(self, number):
        answer = self._front.send(written(next(self._seeds), 3), by=number)
        self.accepted.append(answer.status_code)

    def are_imported(self):
        ended = "select count(*) from flow_file where status = 'imported'"
        return self._stand.rows(ended) == [(len(self.accepted),)]


@pytest.mark.alone
@pytest.mark.parametrize("front", [BY_JOB], indirect=True)
def test_f5_uploads_go_on_for_30_s_without_a_broker_whose_address_the_api_never_calls(
    stand, flows, front, tell
):
    stand.ready(stand.relay(), stand.worker(4, "e2e.faults.run_flows_worker", **flows))
    front.sign_in_colleagues(COLLEAGUES)
    uploads = Uploads(stand, front)
    paced(uploads.send, WARM_UP, PAUSE)
    well = uploads.windows(WELL)
    stand.broker.kill(signal.SIGTERM)
    began = time.monotonic()
    during = uploads.windows(DURING)
    time.sleep(max(0.0, began + OUTAGE - time.monotonic()))
    stand.broker.start()
    drained = stand.until(uploads.are_imported, within=60)
    well += uploads.windows(WELL)
    stand.until(uploads.are_imported, within=60)
    tell(
        f"F5: p99 of {WINDOW} uploads each, before and after: {told(well)}; in {OUTAGE:.0f} s"
        f" without a broker: {told(during)}; {len(uploads.accepted)} accepted, all imported"
        f" {drained:.1f} s after its return"
    )
    assert set(uploads.accepted) == {202}
    assert stand.rows("select count(*) from flow_reading") == [(3 * len(uploads.accepted),)]
    assert front.limits.port in front.called()
    assert stand.broker.port not in front.called()
    assert statistics.median(during) <= 1.2 * statistics.median(well)


def p99(times):
    return statistics.quantiles(times, n=100)[-1]


def told(figures):
    each = ", ".join(f"{figure * 1000:.0f}" for figure in figures)
    return f"median {statistics.median(figures) * 1000:.1f} ms ({each})"


@pytest.mark.parametrize("front", [{}], indirect=True)
def test_f2_an_api_killed_between_commit_and_answer_imports_once_and_says_so_when_asked_again(
    stand, front
):
    content = written(1, 50)
    order = stand.order_crash("answered-post", "group")
    with pytest.raises(requests.ConnectionError):
        front.send(content)
    assert not order.exists()
    ((first,),) = stand.rows("select id from flow_file where status = 'imported'")
    stand.until(front.answers, within=30)
    again = front.send(content)
    (result,) = again.json()["data"]
    assert (again.status_code, result["status"]) == (200, "duplicate")
    assert result["duplicate_of_id"] == first
    assert front.keeper.starts == 2
    assert stand.rows("select count(*) from flow_file where status = 'imported'") == [(1,)]
    assert stand.rows("select count(*) from flow_reading") == [(50,)]


@pytest.mark.parametrize("front", [BY_JOB], indirect=True)
def test_an_upload_is_followed_in_the_console_and_its_id_through_the_logs_of_all_three(
    stand, flows, front
):
    relay, worker = stand.relay(), stand.worker(1, "e2e.faults.run_flows_worker", **flows)
    stand.ready(relay, worker)
    browser = front.sign_in_to_console()
    sent = front.send(written(1, LONG), **{"X-Request-ID": "r-upload-1"})
    assert (sent.status_code, sent.headers["X-Request-ID"]) == (202, "r-upload-1")
    (result,) = sent.json()["data"]
    seen, page = [], None

    def has_ended():
        nonlocal page
        page = browser.get(f"{front.url}/admin/flows/files/{result['file_id']}", timeout=30)
        if found := re.search(r'<progress max="(\d+)" value="(\d+)"', page.text):
            seen.append((int(found[2]), int(found[1])))
        return "Refresh" not in page.headers

    stand.until(has_ended, within=90)
    steps = sorted({done for done, _ in seen} - {0})
    assert len(steps) >= 2
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert all(done <= total for done, total in seen if total)
    assert f"{LONG:,} readings imported" in page.text
    for keeper in (front.keeper, relay, worker):
        assert '"request_id": "r-upload-1"' in keeper.log.read_text()
