"""Similar items and users: against scikit-learn and numpy, and output formats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_data import lecture_parts
from scipy.sparse import csr_array
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors

from foretaste._utils import memory
from foretaste.errors import (
    InvalidParameterError,
    NotEnoughMemoryError,
    NotFittedError,
    NotFoundError,
    NotSupportedError,
)
from foretaste.features import ItemCatalog
from foretaste.ids import IdIndex
from foretaste.models import SVD, Bias, KNNImputation, NormalRandom
from foretaste.ratings import Ratings
from foretaste.recommendation import SimilarEntities, similar_items, similar_users
from foretaste.recommendation.similar import nearest_by_factors
from foretaste.similarity import METRICS, nearest_rows, similarities


def centred_by_numpy(matrix, metric):
    """Return a matrix (NaN = missing) centered by its rows or columns, missing cells then 0."""
    values = matrix.astype(np.float64)
    if metric != "cosine":
        axis = 1 if metric == "pearson" else 0
        known = ~np.isnan(values)
        count = np.maximum(known.sum(axis=axis, keepdims=True), 1)
        values = values - np.nansum(values, axis=axis, keepdims=True) / count
    return np.nan_to_num(values)


@pytest.mark.peer
@pytest.mark.parametrize("metric", METRICS)
@given(
    seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 20), columns=st.integers(1, 20),
    filled=st.sampled_from([0.1, 0.5, 1.0]),
)  # fmt: skip
def test_similarities_equal_cosines_of_centered_rows(metric, seed, rows, columns, filled):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-3, 4, (rows, columns)) / 2
    matrix[rng.random((rows, columns)) >= filled] = np.nan
    row, column = np.nonzero(~np.isnan(matrix))
    sparse = csr_array((matrix[row, column].astype(np.float32), (row, column)), shape=matrix.shape)
    wanted = cosine_similarity(centred_by_numpy(matrix, metric))
    got = np.array([similarities(sparse, row, metric) for row in range(rows)])
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12)
    if filled == 1:
        dense = matrix.astype(np.float32)
        got = np.array([similarities(dense, row, metric) for row in range(rows)])
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            similarities(np.asfortranarray(dense), 0, metric), wanted[0], rtol=0, atol=1e-12
        )


def test_pearson_of_full_rows_is_the_correlation():
    matrix = np.random.default_rng(0).normal(size=(7, 30)).astype(np.float32)
    got = [similarities(matrix, row, "pearson") for row in range(7)]
    np.testing.assert_allclose(got, np.corrcoef(matrix), rtol=0, atol=1e-7)


@pytest.mark.parametrize("metric", METRICS)
def test_items_and_users_of_ratings(ratings, metric):
    matrix = ratings.to_matrix()
    for side, index, rows, similar in (
        ("item", ratings.items, matrix.T, similar_items),
        ("user", ratings.users, matrix, similar_users),
    ):
        wanted = cosine_similarity(centred_by_numpy(rows, metric))
        for place in (0, 7, len(index) - 1):
            found = similar(ratings, index.ids[place], n=len(index), metric=metric)
            assert sorted(found.ids) == sorted(np.delete(index.ids, place)), side
            assert (np.diff(found.similarity) <= 0).all()
            np.testing.assert_allclose(
                found.similarity, wanted[place][index.indices_of(found.ids)], rtol=0, atol=1e-12
            )


def test_a_rating_of_zero_counts_in_the_means():
    # Item 1 got 0, 4 and item 2 got 4, 0 from the same users: opposite once centered.
    ratings = Ratings.from_columns([1, 2, 1, 2], [1, 1, 2, 2], [0, 4, 4, 0])
    assert similar_items(ratings, 1, metric="pearson").similarity == pytest.approx([-1])
    assert similar_items(ratings, 1, metric="cosine").similarity == pytest.approx([0])


def test_ties_are_in_id_order():
    ratings = Ratings.from_columns([1] * 5, [3, 1, 9, 5, 7], [2, 2, 2, 2, 2])
    assert similar_items(ratings, 5, n=3).ids.tolist() == [1, 3, 7]
    assert nearest_rows(np.array([0.5, 1, 0.5, 1]), 1, 9).tolist() == [3, 0, 2]


@pytest.mark.parametrize("metric", METRICS)
def test_similar_items_of_an_imputed_matrix(ratings, metric):
    model = KNNImputation(neighbors=4).fit(ratings)
    for rows, index, similar in (
        (model.imputed_.T, ratings.items, similar_items),
        (model.imputed_, ratings.users, similar_users),
    ):
        found = similar(model, index.ids[3], n=6, metric=metric)
        wanted = cosine_similarity(centred_by_numpy(rows, metric))[3]
        np.testing.assert_allclose(
            found.similarity, np.sort(np.delete(wanted, 3))[::-1][:6], rtol=0, atol=1e-12
        )
        np.testing.assert_allclose(found.similarity, wanted[index.indices_of(found.ids)], rtol=0, atol=1e-12)


def test_similar_items_by_factors(ratings):
    model = SVD(factors=4, epochs=5).fit(ratings)
    linear = model.as_linear()
    for factors, index, similar in (
        (linear.item_factors, ratings.items, similar_items),
        (linear.user_factors, ratings.users, similar_users),
    ):
        found = similar(model, index.ids[2], n=5)
        wanted = cosine_similarity(factors.astype(np.float64))[2]
        np.testing.assert_allclose(found.similarity, wanted[index.indices_of(found.ids)], rtol=0, atol=1e-12)
        assert found.similarity.min() >= np.delete(wanted, [2, *index.indices_of(found.ids)]).max() - 1e-12
    with pytest.raises(
        NotSupportedError, match=r"cosine of their factors only, not by pearson\ntry: metric=\"cosine\""
    ):
        similar_items(model, ratings.items.ids[0], metric="pearson")


@given(
    seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 60), factors=st.integers(1, 20),
    n=st.sampled_from([1, 3, 30]), kind=st.sampled_from(["spread", "tied", "tiny", "zero", "nearly"]),
)  # fmt: skip
def test_factor_similarities_are_exact(seed, rows, factors, n, kind):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, factors)).astype(np.float32)
    if kind == "tied":
        table = np.sign(table)
    elif kind == "tiny":
        table *= np.float32(1e-25)
    elif kind == "zero":
        table[rng.random(rows) < 0.3] = 0
    elif kind == "nearly":
        table = np.float32(1) + table * np.float32(1e-4)
    row = int(rng.integers(rows))
    found = nearest_by_factors(table, row, n)
    if found is not None:
        similarity = similarities(table, row)
        assert found[0].tolist() == nearest_rows(similarity, row, n).tolist()
        np.testing.assert_allclose(found[1], similarity[found[0]], rtol=0, atol=1e-15)


def test_kernel_selects_candidates_for_usual_factors(ratings):
    factors = SVD(factors=8, epochs=5).fit(ratings).as_linear().item_factors
    assert sum(nearest_by_factors(factors, row, 5) is None for row in range(len(factors))) == 0
    assert nearest_by_factors(np.zeros_like(factors), 0, 5) is None


@pytest.mark.parametrize("model", [Bias(), NormalRandom()])
def test_a_model_without_factors_names_those_that_have_them(ratings, model):
    with pytest.raises(
        NotSupportedError, match=f"{type(model).__name__} has no item factors or imputed ratings to compare"
    ) as caught:
        similar_items(model.fit(ratings), ratings.items.ids[0])
    able = caught.value.hint.split(": ")[-1].split(", ")
    assert {"KNNImputation", "SVD"} <= set(able)
    assert not {"Bias", "NormalRandom"} & set(able)


def test_invalid_arguments_raise(ratings, monkeypatch):
    item = ratings.items.ids[0]
    with pytest.raises(InvalidParameterError, match=r'metric="cosin" is not allowed') as caught:
        similar_items(ratings, item, metric="cosin")
    assert caught.value.hint == 'metric="cosine"'
    for n in (0, -1, 2.0, True, "3"):
        with pytest.raises(InvalidParameterError, match="n="):
            similar_items(ratings, item, n=n)
    with pytest.raises(NotFoundError, match="item 123456 is unknown"):
        similar_items(ratings, 123456)
    with pytest.raises(NotFoundError, match="user 123456 is unknown"):
        similar_users(ratings, 123456)
    with pytest.raises(InvalidParameterError, match="not ndarray"):
        similar_items(np.ones((2, 2)), item)
    with pytest.raises(NotFittedError):
        similar_items(KNNImputation(), item)
    model = KNNImputation().fit(ratings)
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    with pytest.raises(NotEnoughMemoryError, match="comparing items by the imputed matrix"):
        similar_items(model, item)


def test_text_is_accepted_for_number_ids(ratings):
    item = ratings.items.ids[4]
    assert np.array_equal(similar_items(ratings, str(item)).ids, similar_items(ratings, item).ids)


def test_titles_repr_and_html():
    ratings = Ratings.from_columns([1, 1, 2, 2, 1], ["b", "a", "a", "b", "c"], [1, 2, 3, 4, 5])
    texts = np.array(["the <first>", "long\n" * 30], dtype=object)
    catalogue = ItemCatalog(IdIndex(np.array(["a", "c"], dtype=object)), {"title": texts}, "title")
    found = similar_items(ratings, "b", catalog=catalogue)
    assert found.ids.tolist() == ["a", "c"]
    assert found.titles == texts.tolist()
    head, _, first, second = repr(found).splitlines()
    assert head.split() == ["id", "similarity", "title"]
    assert first.split() == ["a", "0.942", "the", "<first>"]
    assert second.endswith("...")
    assert len(second) < 85
    assert "the &lt;first&gt;" in found._repr_html_()
    assert "<first>" not in found._repr_html_()
    assert similar_items(ratings, "a", catalog=catalogue).titles == [None, texts[1]]
    plain = similar_users(ratings, 1)
    assert isinstance(plain, SimilarEntities)
    assert plain.titles is None
    assert len(plain) == 1
    assert "title" not in repr(plain) + plain._repr_html_()


@pytest.mark.slow
@pytest.mark.peer
@pytest.mark.dataset
def test_lecture_similar_items():
    train, _ = lecture_parts()
    model = KNNImputation().fit(train)
    theirs = NearestNeighbors(n_neighbors=5, metric="cosine").fit(model.imputed_.T.astype(np.float64))
    distance, place = theirs.kneighbors(model.imputed_.T[[8]].astype(np.float64))
    found = similar_items(model, train.items.ids[8], n=4)
    assert place[0, 0] == 8
    assert found.ids.tolist() == train.items.ids[place[0, 1:]].tolist()
    np.testing.assert_allclose(found.similarity, 1 - distance[0, 1:], rtol=0, atol=1e-9)
