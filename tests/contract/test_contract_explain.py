"""Contract: explanations add up to the prediction, attributions to their part."""

from __future__ import annotations

import json

import numpy as np
import pytest
from contract_table import each_model, make

from foretaste.errors import NotSupportedError
from foretaste.models import Model
from foretaste.recommendation import explain, fold_in

STORES_RATINGS = {"ItemKNN", "UserKNN", "EASE", "SlopeOne"}  # models that store the ratings they predict from


def is_explainable(model: Model) -> bool:
    return (
        type(model).as_linear is not Model.as_linear or type(model).contributions is not Model.contributions
    )


@each_model()
def test_explanation_parts_sum_to_the_prediction(name, ratings):
    model = make(name).fit(ratings)
    if not is_explainable(model):
        with pytest.raises(NotSupportedError, match=f"{name} does not support explanations") as refused:
            explain(model, 11, 5)
        assert "SVD" in str(refused.value)
        assert name not in (refused.value.hint or "").split(", ")
        return
    clipped = 0
    for user in ratings.users.ids[::7].tolist():
        for item in ratings.items.ids[::5].tolist():
            explanation = explain(model, user, item, ratings=ratings)
            assert explanation.prediction == model.predict([(user, item)])[0]
            assert sum(part.value for part in explanation.parts) == pytest.approx(
                explanation.prediction, abs=3e-5
            )
            clipped += explanation.parts[-1].name == "clipped to the scale"
            assert sum(value for _, value in explanation.signed_rows(3)) == pytest.approx(
                explanation.prediction, abs=3e-4
            )
            assert json.dumps(explanation.to_dict(), allow_nan=False)
            assert str(explanation.item) in explanation.headline()
    explanation = explain(model.set_params(clip=False), user, item)
    assert "clipped to the scale" not in [part.name for part in explanation.parts]


@each_model()
def test_attributions_sum_to_their_part(name, ratings, other_ratings):
    model = make(name, clip=False).fit(ratings)
    if type(model).attribute_ratings is Model.attribute_ratings:
        return
    if name not in STORES_RATINGS:
        assert explain(model, 11, 5).reasons == ()
        assert "argument ratings" in explain(model, 11, 5).note
        model = fold_in(model, users=other_ratings)  # the fitted state is the same afterwards
    own = other_ratings if name not in STORES_RATINGS else ratings
    n_reasons = 0
    for user in model.users_.ids[::4].tolist():
        if not np.isin(own.item_ids[own.user_ids == user], model.items_.ids).any():
            continue
        for item in model.items_.ids[::6].tolist():
            explanation = explain(model, user, item, ratings=own)
            part = next(part.value for part in explanation.parts if part.name == explanation.main_part)
            assert sum(reason.contribution for reason in explanation.reasons) == pytest.approx(part, abs=1e-4)
            shares = [abs(reason.contribution) for reason in explanation.reasons]
            assert shares == sorted(shares, reverse=True)
            n_reasons += len(shares)
            given = {
                (u, i): v for u, i, v in zip(own.user_ids, own.item_ids, own.value.tolist(), strict=True)
            }
            for reason in explanation.reasons:
                pair = (user, reason.id) if explanation.entity == "item" else (reason.id, item)
                assert reason.rating == pytest.approx(given[pair], abs=1e-4)
    assert n_reasons > 50
