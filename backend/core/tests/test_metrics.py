import time
from dataclasses import replace
from urllib.request import urlopen

import pytest
from prometheus_client import generate_latest

from backend.core import metrics


@pytest.fixture
def scrape(app, monkeypatch):
    """Read the metrics as Prometheus does, from their own port."""
    settings = replace(app.extensions["settings"], metrics_port=0)
    monkeypatch.setitem(app.extensions, "settings", settings)
    server, thread = metrics.serve(app)
    yield lambda: urlopen(f"http://127.0.0.1:{server.server_port}/metrics").read().decode()
    server.shutdown()
    server.server_close()
    thread.join()


def test_requests_are_measured_by_template_method_and_class_of_status(client, scrape):
    client.get("/problems/not-found")
    client.open("/nowhere/ada@quintet.test", method="BREW")
    text = scrape()
    start = "http_request_duration_seconds_count"
    assert f'{start}{{method="GET",route="/problems/<code>",status="2xx"}}' in text
    assert f'{start}{{method="other",route="none",status="4xx"}}' in text
    assert "ada" not in text


def test_health_checks_are_not_measured(client, scrape):
    client.get("/healthz")
    assert "healthz" not in scrape()


def test_the_gauges_of_the_outbox_are_read_from_the_database(app):
    metrics.refresh()
    text = generate_latest(metrics.registry).decode()
    assert 'outbox_undone{queue="default"} 0.0' in text
    for name in ("outbox_oldest_age_seconds", "outbox_dead", "worker_heartbeat_age_seconds"):
        assert f"\n{name} 0.0" in text


def test_the_age_of_the_gauges_tells_how_long_the_database_is_away(app, monkeypatch):
    def age():
        return metrics.registry.get_sample_value("gauges_age_seconds")

    metrics.refresh()
    first = age()
    assert 0 <= first < 5
    monkeypatch.setattr(metrics, "monotonic", lambda: time.monotonic() + 100)
    assert age() > 99
    metrics.refresh()
    assert age() < 5


def test_without_a_port_nothing_is_served(app):
    assert metrics.serve(app) is None
    assert "/metrics" not in [rule.rule for rule in app.url_map.iter_rules()]
