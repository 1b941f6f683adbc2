"""The shortest proof that it holds together: part of `make test`."""

from structlog.contextvars import bound_contextvars


def test_jobs_survive_an_emptied_broker_and_killed_processes(stand, tell):
    relay, worker = stand.relay(), stand.worker()
    stand.ready(relay, worker)
    stand.enqueue("faults.write", 20)
    stand.enqueue("faults.pay", 20)
    stand.broker.flush()
    relay.kill()
    worker.kill_child(lambda children: children[0])
    with bound_contextvars(request_id="r-quick"):
        stand.enqueue("faults.pay", 20)
    tell(f"quick: drained in {stand.drain(within=20):.1f} s")
    stand.check()
    for log in stand.folder.glob("*.log"):
        assert '"request_id": "r-quick"' in log.read_text()
    assert max(stand.calls().values()) <= 2
