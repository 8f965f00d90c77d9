"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "facts",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "items",
        sa.Column("item", sa.Text, primary_key=True),
        sa.Column("place", sa.Integer, nullable=False, unique=True),
        sa.Column("title", sa.Text),
        sa.Column("searched", sa.Text, nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ratings",
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("item", sa.Text, primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("rated_at", sa.BigInteger),
        sa.Column("shown", sa.Float),
        sqlite_with_rowid=False,
    )
    op.create_index("ratings_of_item", "ratings", ["item"])
    op.create_table(
        "keys",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    _of_page()
    _of_models()


def _of_page() -> None:
    op.create_table(
        "visitors",
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("skipped", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("key", sa.Integer, sa.ForeignKey("keys.number"), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
    )


def _of_models() -> None:
    op.create_table(
        "models",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("origin", sa.String(10), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("ratings", sa.BigInteger, nullable=False),
        sa.Column("checks", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "activations",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("model", sa.Integer, sa.ForeignKey("models.number"), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("slot", sa.String(10), unique=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("cancel", sa.Boolean, nullable=False),
        sa.Column("model", sa.Integer, sa.ForeignKey("models.number")),
    )


def downgrade() -> None:
    """Drop the tables and all that is in them."""
    names = "jobs activations models sessions keys visitors ratings people items facts"
    for name in names.split():
        op.drop_table(name)
