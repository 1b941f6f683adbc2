"""How gunicorn serves the application: `gunicorn --config python:backend.core.serving …`.

One process with threads, scaled by starting more of them elsewhere; the names below are gunicorn's.
"""

from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from backend.core import logs, metrics


class GunicornLogger(Logger):  # type: ignore[misc]  # untyped upstream
    """Sends what gunicorn's own processes say through our handler."""

    def setup(self, cfg: Config) -> None:
        """Set up gunicorn's loggers and take their handlers away."""
        super().setup(cfg)
        logs.configure()


def post_worker_init(worker: Worker) -> None:
    """Open the port of the metrics, whose thread would not survive a fork."""
    metrics.serve(worker.wsgi)


control_socket_disable = True
graceful_timeout = 25
logger_class = GunicornLogger
threads = 8
worker_class = "gthread"
wsgi_app = "backend.app:create_app()"
