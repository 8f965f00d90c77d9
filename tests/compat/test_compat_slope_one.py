"""Slope One and the functions of compat.surprise.similarities against scikit-surprise."""

from __future__ import annotations

import inspect
import pickle
import warnings

import numpy as np
import pytest
from neighbor_rows import check_predictions, every_pair, rows_of, trainsets

import foretaste.compat.surprise as ours
from foretaste.compat.surprise import similarities
from foretaste.compat.surprise.similarities import SimilarityUndefinedError

pytestmark = pytest.mark.peer
surprise = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')

FORMS = ("KNNBasic", "KNNWithMeans", "KNNWithZScore", "KNNBaseline")
MEASURES = ("cosine", "msd", "pearson", "pearson_baseline")


# Similarities as functions --------------------------------------------------------------------------------


def test_signatures_equal_surprise():
    def of(one):
        return [
            (p.name, p.kind, {} if isinstance(p.default, dict) else p.default)  # surprise writes into its own
            for p in inspect.signature(one).parameters.values()
        ]

    for name in MEASURES:
        assert of(getattr(similarities, name)) == of(getattr(surprise.similarities, name))
    for name in (*FORMS, "SlopeOne"):
        kinds = getattr(surprise, name), getattr(ours, name)
        for method in ("__init__", "fit", "estimate"):
            assert of(getattr(kinds[1], method)) == of(getattr(kinds[0], method)), (name, method)
    theirs = surprise.prediction_algorithms.knns.SymmetricAlgo
    assert of(ours.prediction_algorithms.knns.SymmetricAlgo.__init__) == of(theirs.__init__)
    assert of(ours.prediction_algorithms.knns.SymmetricAlgo.switch) == of(theirs.switch)


def test_functions_accept_the_inputs_of_surprise():
    rng = np.random.default_rng(0)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n_x, n_y, sup = int(rng.integers(1, 9)), int(rng.integers(0, 9)), int(rng.integers(0, 4))
        values = [0.0, 1.0, 2.0, 3.0] if seed % 2 else [0.1, 0.7, 2.3, -1.9]
        yr = {
            int(y): [(int(x), float(rng.choice(values))) for x in rng.integers(0, n_x, rng.integers(0, 6))]
            for y in rng.permutation(n_y)
        }
        bx, by = rng.choice([0.0, 0.3], n_x), rng.choice([0.0, 0.3], n_y)
        for name in MEASURES:
            more = (1.0, bx, by) if name == "pearson_baseline" else ()
            try:
                wanted = getattr(surprise.similarities, name)(n_x, yr, sup, *more)
            except ZeroDivisionError:
                with pytest.raises(SimilarityUndefinedError):
                    getattr(similarities, name)(n_x, yr, sup, *more)
                continue
            found = getattr(similarities, name)(n_x, yr, sup, *more)
            np.testing.assert_array_equal(found, wanted, err_msg=f"{name} {seed}")


@pytest.mark.parametrize(
    ("n_x", "yr", "message"),
    [
        (2, [(0, 1.0)], "yr is a list"),
        (2, {0: [(2, 1.0)]}, "yr holds 2"),
        (2, {0: [(-1, 1.0)]}, "yr holds -1"),
        ("2", {0: [(0, 1.0)]}, 'n_x="2"'),
    ],
)
def test_functions_raise_on_invalid_inputs(n_x, yr, message):
    with pytest.raises(ValueError, match=message):
        similarities.msd(n_x, yr, 1)
    assert similarities.msd(2, {0: [(0, 1.0), (1, 2.0)]}, 1.5).tolist() == [[1, 0.5], [0.5, 1]]


# Slope One ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["stars", "likes", "repeated", "signed", "halves"])
def test_slope_one_equals_surprise(kind):
    rows = rows_of(kind)
    a, b = trainsets(rows, (-10, 10))
    theirs = surprise.SlopeOne().fit(a)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ours._warnings.SurpriseCompatWarning)
        mine = ours.SlopeOne().fit(b)
    check_predictions(theirs, mine, every_pair(rows))
    assert [mine.predict(*one) for one in every_pair(rows)[::29]] == mine.test(every_pair(rows)[::29])
    assert vars(mine)["_dev"] is None
    for name in ("dev", "freq", "user_mean"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
    assert (mine.dev.dtype, mine.freq.dtype, type(mine.user_mean)) == (np.float64, np.intp, list)
    assert mine.dev is mine.dev
    u, i = mine.trainset.to_inner_uid("l1"), mine.trainset.to_inner_iid("i3")
    assert mine.estimate(u, i) == pytest.approx(
        theirs.estimate(a.to_inner_uid("l1"), a.to_inner_iid("i3")), abs=1e-9
    )
    with pytest.raises(ours.PredictionImpossible, match="unknown"):
        mine.estimate(u, "UKN__x")
    twin = pickle.loads(pickle.dumps(mine))  # noqa: S301 - of our own
    assert twin.test(every_pair(rows)) == mine.test(every_pair(rows))


def test_slope_one_warns_about_truncated_ratings():
    _, b = trainsets([("a", "x", 3.0, None), ("a", "y", 2.5, None), ("b", "x", 4.5, None)])
    with pytest.warns(
        ours._warnings.SurpriseCompatWarning, match=r"user 'a', item 'y'.* 2\.5 to 2 .*\(2 such\)"
    ):
        ours.SlopeOne().fit(b)
    for rating in (float("nan"), 3e9, -3e9):
        a, b = trainsets([("a", "x", rating, None), ("a", "y", 2.0, None)], (-4e9, 4e9))
        with pytest.raises((ValueError, OverflowError)):
            surprise.SlopeOne().fit(a)
        with pytest.raises(ValueError, match="within 2") as caught:
            ours.SlopeOne().fit(b)
        assert "user 'a', item 'x'" in str(caught.value)
    with pytest.raises(AttributeError, match="before fit"):
        ours.SlopeOne().dev  # noqa: B018 - it is asked for
