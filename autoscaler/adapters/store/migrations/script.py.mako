"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """One way: a release reads what earlier ones wrote, never what later ones did."""
    ${upgrades if upgrades else "pass"}
