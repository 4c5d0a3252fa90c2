"""What people answer when they are asked. From this revision on a change may hold a question."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """One way: a release reads what earlier ones wrote, never what later ones did."""
    op.create_table(
        "answers",
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name="fk_answers_change_id"),
        sa.PrimaryKeyConstraint("change_id", "who", name="pk_answers"),
    )
