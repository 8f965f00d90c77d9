"""Helpers of the audit tests: one-line ratings, findings by kind, fixes as arguments."""

from __future__ import annotations

import ast
import re
from typing import Any

from foretaste import audit
from foretaste.data_audit import Finding
from foretaste.errors import Hint
from foretaste.ratings import Ratings

NOON = 1_500_000_000  # seconds since 1970


def arguments(fix: Hint) -> dict:
    """Return the arguments of ``read_ratings`` that a fix starts with, which are printed as Python."""
    printed = re.match(r"(\w+)=(\"[^\"]*\")", str(fix))
    assert printed, fix
    assert {printed[1]: ast.literal_eval(printed[2])} == fix.arguments
    return dict(fix.arguments)


def of(user, item=None, value=None, **more) -> Ratings:
    """Make ratings; items and values of no interest are made up, all different."""
    n = len(user)
    item = list(range(n)) if item is None else item
    value = [1 + k % 5 for k in range(n)] if value is None else value
    return Ratings.from_columns(user, item, value, **more)


def one(source: Any, kind: str, **more) -> Finding:
    """Return the one finding of a kind."""
    (finding,) = audit(source, **more).findings_of_kind(kind)
    return finding
