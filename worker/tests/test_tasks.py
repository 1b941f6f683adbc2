"""Every job that is sent has a task, and every task has the form that the queue relies on."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import backend
from backend.app import DOMAINS
from backend.core.outbox.topics import TOPICS, VISIBILITY
from worker.settings import settings

SOURCE = Path(backend.__file__).parent
SOURCES = [
    path
    for path in SOURCE.rglob("*.py")
    if "tests" not in path.parts and path.name != "conftest.py"
]


def ours():
    """Return the topics without those of tests that share the process."""
    return {
        name: each for name, each in TOPICS.items() if each.run.__module__.startswith("backend.")
    }


def sent_names():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) == "enqueue":
                yield value(node.args[0], path)


def value(name, path):
    """Return what is sent: a text, or a constant of the module that sends it."""
    if isinstance(name, ast.Constant):
        return name.value
    module = path.relative_to(SOURCE.parent).with_suffix("")
    return getattr(import_module(".".join(module.parts)), name.id)


def _name(function):
    return getattr(function, "id", getattr(function, "attr", ""))


@pytest.fixture(autouse=True)
def _registered(app):
    """Making the application registers every domain's tasks."""


def test_every_job_that_is_sent_has_a_task():
    assert set(sent_names()) <= set(ours())


def test_every_task_is_named_after_its_domain_and_its_function():
    for name, topic in ours().items():
        words = topic.run.__module__.split(".")
        assert name == f"{words[2]}.{topic.run.__name__}"
        assert words[2] in {*DOMAINS, "idempotency", "outbox"}


def test_every_task_takes_keywords_and_tolerates_those_it_does_not_know_yet():
    keywords = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
    for name, topic in ours().items():
        kinds = [each.kind for each in inspect.signature(topic.run).parameters.values()]
        assert set(kinds) <= keywords, name
        assert kinds[-1:] == [inspect.Parameter.VAR_KEYWORD], name


def test_no_run_outlasts_its_lease_nor_the_brokers_patience():
    transport = settings({"visibility_timeout": VISIBILITY.total_seconds()})
    patience = transport["broker_transport_options"]["visibility_timeout"]
    for name, topic in ours().items():
        if not topic.is_renewed:
            limits = topic.limits
            assert limits.time_limit < limits.lease, name
            assert limits.lease.total_seconds() < patience, name


def test_the_web_process_does_not_load_what_others_alone_need():
    heavy = {"aiobotocore", "alembic", "matplotlib", "openpyxl", "paramiko", "s3fs"}
    code = (
        "import sys; from backend.app import create_app; from backend.core import migrations;"
        "create_app(database_url='postgresql://x'); migrations.head(); print(*sys.modules)"
    )
    words = [sys.executable, "-c", code]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert (heavy | {"celery", "kombu", "redis", "worker"}).isdisjoint(loaded)
    assert "flask" in loaded


def test_a_worker_without_a_broker_says_what_is_missing(app):
    from worker.app import create_celery  # noqa: PLC0415  sets up Celery

    with pytest.raises(Exception, match="REDIS_URL is missing"):
        create_celery(app)
