"""The Celery application and its one task: `quintet-worker --queues default,email`."""

import logging
import os
import sys
from typing import Any
from uuid import UUID

# Read when Celery is imported: TERM then ends the work in hand within seconds and returns it.
os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")

from celery import Celery, signals
from flask import Flask

from backend.app import create_app
from backend.core import outbox
from backend.core.config import InvalidSettings, Settings
from backend.core.database import db
from worker.connections import SteadyAmqp
from worker.health import HealthFiles
from worker.settings import TRANSPORT, queues, settings

HANDLE = "handle"


def broker_url(app: Flask) -> str:
    """Return the broker's address.

    :raises InvalidSettings: when there is none
    """
    url = _settings(app).broker_url
    if not url:
        raise InvalidSettings("REDIS_URL is missing: the broker")
    return url


def _settings(app: Flask) -> Settings:
    found: Settings = app.extensions["settings"]
    return found


def create_celery(app: Flask, transport: dict[str, Any] = TRANSPORT) -> Celery:
    """Return the Celery application over the web application."""
    celery = Celery("quintet", broker=broker_url(app), amqp=SteadyAmqp, set_as_current=False)
    celery.conf.update(settings(transport), quintet_health_folder=_settings(app).health_folder)

    @celery.task(name=HANDLE)
    def handle(job_id: str) -> None:
        """Do one job; the id is all that the message says."""
        with app.app_context():
            outbox.run(UUID(job_id))

    celery.steps["worker"].add(HealthFiles)
    return celery


def main(arguments: list[str] | None = None) -> None:
    """Run a worker; the arguments are those of `celery worker`."""
    given = sys.argv[1:] if arguments is None else arguments
    app = create_app()
    celery = create_celery(app)
    # Connected without receivers, this signal would have Celery set up logs of its own.
    signals.setup_logging.connect(keep_logs)

    @signals.worker_process_init.connect(weak=False)
    def forget_connections(**_: object) -> None:
        """Leave the parent's connections to the parent."""
        with app.app_context():
            db.engine.dispose(close=False)

    words = ["worker", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    if not any(word.startswith(("-Q", "--queues")) for word in given):
        words += ["--queues", ",".join(queues())]
    celery.worker_main([*words, *given])


def keep_logs(**_: object) -> None:
    """Celery leaves the logs alone once somebody listens to this signal.

    The outbox writes one line for each job, with its topic and request; Celery's two say no more.
    """
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
