"""The outbox's rows as a collection, and what staff do with those that failed for good."""

from typing import Any

from sqlalchemy import case, func, select

from backend.core.auth import Identity, PageBlueprint
from backend.core.collections import Col, Collection, Enum, Integer, Text, Timestamp, Uuid
from backend.core.collections.offers import offering
from backend.core.collections.scopes import only
from backend.core.outbox import letters
from backend.core.outbox.table import Job
from backend.core.sections import Action, Section, Values, mount

STATES = ("waiting", "running", "done", "dead")
STATE_KINDS = {"running": "warning", "done": "good", "dead": "bad"}

_state = case(
    (Job.done_at.is_not(None), "done"),
    (Job.dead_at.is_not(None), "dead"),
    (Job.lease_until > func.now(), "running"),
    else_="waiting",
)
# The payload stays out: it is the task's own business, and may be long.
_jobs = select(
    Job.id,
    Job.topic,
    Job.ref_id,
    Job.queue,
    _state.label("state"),
    Job.attempts,
    Job.created_at,
    Job.next_at,
    Job.done_at,
    Job.dead_at,
    Job.last_error,
    Job.trace["request_id"].astext.label("request_id"),
).subquery("job")

jobs = Collection(
    "outbox-jobs",
    model=_jobs,
    title="Jobs",
    description="Work for later, and what became of it. A job that is dead was tried as often as "
    "it may be, and stays so until it is replayed or closed by a decision.",
    default_sort="-created_at",
    scope=only("staff"),
    columns=[
        Col("id", Uuid(), nullable=False),
        Col("topic", Text(80, example="identity.send_link"), groupable=True, nullable=False),
        Col("ref_id", Uuid(), title="About", nullable=False),
        Col("queue", Text(80, example="default"), groupable=True, nullable=False),
        Col("state", Enum(STATES), groupable=True, nullable=False),
        Col("attempts", Integer(), sortable=True, nullable=False),
        Col("created_at", Timestamp(), title="Created", sortable=True, nullable=False),
        Col("next_at", Timestamp(), title="Due", sortable=True, nullable=False),
        Col("done_at", Timestamp(), title="Done", sortable=True),
        Col("dead_at", Timestamp(), title="Died", sortable=True),
        Col("last_error", Text(2000, example="No answer.")),
        Col("request_id", Text(80, example="01J9ZC"), title="Request"),
    ],
)


def _replay(job_id: Any, actor: Identity, _form: Values) -> None:
    letters.replay(job_id, actor_id=actor.user_id)


api = offering("outbox", role="staff", offered={"/jobs": jobs}, description="Work for later")
console = PageBlueprint("outbox_console", __name__, role="staff", url_prefix="/admin")
mount(
    console,
    Section(
        jobs,
        name="jobs",
        singular="job",
        main="topic",
        columns=("dead_at", "topic", "ref_id", "state", "attempts", "last_error", "request_id"),
        filters=("state", "topic", "ref_id", "last_error[contains]", "created_at[gte]"),
        start=(("state", "dead"), ("sort", "-dead_at")),
        badges={"state": STATE_KINDS},
        empty="No job has failed for good.",
        actions=(
            Action(
                "replay",
                "Replay",
                "replay",
                _replay,
                sentence="The job gets all its attempts again, under the keys that it always had.",
                done="The job will be tried again.",
                offered=lambda record, _: record["state"] == "dead",
                in_list=True,
                to_list=True,
            ),
        ),
    ),
    "/outbox",
)
