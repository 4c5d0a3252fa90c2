"""Questions that rest for a while, and policies that somebody let act. From this revision on a message may hold buttons and a chart."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """One way: a release reads what earlier ones wrote, never what later ones did."""
    op.create_table(
        "snoozes",
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name="fk_snoozes_change_id"),
        sa.PrimaryKeyConstraint("change_id", name="pk_snoozes"),
    )
    op.create_table(
        "gone_live",
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", name="pk_gone_live"),
    )
