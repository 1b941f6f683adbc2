"""The schedule: a job for the latest due tick of each task that repeats, whoever comes first."""

from datetime import datetime
from uuid import NAMESPACE_URL, uuid4, uuid5

from sqlalchemy import JSON, bindparam, text

from backend.core.database import db
from backend.core.outbox.schedules import latest_due
from backend.core.outbox.topics import TOPICS, Topic

NOW = text("select clock_timestamp()")
# The previous tick's job is told from others of its topic by the argument that only ticks have.
INSERT = text("""
    with made as (
        insert into outbox (id, topic, queue, ref_id, payload)
        select :id, :topic, :queue, :ref_id, :payload
         where not exists (
               select from outbox where topic = :topic and done_at is null and dead_at is null
                  and payload ? 'tick')
        on conflict (topic, ref_id) do nothing
        returning id)
    select exists (select from made) as is_new,
           exists (select from outbox where topic = :topic and ref_id = :ref_id) as is_there
""").bindparams(bindparam("payload", type_=JSON))


class Ticks:
    """Inserts due ticks; it remembers those that are settled to spare the database the question."""

    def __init__(self) -> None:
        self._settled: dict[str, datetime] = {}

    def insert_due(self) -> int:
        """Insert the ticks that are due by the database's clock, and return how many."""
        scheduled = [topic for topic in TOPICS.values() if topic.schedule]
        if not scheduled:
            return 0
        now = db.session.execute(NOW).scalar_one()
        return sum(self._insert(topic, now) for topic in scheduled)

    def _insert(self, topic: Topic, now: datetime) -> int:
        tick = latest_due(topic.schedule, now) if topic.schedule else None
        if tick is None or self._settled.get(topic.name) == tick:
            return 0
        values = {
            "id": uuid4(),
            "topic": topic.name,
            "queue": topic.queue,
            "ref_id": uuid5(NAMESPACE_URL, f"{topic.name}/{tick.isoformat()}"),
            "payload": {"tick": tick.isoformat()},
        }
        made = db.session.execute(INSERT, values).one()
        if made.is_new or made.is_there:
            self._settled[topic.name] = tick
        return int(made.is_new)
