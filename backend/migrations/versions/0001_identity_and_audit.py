"""Create people, their tokens, and the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Later history tables use the same function. "always" holds for replicated sessions too.
REFUSE = """
create function refuse_history_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: rows are only ever added', tg_op, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$
"""
PROTECT_AUDIT = """
create trigger audit_event_is_history before update or delete or truncate on audit_event
    for each statement execute function refuse_history_change()
"""


def upgrade() -> None:
    _create_people()
    _create_tokens()
    _create_audit()


def _create_people() -> None:
    op.create_table(
        "identity_user",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("email", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("roles", ARRAY(sa.String()), nullable=False),
        sa.Column("password_hash", sa.String()),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("tokens_valid_after", sa.DateTime(timezone=True)),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )
    op.create_index(
        "identity_user_email_unique", "identity_user", [sa.text("lower(email)")], unique=True
    )


def _create_tokens() -> None:
    op.create_table(
        "identity_refresh_token",
        sa.Column("token_hash", sa.LargeBinary(), primary_key=True),
        sa.Column("family", sa.Uuid(), nullable=False, index=True),
        sa.Column(
            "user_id",
            sa.Uuid(),
            sa.ForeignKey("identity_user.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("used_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "identity_revocation",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )


def _create_audit() -> None:
    op.create_table(
        "audit_event",
        sa.Column("chain", sa.String(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("object_type", sa.String()),
        sa.Column("object_id", sa.String()),
        sa.Column("before", JSONB()),
        sa.Column("after", JSONB()),
        sa.Column("request_id", sa.String()),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
    )
    op.execute(REFUSE)
    op.execute(PROTECT_AUDIT)
    op.execute("alter table audit_event enable always trigger audit_event_is_history")
    op.execute("revoke update, delete, truncate on audit_event from public")


def downgrade() -> None:
    op.drop_table("audit_event")
    op.execute("drop function refuse_history_change()")
    op.drop_table("identity_revocation")
    op.drop_table("identity_refresh_token")
    op.drop_table("identity_user")
