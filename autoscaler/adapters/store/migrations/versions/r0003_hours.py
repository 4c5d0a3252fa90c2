"""Readings by the hour, once they are 30 days old. From this revision on readings are packed; older rows stay as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """One way: a release reads what earlier ones wrote, never what later ones did."""
    op.create_table(
        "hours",
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", "hour", name="pk_hours"),
    )
