"""Explanations: exact attributions, text, HTML and charts."""

from __future__ import annotations

import html

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import foretaste as ft
from foretaste.errors import DataError, InvalidParameterError, NotFittedError, NotFoundError
from foretaste.features import ItemCatalog
from foretaste.models import ALS, EASE, MODELS, NMF, SVD, Bias, ItemKNN, SVDpp, TimeSVDpp
from foretaste.ratings import Ratings
from foretaste.recommendation import explain, fold_in


def shares(explanation):
    return {reason.id: reason.contribution for reason in explanation.reasons}


@pytest.mark.parametrize(
    "model",
    [
        SVD(factors=4),
        SVD(factors=4, biased=False),
        ALS(factors=4),
        SVDpp(factors=4),
        ALS(factors=4, biased=False),
    ],
    ids=repr,
)
def test_contribution_is_the_effect_of_the_rating(ratings, model):
    """Another value of one rating changes its own share by just what the prediction's taste changes."""
    model.set_params(clip=False).fit(ratings)
    own = ratings[ratings.user_ids == 11]
    before = explain(fold_in(model, users=own), 11, 5, ratings=own)
    for row in range(0, len(own), 3):
        value = own.value.copy()
        value[row] += 2
        other = own.replace(value=value)
        after = explain(fold_in(model, users=other), 11, 5, ratings=other)
        taste = {p.name: p.value for p in after.parts}["taste"] - {p.name: p.value for p in before.parts}[
            "taste"
        ]
        changed = {id_: share - shares(before)[id_] for id_, share in shares(after).items()}
        assert changed.pop(int(own.item_ids[row])) == pytest.approx(taste, abs=2e-5)
        assert abs(taste) > 1e-6
        assert list(changed.values()) == pytest.approx([0] * len(changed), abs=1e-9)


@pytest.mark.parametrize("model", [NMF(factors=4, epochs=20), ALS(factors=4, non_negative=True)], ids=repr)
def test_non_negative_factors_are_attributed(ratings, model):
    model.set_params(clip=False).fit(ratings)
    own = ratings[np.isin(ratings.user_ids, ratings.users.ids[:8])]
    folded = fold_in(model, users=own)
    zeros = (folded.user_factors_ == 0).sum()
    assert zeros > 0
    for user in folded.users_.ids.tolist():
        explanation = explain(folded, user, 5, ratings=own)
        assert explanation.residual == pytest.approx(0, abs=2e-4)


@pytest.mark.parametrize(
    "model", [ALS(factors=4), NMF(factors=4, epochs=20), SVD(factors=4), SVDpp(factors=4)], ids=repr
)
def test_contributions_honor_weights(ratings, model):
    weighted = ratings.replace(weight=(np.arange(len(ratings)) % 4).astype(np.float32))
    folded = fold_in(model.set_params(clip=False).fit(ratings), users=weighted)
    for user in folded.users_.ids[::9].tolist():
        explanation = explain(folded, user, 5, ratings=weighted)
        assert explanation.residual == pytest.approx(0, abs=2e-4)
        assert len(explanation.reasons) == ((weighted.user_ids == user) & (weighted.weight > 0)).sum()


def test_time_is_a_part_of_its_own(ratings):
    when = np.arange(len(ratings)) * 86_400
    timed = ratings.replace(timestamp=when.astype(np.int64))
    model = TimeSVDpp(factors=4, epochs=5, clip=False).fit(timed)
    folded = fold_in(model, users=timed)
    explanation = explain(folded, 11, 5, ratings=timed)
    assert explanation.residual == pytest.approx(0, abs=1e-4)
    assert "time" in [part.name for part in explanation.parts]


def test_trained_factors_leave_a_residual_line(ratings):
    model = SVD(factors=4, epochs=30, init_std=0.1, clip=False).fit(ratings)
    explanation = explain(model, 11, 5, ratings=ratings)
    taste = next(part.value for part in explanation.parts if part.name == "taste")
    assert explanation.residual == pytest.approx(taste - sum(shares(explanation).values()), abs=1e-12)
    assert abs(explanation.residual) > 1e-4
    assert "taste, as learned in training" in repr(explanation)
    assert len(explanation.reasons) == (ratings.user_ids == 11).sum()


def test_clipping_is_a_part(ratings):
    model = SVD(factors=4, epochs=30).fit(ratings)
    model.high_ = 1.0
    user, item = next(
        (u, i) for u in ratings.users.ids.tolist() for i in ratings.items.ids.tolist()
        if model.set_params(clip=False).predict([(u, i)])[0] > 2
    )  # fmt: skip
    explanation = explain(model.set_params(clip=True), user, item)
    assert explanation.prediction == 1.0
    assert explanation.parts[-1].name == "clipped to the scale"
    assert explanation.parts[-1].value < -1


def test_text_and_html_are_equal(ratings):
    titles = np.array([f"<b>The {item}</b>" for item in ratings.items.ids], dtype=object)
    catalogue = ItemCatalog(ratings.items, {"title": titles}, "title")
    explanation = explain(EASE().fit(ratings), "11", "5", catalog=catalogue)
    text, page = repr(explanation), explanation._repr_html_()
    assert explanation.title == "<b>The 5</b>"
    assert "<b>" not in page
    for what, value in explanation.signed_rows():
        assert what in text
        assert html.escape(what) in page
        assert f"{value:+.3f}" in text or what == "mean of all ratings"
    last = next(line for line in text.splitlines() if line.startswith("= prediction"))
    assert last.split()[-1] == f"{explanation.prediction:.3f}"
    assert page.count("<rect") == len(explanation.signed_rows()) - 1
    assert explanation.sentence() in text
    assert f'"{explanation.reasons[0].title}"' in explanation.sentence()


def test_plot_draws_the_explanation(ratings):
    explanation = explain(ItemKNN().fit(ratings), 11, 5)
    (chart,) = ft.plot(explanation)
    assert chart.rows[0][0] == "mean of all ratings"
    assert chart.rows[-1] == ["prediction", f"{explanation.prediction:.3f}"]
    total = sum(float(row[1]) for row in chart.rows[:-1])
    assert total == pytest.approx(explanation.prediction, abs=0.02)
    assert explanation.sentence() in chart.caption


def test_sentences_without_single_ratings(ratings):
    explanation = explain(Bias().fit(ratings), 11, 5)
    most = max(explanation.parts[1:], key=lambda part: abs(part.value))
    assert explanation.sentence().startswith(f"moved {'up' if most.value > 0 else 'down'} most by ")
    assert explanation.sentence().endswith(f"({most.value:+.2g})")
    assert (
        explain(ft.GlobalMean().fit(ratings), 11, 5).sentence()
        == "the mean of all ratings, for every user and item"
    )


def test_mistakes_have_hints(ratings):
    model = SVD(factors=3, epochs=3).fit(ratings)
    with pytest.raises(NotFoundError, match="user 12 is unknown") as refused:
        explain(model, 12, 5)
    assert "one that is known" in refused.value.hint
    assert "fold_in" in refused.value.hint
    with pytest.raises(NotFoundError, match="item 6 is unknown"):
        explain(model, 11, 6)
    with pytest.raises(NotFittedError):
        explain(SVD(), 11, 5)
    with pytest.raises(InvalidParameterError, match="not Ratings"):
        explain(ratings, 11, 5)
    with pytest.raises(DataError, match="user ids are given as str"):
        explain(model, 11, 5, ratings=Ratings.from_columns(["a"], [5], [1.0]))
    explanation = explain(model, 11, 5, ratings=ratings[ratings.user_ids != 11])
    assert explanation.reasons == ()
    assert "has no ratings of known items" in explanation.note


NAMES = [
    *("GlobalMean", "UserMean", "ItemMean", "UserItemMean", "Bias", "GlobalEffects", "EASE", "SlopeOne"),
    *("ItemKNN", "UserKNN", "SVD", "SVDpp", "ALS", "NMF", "CoClustering", "Popularity", "Blend"),
]
QUICK = {
    "SVD": {"factors": 3, "epochs": 4, "init_std": 0.2},
    "SVDpp": {"factors": 3, "epochs": 4, "init_std": 0.2},
    "ALS": {"factors": 3, "epochs": 3},
    "NMF": {"factors": 3, "epochs": 3},
    "CoClustering": {"n_init": 1},
    "Blend": {"models": ["Bias", "ItemKNN"], "folds": 2},
}


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(NAMES), seed=st.integers(0, 2**32 - 1), n=st.integers(2, 40),
    low=st.floats(-100, 100), width=st.sampled_from([0.0, 1.0, 4.0, 20.0, 99.0]), clip=st.booleans(),
    declared=st.booleans(), new=st.booleans(),
)  # fmt: skip
def test_parts_and_contributions_sum_for_any_ratings(name, seed, n, low, width, clip, declared, new):
    """For trained and new users, on any scale: to a relative 1e-4."""
    rng = np.random.default_rng(seed)
    where = rng.choice(60, n, replace=False)
    value = (low + width * rng.random(n)).astype(np.float32)
    scale = (float(value.min()) - 1, float(value.max()) + 1) if declared else None
    ratings = Ratings.from_columns(where // 6, where % 6, value, scale=scale)
    model = MODELS[name](clip=clip, **QUICK.get(name, {})).fit(ratings)
    if new:
        model = fold_in(model, users=ratings)
    user, item = (index.ids[rng.integers(len(index))].item() for index in (model.users_, model.items_))
    explanation = explain(model, user, item, ratings=ratings)
    near = 1e-4 * max(1.0, *(abs(part.value) for part in explanation.parts), abs(explanation.prediction))
    assert explanation.prediction == model.predict([(user, item)])[0]
    assert sum(part.value for part in explanation.parts) == pytest.approx(explanation.prediction, abs=near)
    shown = explanation.signed_rows(2)
    assert sum(added for _, added in shown) == pytest.approx(explanation.prediction, abs=near)
    if explanation.main_part and (new or name in ("EASE", "SlopeOne", "ItemKNN", "UserKNN")):
        assert explanation.residual == pytest.approx(0, abs=near)
    if not clip:
        assert "clipped to the scale" not in [part.name for part in explanation.parts]
