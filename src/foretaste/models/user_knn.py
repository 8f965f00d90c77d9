"""Users who rate like the user."""

from __future__ import annotations

from typing import ClassVar

from foretaste.models.answers import Floats
from foretaste.models.neighbors import Neighbors
from foretaste.params import learned, model_class


@model_class
class UserKNN(Neighbors):
    """Users."""

    rows: ClassVar[str] = "user"
    columns: ClassVar[str] = "item"
    summary: ClassVar[str] = "how the users most like this one rated the item"

    spread_: Floats = learned("users")
