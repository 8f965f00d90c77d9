"""The effects of ``GlobalEffects``: which entity has a coefficient, and which variable it multiplies."""

from __future__ import annotations

from dataclasses import dataclass

from foretaste.typing import Entity


@dataclass(frozen=True)
class Effect:
    """A regression with one coefficient per user (or item) on an explanatory variable.

    Parameters
    ----------
    name : str
    entity : Entity
        Which entity has the coefficients.
    statistic : {"constant", "time", "average", "support"}
        The variable: 1, or the square root of the days since the first rating, the average rating or the
        square root of the number of ratings of ``statistic_entity``.
    statistic_entity : Entity
    """

    name: str
    entity: Entity
    statistic: str
    statistic_entity: Entity

    @property
    def column(self) -> int:
        """The column of its coefficients among those of its entity."""
        return [effect for effect in EFFECTS if effect.entity == self.entity].index(self)


EFFECTS = (
    Effect("item", Entity.ITEM, "constant", Entity.ITEM),
    Effect("user", Entity.USER, "constant", Entity.USER),
    Effect("user x time of user", Entity.USER, "time", Entity.USER),
    Effect("user x time of item", Entity.USER, "time", Entity.ITEM),
    Effect("item x time of item", Entity.ITEM, "time", Entity.ITEM),
    Effect("item x time of user", Entity.ITEM, "time", Entity.USER),
    Effect("user x average of item", Entity.USER, "average", Entity.ITEM),
    Effect("user x support of item", Entity.USER, "support", Entity.ITEM),
    Effect("item x average of user", Entity.ITEM, "average", Entity.USER),
    Effect("item x support of user", Entity.ITEM, "support", Entity.USER),
)


def n_effects(entity: Entity) -> int:
    """Return the number of effects whose coefficients belong to users (or items)."""
    return sum(effect.entity == entity for effect in EFFECTS)
