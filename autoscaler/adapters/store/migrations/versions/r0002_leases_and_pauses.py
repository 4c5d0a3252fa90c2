"""Leases, so that of many workers one acts on each service, and pauses, which people set."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """One way: a release reads what earlier ones wrote, never what later ones did."""
    op.create_table(
        "leases",
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", name="pk_leases"),
    )
    op.create_table(
        "pauses",
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", name="pk_pauses"),
    )
    op.add_column("heartbeats", sa.Column("seen_at", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
