"""The worker's tests stand on the same fixtures as the backend's."""

from backend import conftest
from backend.conftest import _session_app, app, real_database

__all__ = ["_session_app", "app", "real_database"]


def pytest_configure(config):
    conftest.pytest_configure(config)
