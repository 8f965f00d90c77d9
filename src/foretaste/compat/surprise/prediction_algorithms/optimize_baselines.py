"""Baselines (user and item biases) by alternating least squares or SGD."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste._native import surprise_als, surprise_sgd_biases
from foretaste.typing import Float64Array

Baselines = tuple[Float64Array, Float64Array]


def baseline_als(self: Any) -> Baselines:
    """Fit user and item biases by alternating least squares."""
    bu, bi = np.zeros(self.trainset.n_users), np.zeros(self.trainset.n_items)
    by_user, by_item, options = self.trainset.by_user(), self.trainset.by_item(), self.bsl_options
    is_valid = surprise_als(
        by_user.starts, by_user.items, by_user.values, by_item.starts, by_item.users, by_item.values,
        float(self.trainset.global_mean), float(options.get("reg_u", 15)), float(options.get("reg_i", 10)),
        bu, bi, int(options.get("n_epochs", 10)),
    )  # fmt: skip
    if not is_valid:
        raise ZeroDivisionError("a bias was divided by 0; reg_u and reg_i of bsl_options must be at least 0")
    return bu, bi


def baseline_sgd(self: Any) -> Baselines:
    """Fit user and item biases by stochastic gradient descent."""
    bu, bi = np.zeros(self.trainset.n_users), np.zeros(self.trainset.n_items)
    rows, options = self.trainset.by_user(), self.bsl_options
    surprise_sgd_biases(
        rows.starts, rows.items, rows.values, float(self.trainset.global_mean),
        float(options.get("learning_rate", 0.005)), float(options.get("reg", 0.02)),
        bu, bi, int(options.get("n_epochs", 20)),
    )  # fmt: skip
    return bu, bi
