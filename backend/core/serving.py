"""How gunicorn serves the application: it writes its own log as the application does."""

from gunicorn.config import Config
from gunicorn.glogging import Logger

from backend.core import logs


class GunicornLogger(Logger):  # type: ignore[misc]  # untyped upstream
    """Sends what gunicorn's own processes say through our handler; it is its `--logger-class`."""

    def setup(self, cfg: Config) -> None:
        """Set up gunicorn's loggers and take their handlers away."""
        super().setup(cfg)
        logs.configure()
