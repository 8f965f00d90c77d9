"""Random number generators."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from foretaste.errors import Hint, InvalidParameterError


def get_rng(random_state: Any) -> np.random.RandomState:
    """Return the generator that ``random_state`` means."""
    if random_state is None:
        shared: np.random.RandomState = np.random.mtrand._rand  # the one that np.random.seed sets
        return shared
    if isinstance(random_state, numbers.Integral):
        return np.random.RandomState(int(random_state))
    if isinstance(random_state, np.random.RandomState):
        return random_state
    raise InvalidParameterError(
        f"Wrong random state: {random_state!r} is a {type(random_state).__name__}; it must be a whole "
        "number, a numpy RandomState or None",
        hint=Hint({"random_state": 0}),
    )
