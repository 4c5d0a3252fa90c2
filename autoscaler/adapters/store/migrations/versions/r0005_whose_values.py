"""What was seen of the env vars says which of them were ours, and on which plan. No table changes."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """One way: a release reads what earlier ones wrote, never what later ones did."""
