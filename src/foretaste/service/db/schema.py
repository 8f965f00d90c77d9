"""The tables of the service's database, as they are after all migrations.

Ids are kept as text, whatever their type: ``settings`` says whether those of users and of items are numbers.
Times are whole seconds since 1970, versions nanoseconds.
"""

from __future__ import annotations

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
)

metadata = MetaData()

settings = Table(
    "facts",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("item", Text, primary_key=True),
    Column("place", Integer, nullable=False, unique=True),  # in the order of ids: numbers as numbers
    Column("title", Text),
    Column("searched", Text, nullable=False),  # id and title, without case
)

user_versions = Table(  # who has changed something since the ratings were first read
    "people",
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
    Column("shown", Float),  # the prediction that the person saw before rating: no model learns from such
    sqlite_with_rowid=False,
)

visitors = Table(  # people of the page, who rate without a key
    "visitors",
    metadata,
    Column("user", Text, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),  # of the secret in their cookie
    Column("made_at", BigInteger, nullable=False),
    Column("skipped", Text, nullable=False),  # JSON: items
    Column("shown", Text, nullable=False),  # JSON: the prediction of each item that was shown to them
)

keys = Table(
    "keys",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", String(10), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

sessions = Table(  # administrators who have signed in on the page
    "sessions",
    metadata,
    Column("sha256", String(64), primary_key=True),  # of the secret in their cookie
    Column("key", Integer, ForeignKey("keys.number"), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("file", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("spec", Text, nullable=False),  # JSON: name and parameters
    Column("origin", String(10), nullable=False),  # trained, uploaded
    Column("made_at", BigInteger, nullable=False),
    Column("ratings", BigInteger, nullable=False),
    Column("checks", Text, nullable=False),  # JSON
    sqlite_autoincrement=True,  # a number names one model for ever, also when that was deleted
)

activations = Table(
    "activations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("model", Integer, ForeignKey("models.number"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", String(20), nullable=False),  # first, retrained, chosen, rolled back
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("slot", String(10), unique=True),  # "retrain" while it is at work, so that there is one at a time
    Column("state", String(10), nullable=False),  # running, done, refused, failed, cancelled, lost
    Column("spec", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("label", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("cancel", Boolean, nullable=False),
    Column("model", Integer, ForeignKey("models.number")),
)

Index("ratings_of_item", ratings.c.item)
