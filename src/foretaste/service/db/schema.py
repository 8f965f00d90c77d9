"""Database schema: the tables as they are after all migrations.

Ids are stored as text whatever their type; the settings ``user_dtype`` and ``item_dtype`` say what they are.
Times are whole seconds since 1970, user versions nanoseconds.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData()


class JsonText(TypeDecorator[Any]):
    """JSON in a text column, of every database alike; NaN is refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str:
        """Return a value as JSON."""
        return json.dumps(value, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        """Return the value of a row."""
        return None if value is None else json.loads(value)


settings = Table(
    "settings",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("item", Text, primary_key=True),
    Column("position", Integer, nullable=False, unique=True),  # in id order: integers by value
    Column("title", Text),
    Column("search_text", Text, nullable=False),  # id and title, case-folded
)

user_versions = Table(  # of users whose ratings changed since the import
    "user_versions",
    metadata,
    Column("user", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)

ratings = Table(
    "ratings",
    metadata,
    Column("user", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("value", Float, nullable=False),
    Column("rated_at", BigInteger),
    Column("shown_prediction", Float),  # seen before rating: such ratings are excluded from training
    sqlite_with_rowid=False,
)

visitors = Table(  # anonymous web visitors, who rate without an API key
    "visitors",
    metadata,
    Column("user", Text, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),  # of the token in their cookie
    Column("created_at", BigInteger, nullable=False),
    Column("skipped_items", JsonText, nullable=False),  # list
    Column("shown_predictions", JsonText, nullable=False),  # item -> prediction
)

keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", String(10), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

sessions = Table(  # of administrators on the web page
    "sessions",
    metadata,
    Column("sha256", String(64), primary_key=True),  # of the token in their cookie
    Column("key_id", Integer, ForeignKey("keys.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("file", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("spec", JsonText, nullable=False),  # name and hyperparameters
    Column("origin", String(10), nullable=False),  # trained, uploaded
    Column("created_at", BigInteger, nullable=False),
    Column("n_ratings", BigInteger, nullable=False),
    Column("checks", JsonText, nullable=False),  # metrics of the quality gate
    sqlite_autoincrement=True,  # ids are never reused, also not after a deletion
)

activations = Table(
    "activations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model_id", Integer, ForeignKey("models.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("reason", String(20), nullable=False),  # first, retrained, chosen, rolled back
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slot", String(10), unique=True),  # "retrain" while running: at most one job runs
    Column("state", String(10), nullable=False),  # running, done, rejected, failed, cancelled, lost
    Column("spec", JsonText, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("label", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("model_id", Integer, ForeignKey("models.id")),
)

Index("ix_ratings_item", ratings.c.item)
