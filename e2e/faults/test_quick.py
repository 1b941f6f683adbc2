"""The shortest proof that it holds together: part of `make test`."""


def test_jobs_survive_an_emptied_broker_and_killed_processes(stand, tell):
    relay, worker = stand.relay(), stand.worker()
    stand.ready(relay, worker)
    stand.enqueue("faults.write", 20)
    stand.enqueue("faults.pay", 20)
    stand.broker.flush()
    relay.kill()
    worker.kill_child(lambda children: children[0])
    stand.enqueue("faults.pay", 20)
    tell(f"quick: drained in {stand.drain(within=20):.1f} s")
    stand.check()
    assert max(stand.calls().values()) <= 2
