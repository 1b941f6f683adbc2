"""Revisions of tables, by which a list's answer is known to be still the same."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FUNCTIONS = (
    """
create function raise_revision(of_table text, of_owner text) returns void language sql as $$
    -- Once in each transaction: thousands of versions of one row would slow down those that follow.
    insert into collection_revision as counter (name, owner, shard, value, raised_in)
    values (of_table, of_owner, pg_backend_pid() % 16, 1, pg_current_xact_id()::text::bigint)
    on conflict (name, owner, shard) do update
    set value = counter.value + 1, raised_in = excluded.raised_in
    where counter.raised_in <> excluded.raised_in
$$""",
    """
create function raise_table_revision() returns trigger language plpgsql as $$
begin
    perform raise_revision(tg_table_name, '');
    return null;
end $$""",
    """
create function raise_owner_revision() returns trigger language plpgsql as $$
declare
    -- One order for all, so that two writers of the same owners never wait for each other in turn.
    rows text := case tg_op
        when 'INSERT' then 'select * from new_rows'
        when 'DELETE' then 'select * from old_rows'
        else 'select * from old_rows union all select * from new_rows' end;
begin
    execute format(
        'select raise_revision(%L, owner) from (select distinct coalesce(%I::text, '''') as owner '
        'from (%s) as changed order by 1) as owners', tg_table_name, tg_argv[0], rows);
    return null;
end $$""",
)


def upgrade() -> None:
    op.create_table(
        "collection_revision",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("raised_in", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "owner", "shard", name="collection_revision_pkey"),
    )
    for function in FUNCTIONS:
        op.execute(function)


def downgrade() -> None:
    op.execute("drop function raise_owner_revision()")
    op.execute("drop function raise_table_revision()")
    op.execute("drop function raise_revision(text, text)")
    op.drop_table("collection_revision")
