"""The worker's tests stand on the same fixtures as the backend's."""

import pytest

from backend import conftest
from backend.conftest import _session_app, app, real_database
from backend.core.outbox import topics

__all__ = ["_session_app", "app", "real_database"]


def pytest_configure(config):
    conftest.pytest_configure(config)


@pytest.fixture
def known(monkeypatch):
    """The test's own topics; everybody who knows topics knows these."""
    own = {}
    monkeypatch.setattr(topics, "_TOPICS", own)
    for module in ("worker.rounds", "worker.ticks", "worker.broker", "backend.core.outbox.letters"):
        monkeypatch.setattr(f"{module}.TOPICS", own)
    topics.task("test.note")(lambda **_: None)
    topics.task("test.mail", queue="email")(lambda **_: None)
    return own
