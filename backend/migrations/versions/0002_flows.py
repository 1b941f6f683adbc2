"""Flow files, what they said by line, and what was wrong with them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flow_file",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("options", postgresql.JSONB(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("raw_hash", sa.String(), nullable=True),
        sa.Column("content_hash", sa.String(), nullable=True),
        sa.Column("archive_key", sa.String(), nullable=True),
        sa.Column("line_offsets", sa.LargeBinary(), nullable=True),
        sa.Column("duplicate_of_id", sa.BigInteger(), nullable=True),
        sa.Column("conflicts_with_id", sa.BigInteger(), nullable=True),
        sa.Column("flow", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("file_identifier", sa.String(), nullable=True),
        sa.Column("from_role", sa.String(), nullable=True),
        sa.Column("from_participant", sa.String(), nullable=True),
        sa.Column("to_role", sa.String(), nullable=True),
        sa.Column("to_participant", sa.String(), nullable=True),
        sa.Column("created_text", sa.String(), nullable=True),
        sa.Column("created_at_local", sa.DateTime(), nullable=True),
        sa.Column("test_flag", sa.String(), nullable=True),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("declared_groups", sa.BigInteger(), nullable=True),
        sa.Column("declared_roots", sa.BigInteger(), nullable=True),
        sa.Column("checksum", sa.String(), nullable=True),
        sa.Column("completed_text", sa.String(), nullable=True),
        sa.Column("records_total", sa.BigInteger(), nullable=False),
        sa.Column("records_accepted", sa.BigInteger(), nullable=False),
        sa.Column("records_rejected", sa.BigInteger(), nullable=False),
        sa.Column("roots_total", sa.BigInteger(), nullable=False),
        sa.Column("roots_accepted", sa.BigInteger(), nullable=False),
        sa.Column("roots_rejected", sa.BigInteger(), nullable=False),
        sa.Column("readings_total", sa.BigInteger(), nullable=False),
        sa.Column("readings_accepted", sa.BigInteger(), nullable=False),
        sa.Column("readings_rejected", sa.BigInteger(), nullable=False),
        sa.Column("visits_total", sa.BigInteger(), nullable=False),
        sa.Column("errors_total", sa.BigInteger(), nullable=False),
        sa.Column("warnings_total", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel in ('cli', 'rest', 'sftp', 'drop')", name="flow_file_channel_check"
        ),
        sa.CheckConstraint(
            "status in ('running', 'imported', 'imported_with_errors', 'rejected', 'duplicate',"
            " 'quarantined', 'failed')",
            name="flow_file_status_check",
        ),
        sa.ForeignKeyConstraint(
            ["conflicts_with_id"], ["flow_file.id"], name="flow_file_conflicts_with_id_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["duplicate_of_id"], ["flow_file.id"], name="flow_file_duplicate_of_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="flow_file_pkey"),
    )
    op.create_index(
        "flow_file_business_key_unique",
        "flow_file",
        ["file_identifier", "from_participant", "from_role", "flow", "version", "created_at_local"],
        unique=True,
        postgresql_where=sa.text(
            "status in ('imported', 'imported_with_errors') and conflicts_with_id is null"
        ),
    )
    op.create_index(
        "flow_file_conflicts_with_id_index", "flow_file", ["conflicts_with_id"], unique=False
    )
    op.create_index(
        "flow_file_content_hash_unique",
        "flow_file",
        ["content_hash"],
        unique=True,
        postgresql_where=sa.text("status in ('imported', 'imported_with_errors')"),
    )
    op.create_index(
        "flow_file_duplicate_of_id_index", "flow_file", ["duplicate_of_id"], unique=False
    )
    op.create_index(
        "flow_file_running_index",
        "flow_file",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "flow_meter",
        sa.Column("file_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mpan", sa.Text(collation="C"), nullable=False),
        sa.Column("bsc_status", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("serial_key", sa.Text(collation="C"), nullable=False),
        sa.Column("reading_type", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "line_number", name="flow_meter_pkey"),
    )
    op.create_index("flow_meter_mpan_index", "flow_meter", ["mpan"], unique=False)
    op.create_index("flow_meter_serial_key_index", "flow_meter", ["serial_key"], unique=False)
    op.create_table(
        "flow_reading",
        sa.Column("file_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reading_at_local", sa.DateTime(), nullable=False),
        sa.Column("md_reset_at", sa.DateTime(), nullable=True),
        sa.Column("line_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("md_resets", sa.SmallInteger(), nullable=True),
        sa.Column("is_flag_valid", sa.Boolean(), nullable=True),
        sa.Column("is_status_valid", sa.Boolean(), nullable=True),
        sa.Column("mpan", sa.Text(collation="C"), nullable=False),
        sa.Column("bsc_status", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("serial_key", sa.Text(collation="C"), nullable=False),
        sa.Column("reading_type", sa.String(), nullable=False),
        sa.Column("register", sa.String(), nullable=False),
        sa.Column("value", sa.Numeric(precision=12, scale=3), nullable=False),
        sa.Column("value_text", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=True),
        sa.Column("reason_code", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("file_id", "line_number", name="flow_reading_pkey"),
    )
    op.create_index(
        "flow_reading_mpan_reading_at_local_index",
        "flow_reading",
        ["mpan", "reading_at_local"],
        unique=False,
    )
    op.create_index(
        "flow_reading_serial_key_reading_at_local_index",
        "flow_reading",
        ["serial_key", "reading_at_local"],
        unique=False,
    )
    op.create_table(
        "flow_site_visit",
        sa.Column("file_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("parent_line", sa.Integer(), nullable=False),
        sa.Column("parent_group", sa.String(), nullable=False),
        sa.Column("mpan", sa.Text(collation="C"), nullable=False),
        sa.Column("serial", sa.String(), nullable=True),
        sa.Column("register", sa.String(), nullable=True),
        sa.Column("check_code", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("file_id", "line_number", name="flow_site_visit_pkey"),
    )
    op.create_table(
        "flow_finding",
        sa.Column("file_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=True),
        sa.Column("group_code", sa.String(), nullable=True),
        sa.Column("item", sa.String(), nullable=True),
        sa.Column("value", sa.String(), nullable=True),
        sa.CheckConstraint("severity in ('error', 'warning')", name="flow_finding_severity_check"),
        sa.ForeignKeyConstraint(["file_id"], ["flow_file.id"], name="flow_finding_file_id_fkey"),
        sa.PrimaryKeyConstraint("file_id", "number", name="flow_finding_pkey"),
    )


def downgrade() -> None:
    for table in ("flow_finding", "flow_site_visit", "flow_reading", "flow_meter", "flow_file"):
        op.drop_table(table)
