"""The servers and processes on a person's own machine."""

from environments.local.servers import borrowed_servers

__all__ = ["borrowed_servers"]
