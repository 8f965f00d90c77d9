"""The rungs of global effects: who has a number, and what it multiplies."""

from __future__ import annotations

from dataclasses import dataclass

from foretaste.ratings import Pairs
from foretaste.typing import IndexArray


@dataclass(frozen=True)
class Effect:
    """One rung: every user (or item) gets a number, which multiplies an explanatory variable."""

    name: str
    entity: str  # "user" or "item": who has the number
    variable: str  # what it multiplies: "one", or a fact of one side: "item_average"

    @property
    def column(self) -> int:
        """The column of its numbers among those of its side."""
        return [effect for effect in EFFECTS if effect.entity == self.entity].index(self)


EFFECTS = (
    Effect("item", "item", "one"),
    Effect("user", "user", "one"),
    Effect("user x time of user", "user", "user_time"),
    Effect("user x time of item", "user", "item_time"),
    Effect("item x time of item", "item", "item_time"),
    Effect("item x time of user", "item", "user_time"),
    Effect("user x average of item", "user", "item_average"),
    Effect("user x support of item", "user", "item_support"),
    Effect("item x average of user", "item", "user_average"),
    Effect("item x support of user", "item", "user_support"),
)


def n_effects(entity: str) -> int:
    """Return how many numbers a user (or an item) has."""
    return sum(effect.entity == entity for effect in EFFECTS)


def entity_codes(entity: str, pairs: Pairs) -> IndexArray:
    """Return the index of the user (or the item) of each pair."""
    return pairs.user if entity == "user" else pairs.item
