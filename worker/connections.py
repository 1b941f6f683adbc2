"""Celery's connection to the broker, mended where it is slow or falls over (decision 0011)."""

from typing import Any

import redis
from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport import redis as transport

RECONNECT = 2.0  # Seconds at most between two attempts, where Celery waits for up to thirty.


class Channel(transport.Channel):
    """What goes over a connection.

    What comes too late for it, such as the receipt of a message, is an error of the connection, and
    not one of the program, which would end.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002  its form
        if self.connection.client is None:
            raise redis.ConnectionError("the connection is closed")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]  # newer than its types


class Transport(transport.Transport):
    """The broker's protocol, with such channels."""

    Channel = Channel


class SteadyConnection(Connection):
    """A connection that is made again soon after the broker is back."""

    def get_transport_cls(self) -> Any:
        """Return the class of the address's protocol."""
        found = super().get_transport_cls()
        return Transport if found is transport.Transport else found

    def ensure_connection(self, *arguments: Any, **options: Any) -> Connection:  # type: ignore[override]  # all are passed on
        """Try until it is there."""
        pace = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": RECONNECT}
        return super().ensure_connection(*arguments, **pace | options)


class SteadyAmqp(AMQP):
    """Celery's way to the broker, over such connections."""

    Connection = SteadyConnection
