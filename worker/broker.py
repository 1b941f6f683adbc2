"""Publishing: messages that say an id and nothing else, and whether the broker is well."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import redis
import structlog
from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import KombuError, OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from backend.core.outbox.topics import TOPICS
from worker.settings import RELAY_TRANSPORT, queues, soft

log = structlog.get_logger(__name__)

FAILURES = (OperationalError, KombuError, redis.RedisError, OSError)
# Jobs wait in the outbox rather than in the broker, where they would be published again meanwhile.
LONGEST_QUEUE = 200
MARKER = "quintet:relay"


@dataclass(frozen=True)
class Message:
    """What is to be published."""

    job_id: UUID
    topic: str
    queue: str


class Broker:
    """A connection for publishing, which gives up soon and starts anew at the next message."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        self._probe = redis.Redis.from_url(
            celery.conf.broker_url,
            socket_timeout=RELAY_TRANSPORT["socket_timeout"],
            socket_connect_timeout=RELAY_TRANSPORT["socket_connect_timeout"],
            retry=Retry(NoBackoff(), 0),
        )

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish the messages, all in one round trip.

        Whatever fails leaves open which of them arrived.
        """
        try:
            producer = self._open()
            with producer.batch(max_size=len(messages)):  # type: ignore[attr-defined]  # newer than its types
                for message in messages:
                    self._send(producer, message)
        except FAILURES:
            self.close()
            raise

    def _send(self, producer: Producer, message: Message) -> None:
        limit = int(TOPICS[message.topic].limits.time_limit.total_seconds())
        self._celery.send_task(
            "handle",
            args=[str(message.job_id)],
            queue=message.queue,
            task_id=str(message.job_id),
            time_limit=limit,
            soft_time_limit=soft(limit),
            producer=producer,
            retry=False,
            argsrepr="",
            kwargsrepr="",
        )

    def look(self) -> tuple[set[str], bool]:
        """Return the queues that take more, and whether the broker has lost what was published.

        A mark in its memory tells: a broker that was emptied or restarted does not have it.
        """
        names = queues()
        with self._probe.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.llen(name)
            pipeline.set(MARKER, 1, get=True)
            *lengths, mark = pipeline.execute()
        room = {name for name, length in zip(names, lengths, strict=True) if length < LONGEST_QUEUE}
        return room, mark is None

    def close(self) -> None:
        """Forget the connection."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(*FAILURES):
                connection.release()

    def _open(self) -> Producer:
        if self._producer is None:
            self._connection = self._celery.connection_for_write()
            self._producer = self._celery.amqp.Producer(self._connection, auto_declare=False)
        return self._producer
