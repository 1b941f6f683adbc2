"""Expenses, as files tell of them."""

import sqlalchemy as sa
from alembic import op

from backend.core.collections import attach_trigger, detach_trigger

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "expense",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("departments", sa.String(length=80, collation="C"), nullable=False),
        sa.Column("project_name", sa.String(length=80, collation="C"), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.String(length=3, collation="C"), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("member_name", sa.String(length=80, collation="C"), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "imported_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount >= 0", name="expense_amount_check"),
        sa.CheckConstraint("currency = 'EUR'", name="expense_currency_check"),
        sa.PrimaryKeyConstraint("id", name="expense_pkey"),
        sa.UniqueConstraint("source_key", name="expense_source_key_unique"),
    )
    op.create_index("expense_date_id_index", "expense", [sa.text("date desc"), "id"])
    for column in ("amount", "departments", "project_name", "member_name"):
        op.create_index(f"expense_{column}_id_index", "expense", [column, "id"])
    attach_trigger(op, "expense")


def downgrade() -> None:
    detach_trigger(op, "expense")
    op.drop_table("expense")
