"""evaluate_ranking: metrics, exclusions, relevant users, warnings, and known pitfalls."""

from __future__ import annotations

import json

import numpy as np
import pytest

import foretaste
from foretaste import metrics
from foretaste._utils.progress import ProgressTask
from foretaste.errors import DataError, InvalidParameterError, NotFoundError
from foretaste.evaluation import evaluate_ranking
from foretaste.evaluation.candidates import ListBuilder, as_candidates
from foretaste.evaluation.ranking import co_rating_diversity
from foretaste.evaluation.ranking_task import make_ranking_task
from foretaste.models import EASE, SVD, Bias, Popularity
from foretaste.models.base import Model
from foretaste.models.outputs import Prediction
from foretaste.params import estimator, fitted_attribute
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut

ACCURACY = ("ndcg", "map", "precision", "recall", "mrr", "hit_rate")


@pytest.fixture(scope="module")
def parts(larger_ratings):
    ((train, test),) = HoldOut(0.3, seed=1).split(larger_ratings)
    return larger_ratings[train], larger_ratings[test]


def compute_metrics_by_hand(model, train, test, n, relevant, choose):
    """Return the means of precision, recall and nDCG by plain Python; ``choose`` returns the candidates."""
    figures = []
    for user in test.users:
        rows = test.user_ids == user
        good = set(test.item_ids[rows & relevant].tolist())
        if not good:
            continue
        rated = set(train.item_ids[train.user_ids == user].tolist())
        own = set(test.item_ids[rows].tolist())
        competing = sorted(choose(rated, own, good))
        score = model.predict(np.array([[user, item] for item in competing])) if competing else []
        order = sorted(range(len(competing)), key=lambda k: (-score[k], competing[k]))[:n]
        hits = np.array([competing[k] in good for k in order], float)
        discount = 1 / np.log2(np.arange(n) + 2)
        ideal = discount[: min(n, len(good))].sum()
        figures.append((hits.sum() / n, hits.sum() / len(good), (hits * discount[: len(hits)]).sum() / ideal))
    return np.mean(figures, axis=0), len(figures)


@pytest.mark.parametrize("model", [Popularity(clip=False), SVD(factors=4, clip=False), EASE(clip=False)])
@pytest.mark.parametrize("policy", ["all", "test"])
def test_metrics_equal_plain_python(parts, model, policy):
    train, test = parts
    known = set(train.items.ids.tolist())
    choose = (lambda rated, own, good: known - rated) if policy == "all" else (lambda rated, own, good: own)
    fitted = type(model)(**model.get_params()).fit(train)
    expected_means, users = compute_metrics_by_hand(fitted, train, test, 5, test.value >= 1, choose)
    metrics = ["precision", "recall", "ndcg"]
    results = evaluate_ranking(
        train, {"mine": model}, test=test, n=5, relevant=1, candidates=policy, metrics=metrics
    )
    row = next(row for row in results.rows if row["name"] == "mine")
    assert [row[name] for name in metrics] == pytest.approx(expected_means, abs=1e-9)
    assert f"{users} users tested on" in results.protocol
    assert not model.__sklearn_is_fitted__()


@pytest.mark.parametrize("policy", ["all", "test", ("sampled", 5)])
def test_metrics_do_not_depend_on_the_type_of_ids(parts, policy):
    train, test = parts
    texts = [
        Ratings.from_columns(
            [f"u{user:06d}" for user in part.user_ids], [f"i{item:06d}" for item in part.item_ids], part.value
        )
        for part in parts
    ]
    before = evaluate_ranking(train, "Bias", test=test, relevant=1, candidates=policy)
    after = evaluate_ranking(texts[0], "Bias", test=texts[1], relevant=1, candidates=policy, threads=1)
    for row, text_row in zip(before.rows, after.rows, strict=True):
        assert {key: value for key, value in row.items() if "seconds" not in key} == {
            key: value for key, value in text_row.items() if "seconds" not in key
        }


@pytest.mark.parametrize("policy", ["all", "test", ("sampled", 5)])
def test_lists_do_not_depend_on_the_size_of_steps(parts, policy):
    task = make_ranking_task(*parts, 1, "binary")
    model = Bias().fit(parts[0])
    sizes = ({}, {"pairs_per_step": 1000, "predictions_per_step": 100})
    whole, in_steps = (
        ListBuilder(task, as_candidates(policy, 0), 10, 1, **size).build_lists(model, ProgressTask())
        for size in sizes
    )
    np.testing.assert_array_equal(whole[0], in_steps[0])
    assert whole[1] == in_steps[1]


# Planted traps --------------------------------------------------------------------------------------------


@estimator
class Parrot(Model):
    """Predicts 9 for every pair it was fitted on, and what ``Bias`` does for others."""

    pairs_: frozenset = fitted_attribute("text")
    inner_: Bias = fitted_attribute("text")

    def _fit(self, train, progress):
        self.pairs_ = frozenset(zip(train.user.tolist(), train.item.tolist(), strict=True))
        self.inner_ = Bias().fit(train)

    def _predict(self, pairs):
        value = self.inner_._predict(pairs).value.copy()
        known = [pair in self.pairs_ for pair in zip(pairs.user.tolist(), pairs.item.tolist(), strict=True)]
        value[known] = 9
        return Prediction(value, np.zeros(len(value), np.int8))


def test_training_items_gain_nothing(parts):
    results = evaluate_ranking(parts[0], {"parrot": Parrot(), "bias": Bias()}, test=parts[1], relevant=1)
    parrot, bias = (next(r for r in results.rows if r["name"] == name) for name in ("parrot", "bias"))
    assert [parrot[name] for name in results.metrics] == [bias[name] for name in results.metrics]


def test_no_list_holds_what_the_user_rated_in_train(parts):
    train, test = parts
    ranking_task = make_ranking_task(train, test, 1, "binary")
    list_builder = ListBuilder(ranking_task, as_candidates("all", 0), 30, 1)
    lists, _ = list_builder.build_lists(Parrot().fit(train), ProgressTask())
    pairs = set(zip(train.user_ids.tolist(), train.item_ids.tolist(), strict=True))
    listed = [
        (user, ranking_task.items.ids[item])
        for user, ranked in zip(ranking_task.users.tolist(), lists.tolist(), strict=True)
        for item in ranked
        if item >= 0
    ]
    assert len(listed) > 1000
    assert not pairs & set(listed)


def test_a_user_without_relevant_items_changes_no_mean(parts):
    train, test = parts
    poor = test.user == 0
    assert poor.any()
    lowered = test.replace(value=np.where(poor, np.float32(-7), test.value))
    without = test[~poor]
    both = [evaluate_ranking(train, "SVD", test=part, relevant=1, n=5) for part in (lowered, without)]
    for one, other in zip(both[0].rows, both[1].rows, strict=True):
        assert [one[name] for name in both[0].metrics] == [other[name] for name in both[0].metrics]
    left_out = [next((n for n in result.notes if n.startswith("excluded")), "0 users") for result in both]
    counts = [int(note.rpartition("user")[0].split()[-1]) for note in left_out]
    assert counts[0] == counts[1] + 1


def test_sampled_metrics_are_labeled_everywhere(parts):
    results = evaluate_ranking(parts[0], "SVD", test=parts[1], relevant=1, candidates=("sampled", 20), seed=3)
    headers, _, _ = results.table()
    assert [header for header in headers if "@" in header] == [
        f"{label}@10 (sampled)" for label in ("nDCG", "MAP", "precision", "recall", "MRR", "hit rate")
    ]
    assert "nDCG@10 (sampled)" in results.headline
    assert "candidates: sampled: the relevant items of the user and 20" in str(results)
    assert "Krichene and Rendle" in str(results)
    assert "(sampled)" in results._repr_html_()
    data = json.loads(json.dumps(results.to_dict()))
    assert data["candidates"] == {"policy": "sampled", "negatives": 20, "seed": 3} | {
        "description": results.candidates["description"]
    }
    assert all(row["candidates"] == "sampled" for row in data["results"])
    assert all(label.endswith("(sampled)") for label in data["metrics"].values())


def test_full_candidate_metrics_are_not_labeled(parts):
    results = evaluate_ranking(parts[0], "SVD", test=parts[1], relevant=1)
    assert "sampled" not in str(results)
    assert "sampled" not in json.dumps(results.to_dict())


def test_unknown_test_items_of_a_model_are_reported(parts):
    results = evaluate_ranking(parts[0], "SVD", test=parts[1], relevant=1, candidates="test")
    assert "nDCG@10 (test items)" in results.headline
    assert "no unrated item competes" in str(results)


def test_sampled_negatives_are_unrated_training_items(parts):
    train, test = parts
    ranking_task = make_ranking_task(train, test, 1, "binary")
    list_builder = ListBuilder(ranking_task, as_candidates(("sampled", 15), 0), 200, 1)
    starts, item = list_builder.candidate_rows
    rated = set(zip(train.user_ids.tolist(), train.item_ids.tolist(), strict=True))
    rated |= set(zip(test.user_ids.tolist(), test.item_ids.tolist(), strict=True))
    relevant = list(zip(ranking_task.user.tolist(), ranking_task.item.tolist(), strict=True))
    known = set(train.items.ids.tolist())
    for row, user in enumerate(ranking_task.users.tolist()):
        candidates_of_user = item[starts[row] : starts[row + 1]].tolist()
        good = {thing for owner, thing in relevant if owner == row}
        assert good <= set(candidates_of_user)
        negatives = [ranking_task.items.ids[thing] for thing in candidates_of_user if thing not in good]
        n_unrated = len(known - {thing for owner, thing in rated if owner == user})
        assert len(set(negatives)) == len(negatives) == min(15, n_unrated)
        assert set(negatives) <= known
        assert not {(user, thing) for thing in negatives} & rated


def test_sampling_depends_on_the_seed_alone(parts):
    first, again, other = (
        evaluate_ranking(
            parts[0], "SVD", test=parts[1], relevant=1, candidates=("sampled", 9), seed=seed, n_samples=0
        )
        for seed in (0, 0, 1)
    )
    assert [r["ndcg"] for r in first.rows] == [r["ndcg"] for r in again.rows]
    assert [r["ndcg"] for r in first.rows] != [r["ndcg"] for r in other.rows]


def test_overlapping_pairs_raise(larger_ratings):
    ((train_rows, test_rows),) = HoldOut(0.3, seed=1).split(larger_ratings)
    leaking, test = larger_ratings[np.r_[train_rows, test_rows[:1]]], larger_ratings[test_rows]
    with pytest.raises(DataError, match="1 of 2,700 test ratings also occur in the training data"):
        evaluate_ranking(leaking, "Bias", test=test, relevant=1)


def test_models_fitted_on_other_rows_are_reported(larger_ratings, parts):
    train, test = parts
    leaky, honest = EASE().fit(larger_ratings), EASE().fit(train)
    results = evaluate_ranking(train, {"leaky": leaky, "honest": honest}, test=test, relevant=1)
    matching_notes = [note for note in results.notes if "was fitted on" in note]
    assert len(matching_notes) == 1
    assert matching_notes[0].startswith("leaky was fitted on")
    fresh = evaluate_ranking(train, {"honest": EASE()}, test=test, relevant=1)
    rows = [next(r for r in res.rows if r["name"] == "honest") for res in (results, fresh)]
    assert [rows[0][name] for name in ACCURACY] == [rows[1][name] for name in ACCURACY]


def test_items_outside_the_training_set_are_not_listed(other_ratings, parts):
    train, test = parts
    model = Popularity().fit(other_ratings)
    results = evaluate_ranking(train, {"other": model}, test=test, relevant=1)
    assert 0 < next(r for r in results.rows if r["name"] == "other")["coverage"] <= 1


# The line to beat -----------------------------------------------------------------------------------------


def test_popularity_is_included_exactly_once(parts):
    results = evaluate_ranking(parts[0], ["Bias"], test=parts[1], relevant=1)
    assert [row["name"] for row in results.rows].count("Popularity") == 1
    assert any(note.startswith("Popularity added") for note in results.notes)
    results = evaluate_ranking(parts[0], ["Bias", Popularity(rank_by="mean")], test=parts[1], relevant=1)
    assert sorted(row["name"] for row in results.rows) == ["Bias", "Popularity", "Popularity(rank_by='mean')"]
    results = evaluate_ranking(parts[0], {"line": Popularity()}, test=parts[1], relevant=1)
    assert [row["name"] for row in results.rows] == ["line"]
    assert results.popularity_row is results.rows[0]
    assert "No model is better than the most popular items" in results.headline


def test_intervals_contain_the_means_and_differences_are_paired(parts):
    results = evaluate_ranking(parts[0], ["EASE", "Bias"], test=parts[1], relevant=1, n_samples=2000)
    line = results.popularity_row
    assert line is not None
    assert "over_popularity" not in line
    for row in results.rows:
        for name in ("ndcg", "recall", "novelty"):
            assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
        assert "coverage_low" not in row
        if row is not line:
            assert row["over_popularity"] == pytest.approx(row["ndcg"] - line["ndcg"])
            assert row["over_popularity_low"] < row["over_popularity"] < row["over_popularity_high"]
    none = evaluate_ranking(parts[0], "Bias", test=parts[1], relevant=1, n_samples=0)
    assert "ndcg_low" not in none.rows[0]
    assert "95 %" not in none.table()[0]


def test_model_compared_with_itself_has_zero_difference(parts):
    results = evaluate_ranking(
        parts[0], {"line": Popularity(), "twin": Popularity()}, test=parts[1], relevant=1
    )
    second_row = next(row for row in results.rows if "over_popularity" in row)
    assert (
        second_row["over_popularity_low"],
        second_row["over_popularity"],
        second_row["over_popularity_high"],
    ) == (0, 0, 0)


def test_rows_are_sorted_by_the_first_metric(parts):
    for first, sign in (("recall", 1), ("gini", -1), ("diversity", 1)):
        results = evaluate_ranking(
            parts[0], ["EASE", "Bias", "SVD"], test=parts[1], relevant=1, metrics=[first, "ndcg"]
        )
        values = [sign * row[first] for row in results.rows]
        assert values == sorted(values, reverse=True)
        assert results.metrics == (first, "ndcg")


def test_metric_names_ignore_case_and_may_carry_the_cutoff(parts):
    expected = evaluate_ranking(parts[0], [Popularity()], test=parts[1], metrics=["ndcg", "hit_rate"], n=5)
    found = evaluate_ranking(parts[0], [Popularity()], test=parts[1], metrics=["NDCG@5", "Hit rate"], n=5)
    assert found.metrics == expected.metrics
    assert [row["ndcg"] for row in found.rows] == [row["ndcg"] for row in expected.rows]
    with pytest.raises(InvalidParameterError, match="NDCG@10 has another cutoff than n=5") as error:
        evaluate_ranking(parts[0], [Popularity()], test=parts[1], metrics=["NDCG@10"], n=5)
    assert error.value.hint == "n=10"


def test_default_models(parts):
    results = evaluate_ranking(parts[0], test=parts[1], relevant=1, n_samples=0)
    assert {row["name"] for row in results.rows} == {
        "Popularity", "EASE", "EASE(target='binary')", "ALS", "ItemKNN", "SVD",
    }  # fmt: skip


def test_failing_model_becomes_a_row_with_its_error(parts):
    results = evaluate_ranking(parts[0], ["TimeSVDpp", "Bias"], test=parts[1], relevant=1)
    last = results.rows[-1]
    assert last["model"] == "TimeSVDpp"
    assert "needs timestamp" in last["error"]["message"]
    assert last["ndcg"] is None
    assert "failed: TimeSVDpp needs timestamp" in str(results)
    json.dumps(results.to_dict())


def test_constant_predictions_are_reported(parts):
    results = evaluate_ranking(parts[0], ["GlobalMean", "SVD"], test=parts[1], relevant=1)
    matching_notes = [note for note in results.notes if "predicts the same" in note]
    assert len(matching_notes) == 1
    assert matching_notes[0].startswith("GlobalMean")


@estimator
class Interrupted(Bias):
    """Is interrupted in fitting."""

    def _fit(self, train, progress):
        raise KeyboardInterrupt


def test_interrupt_keeps_finished_results(parts):
    results = evaluate_ranking(parts[0], ["Bias", Interrupted(), "EASE"], test=parts[1], relevant=1)
    assert results.interrupted
    assert {row["name"] for row in results.rows} == {"Popularity", "Bias"}
    assert results.to_dict()["interrupted"] is True
    assert "interrupted: 2 of 4 models evaluated" in results.notes


# Relevance ------------------------------------------------------------------------------------------------


def tiny():
    train = Ratings.from_columns(
        [1, 1, 2, 2, 3, 3], ["a", "b", "a", "c", "b", "c"], [5.0, 1.0, 4.0, 2.0, 3.0, 3.0]
    )
    test = Ratings.from_columns([1, 2, 3, 4], ["c", "b", "z", "a"], [4.0, 3.5, 5.0, 3.2])
    return train, test


def test_relevance_thresholds():
    train, test = tiny()
    assert make_ranking_task(train, test, "all", "binary").users.tolist() == [1, 2, 3, 4]
    assert make_ranking_task(train, test, 4.0, "binary").users.tolist() == [1, 3]
    assert make_ranking_task(train, test, 3.5, "binary").users.tolist() == [1, 2, 3]
    assert make_ranking_task(train, test, 3.2, "binary").users.tolist() == [
        1,
        2,
        3,
        4,
    ]  # 3.2 as float32 holds it
    ranking_task = make_ranking_task(
        train, test, "above_user_mean", "binary"
    )  # 3, 3, 3; new users: 3, the mean of all
    assert ranking_task.users.tolist() == [1, 2, 3, 4]
    assert make_ranking_task(train, test, 4, "binary").n_without_relevant == 2


def test_gain_functions():
    train, test = tiny()
    assert make_ranking_task(train, test, "all", "binary").gain is None
    assert make_ranking_task(train, test, "all", "linear").gain == pytest.approx([4, 3.5, 5, 3.2])
    assert make_ranking_task(train, test, "all", "exponential").gain == pytest.approx(
        2 ** np.array([4, 3.5, 5, 3.2]) - 1
    )
    moved = [part.replace(value=part.value - 4) for part in (train, test)]
    assert make_ranking_task(*moved, "all", "linear").gain == pytest.approx(
        [3, 2.5, 4, 2.2]
    )  # the lowest is -3


def test_unreachable_users_and_items_are_reported():
    results = evaluate_ranking(tiny()[0], "Bias", test=tiny()[1], relevant="all", n=2)
    assert "new users, ranked by the fallback of each model: 1" in results.notes
    assert "1 relevant rating of 4 out of reach: the item has no training ratings" in results.notes
    row = results.rows[0]
    assert row["hit_rate"] <= 3 / 4  # z is never in a list
    assert row["short_lists"] == 3  # who has rated two of three items in train


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"relevant": "al"}, InvalidParameterError, 'try: relevant="all"'),
        ({"relevant": True}, InvalidParameterError, "relevant=True"),
        ({"relevant": float("nan")}, InvalidParameterError, "relevant=nan"),
        ({"relevant": 9}, DataError, "no test item is relevant: items rated at least 9 are relevant"),
        ({"gain": "lineer"}, InvalidParameterError, "linear"),
        ({"n": 0}, InvalidParameterError, "n=0"),
        ({"n": 2.5}, InvalidParameterError, "n=2.5"),
        ({"seed": -1}, InvalidParameterError, "seed=-1"),
        ({"n_samples": -1}, InvalidParameterError, "n_samples=-1"),
        ({"candidates": "some"}, InvalidParameterError, 'candidates="some"'),
        ({"candidates": ("sampled", 0)}, InvalidParameterError, "candidates="),
        ({"candidates": "sampled"}, InvalidParameterError, 'candidates="sampled"'),
        ({"metrics": ["ndgc"]}, InvalidParameterError, 'did you mean "ndcg"'),
        ({"metrics": []}, InvalidParameterError, "metrics is empty"),
        ({"metrics": ["coverage"], "candidates": "test"}, InvalidParameterError, "out of all items"),
        ({"models": ["SVDD"]}, NotFoundError, 'no model "SVDD"'),
        ({"models": []}, InvalidParameterError, "models is empty"),
        ({"models": [SVD]}, InvalidParameterError, "neither a name nor a model"),
        ({"models": SVD(factors=-1)}, InvalidParameterError, "factors"),
    ],
)
def test_invalid_arguments_raise(changes, error, message):
    train, test = tiny()
    options = {"models": "Bias", "relevant": "all"} | changes
    with pytest.raises(error, match=message):
        evaluate_ranking(train, options.pop("models"), test=test, **options)


def test_train_and_test_of_different_data_raise():
    train, _ = tiny()
    test = Ratings.from_columns([1, 2], [7, 8], [1.0, 2.0])
    with pytest.raises(DataError, match="item ids"):
        evaluate_ranking(train, "Bias", test=test, relevant="all")


def test_public_names_are_aliases_of_the_same_objects():
    assert foretaste.evaluate_ranking is evaluate_ranking
    assert foretaste.ndcg is metrics.ndcg
    assert foretaste.gini is metrics.gini


def test_diversity_uses_co_ratings():
    """Items a and b have one rater of two each in common, so that their cosine is one half."""
    train = Ratings.from_columns([1, 1, 2, 3, 9], ["a", "b", "a", "b", "c"], [1.0, 2.0, 3.0, 4.0, 5.0])
    listed = np.array([[0, 1, -1], [0, 2, -1], [0, 1, 2]], np.int32)
    assert co_rating_diversity(listed, train) == pytest.approx([1 / 2, 1, 1 - 0.5 / 3])
