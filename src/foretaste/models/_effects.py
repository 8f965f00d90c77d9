"""The rungs of global effects: who has a number, and what it multiplies."""

from __future__ import annotations

from dataclasses import dataclass

from foretaste.ids import Indices
from foretaste.ratings import Pairs


@dataclass(frozen=True)
class Step:
    """One rung: every user (or item) gets a number, which multiplies an explanatory variable."""

    name: str
    side: str  # "user" or "item": who has the number
    variable: str  # what it multiplies: "one", or a fact of one side: "item_average"

    @property
    def place(self) -> int:
        """The column of its numbers among those of its side."""
        return [step for step in LADDER if step.side == self.side].index(self)


LADDER = (
    Step("item", "item", "one"),
    Step("user", "user", "one"),
    Step("user x time of user", "user", "user_time"),
    Step("user x time of item", "user", "item_time"),
    Step("item x time of item", "item", "item_time"),
    Step("item x time of user", "item", "user_time"),
    Step("user x average of item", "user", "item_average"),
    Step("user x support of item", "user", "item_support"),
    Step("item x average of user", "item", "user_average"),
    Step("item x support of user", "item", "user_support"),
)


def places(side: str) -> int:
    """Return how many numbers a user (or an item) has."""
    return sum(step.side == side for step in LADDER)


def codes_of(side: str, pairs: Pairs) -> Indices:
    """Return the index of the user (or the item) of each pair."""
    return pairs.user if side == "user" else pairs.item
