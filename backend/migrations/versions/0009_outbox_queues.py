"""Due jobs are found by their queue, so that a queue that is full costs the others nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UNDONE = sa.text("done_at is null and dead_at is null")


def upgrade() -> None:
    op.drop_index("outbox_due", "outbox")
    op.create_index("outbox_due", "outbox", ["queue", "next_at"], postgresql_where=UNDONE)


def downgrade() -> None:
    op.drop_index("outbox_due", "outbox")
    op.create_index("outbox_due", "outbox", ["next_at"], postgresql_where=UNDONE)
