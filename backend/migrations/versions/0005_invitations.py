"""Links by e-mail: invitations, and resets of passwords."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "identity_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="identity_link_pkey"),
        sa.CheckConstraint(
            "purpose in ('invitation', 'password-reset')", name="identity_link_purpose_check"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["identity_user.id"],
            name="identity_link_user_id_fkey",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("message_id", name="identity_link_message_id_unique"),
        sa.UniqueConstraint("token_hash", name="identity_link_token_hash_unique"),
    )
    op.create_index("identity_link_user_id_index", "identity_link", ["user_id"])
    op.create_index("identity_link_expires_at_index", "identity_link", ["expires_at"])


def downgrade() -> None:
    op.drop_table("identity_link")
