"""Flow files that wait for a job, in quarantine, or seen in folders and on servers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
STATUSES = (
    "running",
    "imported",
    "imported_with_errors",
    "rejected",
    "duplicate",
    "quarantined",
    "failed",
)


def upgrade() -> None:
    _allow("waiting", *STATUSES)
    op.create_table(
        "flow_waiting",
        sa.Column("file_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("is_released", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("records_done", sa.BigInteger(), nullable=False),
        sa.Column("records_total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", name="flow_waiting_pkey"),
        sa.CheckConstraint(
            "place in ('staged', 'folder', 'archive')", name="flow_waiting_place_check"
        ),
        _of_file("flow_waiting"),
    )
    op.create_table(
        "flow_quarantine",
        sa.Column("file_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("put_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by_id", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", name="flow_quarantine_pkey"),
        sa.CheckConstraint(
            "decision in ('released', 'discarded')", name="flow_quarantine_decision_check"
        ),
        _of_file("flow_quarantine"),
    )
    op.create_index(
        "flow_quarantine_untold_index",
        "flow_quarantine",
        ["file_id"],
        postgresql_where=sa.text("told_at is null"),
    )
    _watched()


def _watched() -> None:
    op.create_table(
        "flow_look",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.Column("steady_since", MOMENT, nullable=False),
        sa.Column("taken_at", MOMENT, nullable=True),
        sa.Column("raw_hash", sa.String(), nullable=True),
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source", "name", name="flow_look_pkey"),
        _of_file("flow_look"),
    )
    op.create_table(
        "flow_source",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("looked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="flow_source_pkey"),
        sa.CheckConstraint("state in ('open', 'away', 'stopped')", name="flow_source_state_check"),
    )


def downgrade() -> None:
    for table in ("flow_source", "flow_look", "flow_quarantine", "flow_waiting"):
        op.drop_table(table)
    op.execute("update flow_file set status = 'failed' where status = 'waiting'")
    _allow(*STATUSES)


def _allow(*statuses: str) -> None:
    op.drop_constraint("flow_file_status_check", "flow_file", type_="check")
    op.create_check_constraint("flow_file_status_check", "flow_file", f"status in {statuses}")


def _of_file(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["file_id"], ["flow_file.id"], name=f"{table}_file_id_fkey")
