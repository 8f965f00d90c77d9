"""Items like those that the user rated."""

from __future__ import annotations

import copy
from typing import ClassVar, Self

import numpy as np

from foretaste.models.answers import Floats
from foretaste.models.neighbors import Neighbors
from foretaste.params import learned, model_class
from foretaste.ratings import Ratings


@model_class
class ItemKNN(Neighbors):
    """Items."""

    summary: ClassVar[str] = "how the user rated the items most like this one"

    spread_: Floats = learned("items")
