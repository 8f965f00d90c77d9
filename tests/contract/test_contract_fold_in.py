"""Contract: new users and items are folded in as training would fit them, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from contract_table import each_model, make, same_bits

from foretaste.errors import NotSupportedError
from foretaste.models import Model
from foretaste.recommendation import fold_in, next_question, question_gains

SIDES = ("user", "item")


def supports_fold_in(model: Model, side: str) -> bool:
    return side in model.fold_in_entities


@each_model()
def test_unsupported_fold_in_names_models_that_support_it(name, ratings):
    model = make(name).fit(ratings)
    for side in SIDES:
        if not supports_fold_in(model, side):
            with pytest.raises(NotSupportedError, match=f"{name} cannot fold in new {side}s") as refused:
                fold_in(model, **{f"{side}s": ratings})
            assert "models that can: " in str(refused.value)
            assert "SVD" in str(refused.value)
            assert name not in (refused.value.hint or "").split(", ")
        assert "fold_in" in dir(model)


@each_model()
def test_fold_in_is_independent_of_order_and_other_new_ids(name, ratings, other_ratings):
    model = make(name).fit(ratings)
    before = {name: np.copy(v) for name, v in model.get_state().items() if isinstance(v, np.ndarray)}
    for side in SIDES:
        if not supports_fold_in(model, side):
            continue
        folded = fold_in(model, **{f"{side}s": other_ratings})
        new, kept = ("users", "items") if side == "user" else ("items", "users")
        assert type(folded) is type(model)
        assert folded.get_params(deep=False) == model.get_params(deep=False)
        assert getattr(folded, f"{new}_") == getattr(other_ratings, new)
        assert getattr(folded, f"{kept}_") == getattr(model, f"{kept}_")
        known = (
            getattr(model, f"{kept}_").indices_of(getattr(other_ratings, kept).ids)[
                getattr(other_ratings, kept[:-1])
            ]
            >= 0
        )
        assert 0 < known.sum() < len(other_ratings)
        whole = folded.predict_matrix()
        assert np.isfinite(whole).all()
        assert len(np.unique(whole)) > 20 or name == "GlobalMean"
        ids = getattr(other_ratings, f"{side}_ids")
        one = ids[np.flatnonzero(known)[7]]
        alone = fold_in(model, **{f"{side}s": other_ratings[np.flatnonzero(ids == one)[::-1]]})
        row = int(np.flatnonzero(getattr(folded, f"{new}_").ids == one)[0])
        among = whole[row] if side == "user" else whole[:, row]
        np.testing.assert_allclose(alone.predict_matrix().ravel(), among, rtol=0, atol=2e-5)
    assert all(same_bits(np.asarray(getattr(model, name)), value) for name, value in before.items())


@each_model(tags={"weights"})
def test_fold_in_honors_weights(name, ratings, other_ratings):
    model, rng = make(name, clip=False).fit(ratings), np.random.default_rng(8)
    sides, moved = [side for side in SIDES if supports_fold_in(model, side)], 0.0
    weight = rng.integers(0, 2, len(other_ratings)).astype(np.float32)
    weighted = other_ratings.replace(weight=weight)
    for side in sides:
        new, place = f"{side}s", int(side == "item")
        folded = fold_in(model, **{new: weighted})
        alone = fold_in(model, **{new: other_ratings[weight > 0].replace(weight=None)})
        whole = np.take(
            folded.predict_matrix(),
            getattr(folded, f"{new}_").indices_of(getattr(alone, f"{new}_").ids),
            axis=place,
        )
        np.testing.assert_allclose(alone.predict_matrix(), whole, rtol=0, atol=1e-4)
        heavier = fold_in(model, **{new: other_ratings.replace(weight=1 + weight)}).predict_matrix()
        moved = max(moved, np.abs(heavier - fold_in(model, **{new: other_ratings}).predict_matrix()).max())
    assert moved > 1e-3 or not sides or name in ("GlobalMean", "Popularity", "NormalRandom")


@each_model()
def test_folded_in_model_has_the_same_question_gains(name, ratings, other_ratings):
    """Question gains depend on the training data, not on users folded in since."""
    model = make(name).fit(ratings)
    if not supports_fold_in(model, "user"):
        with pytest.raises(NotSupportedError, match=f"{name} does not support fold-in of new users"):
            next_question(model)
        return
    ids, gain = question_gains(model, {5: 2.0}, model.items_.ids[::3])
    assert gain.max() > 0 or name in ("GlobalMean", "Popularity", "ItemMean")
    for new in (other_ratings, other_ratings[other_ratings.user == 3]):
        again, same = question_gains(fold_in(model, users=new), {5: 2.0}, model.items_.ids[::3])
        assert again.tolist() == ids.tolist()
        np.testing.assert_allclose(same, gain, rtol=1e-4, atol=1e-7)


@each_model()
def test_folded_in_model_can_be_saved(name, ratings, other_ratings, tmp_path):
    from foretaste.persistence import load, save

    model = make(name).fit(ratings)
    for side in SIDES:
        if supports_fold_in(model, side):
            folded = fold_in(model, **{f"{side}s": other_ratings})
            save(folded, tmp_path / f"{side}.foretaste")
            again = load(tmp_path / f"{side}.foretaste")
            assert same_bits(again.predict_matrix(), folded.predict_matrix())
