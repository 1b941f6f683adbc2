"""How Celery and the broker are set, and why; the figures come from measuring what goes wrong."""

from typing import Any

from backend.core.outbox.topics import DEFAULT_QUEUE, LOCAL, TOPICS, VISIBILITY

TRANSPORT = {
    # Without a timeout a connection that went dark is never given up.
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 5,
    "visibility_timeout": int(VISIBILITY.total_seconds()),
    # The defaults multiply to 100 seconds until the message of a killed worker is given out again.
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
}
# The relay holds row locks while it publishes, so it gives up sooner; its loop is the retry.
RELAY_TRANSPORT = TRANSPORT | {"socket_timeout": 2}

SHUTDOWN_SECONDS = 25  # At least 30 seconds below the time after which the machine kills us.


def settings(transport: dict[str, Any]) -> dict[str, Any]:
    """Return Celery's configuration."""
    limit = int(LOCAL.time_limit.total_seconds())
    return {
        "accept_content": ["json"],
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": transport,
        "enable_utc": True,
        "task_acks_late": True,
        "task_default_queue": DEFAULT_QUEUE,
        "task_ignore_result": True,
        # Safe only because the outbox counts attempts: a job that kills its process ends as dead.
        "task_reject_on_worker_lost": True,
        "task_soft_time_limit": soft(limit),
        "task_time_limit": limit,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "worker_max_tasks_per_child": 500,
        "worker_pool": "worker.pool:Prefork",
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": False,
        "worker_soft_shutdown_timeout": SHUTDOWN_SECONDS,
    }


def soft(limit: int) -> int:
    """Return when the work is asked to stop, so that it can still record why it failed."""
    return max(1, limit * 5 // 6)


def queues() -> list[str]:
    """Return the queues of all topics."""
    return sorted({DEFAULT_QUEUE, *(topic.queue for topic in TOPICS.values())})
