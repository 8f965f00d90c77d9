"""The training chart of a model."""

from __future__ import annotations

import numpy as np
import pytest

from foretaste import SVD, Bias, plot
from foretaste.errors import InvalidParameterError


def test_both_errors_are_drawn_and_the_best_epoch_marked(ratings):
    model = SVD(factors=4, epochs=12, validation_fraction=0.2, patience=12, learning_rate=0.1).fit(ratings)
    (chart,) = plot(model)
    best = int(np.argmin(model.valid_rmse_))
    assert chart.name == "training"
    assert f"it is least after {best + 1}: {model.valid_rmse_[best]:.3g}" in chart.caption
    assert (
        f"from {model.train_rmse_[0]:.3g} to {model.train_rmse_[-1]:.3g} in {len(model.train_rmse_)}"
        in chart.caption
    )
    assert chart.headers == ["epoch", "the training rows", "the validation rows"]
    assert [row[0] for row in chart.rows] == [str(epoch) for epoch in range(1, 13)]
    assert chart.rows[best][2] == f"{model.valid_rmse_[best]:.3g}"
    html = plot(model)._repr_html_()
    assert html.count('class="curve first"') == 2  # in the drawing and in its key
    assert html.count('class="curve second"') == 2
    assert f"epoch {best + 1}: " in html


def test_one_curve_without_validation_rows(ratings):
    (chart,) = plot(SVD(factors=2, epochs=1).fit(ratings))
    assert chart.headers == ["epoch", "the training rows"]
    assert chart.caption.endswith("in 1 epoch.")
    assert len(chart.rows) == 1


@pytest.mark.parametrize("model", [Bias(), SVD()])
def test_model_without_history_raises(model, ratings):
    if isinstance(model, Bias):
        model.fit(ratings)
    with pytest.raises(
        InvalidParameterError, match=f"this {type(model).__name__} has no training curve"
    ) as refused:
        plot(model)
    assert "TorchMF" in str(refused.value)


def test_best_epoch_is_the_one_selected_by_the_model(ratings):
    """That with the least error may be another one."""
    model = SVD(factors=2, epochs=4, validation_fraction=0.2, patience=4).fit(ratings)
    model.valid_rmse_, model.epochs_ = np.array([4.0, 2.0, 3.0, 5.0], np.float32), 3
    (chart,) = plot(model)
    assert chart.caption.endswith(
        "on the validation rows it is 3.00 after epoch 3, whose loss on these is least."
    )
    assert "epoch 3: 3.00" in plot(model)._repr_html_()
