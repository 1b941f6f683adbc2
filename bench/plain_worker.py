"""What the queue is measured against: a plain Celery task that commits one row."""

import sys

from celery import Celery, signals

from backend.app import create_app
from backend.core.database import transaction
from bench.outbox_work import write_row
from worker.app import keep_logs
from worker.health import HealthFiles
from worker.settings import TRANSPORT, settings

flask_app = create_app()
own = flask_app.extensions["settings"]
celery = Celery("plain", broker=own.broker_url, set_as_current=False)
celery.conf.update(settings(TRANSPORT), quintet_health_folder=own.health_folder)
celery.steps["worker"].add(HealthFiles)
signals.setup_logging.connect(keep_logs)


@celery.task(name="plain")
def plain(ref: str) -> None:
    """Commit one row."""
    with flask_app.app_context(), transaction():
        write_row(ref)


if __name__ == "__main__":
    words = ["worker", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    celery.worker_main([*words, "--queues", "plain", *sys.argv[1:]])
