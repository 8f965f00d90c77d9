"""Active learning for new users: ``next_question`` selects the item whose rating is most informative."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
    NotFoundError,
    NotSupportedError,
    to_python,
)
from foretaste.ids import IdIndex, as_id_column
from foretaste.models.base import Model, all_models
from foretaste.models.fold_in import PRIOR_NAME, known_ratings, require_fitted_attr
from foretaste.models.outputs import LinearForm
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation.top_n import resolve_candidates
from foretaste.typing import Entity, Float64Array, IdArray, IndexArray
from foretaste.validation import as_ratings

_MAX_EVAL_ITEMS = 2000  # items in the error criterion; larger catalogs are subsampled evenly
_BLOCK = 2_000_000  # predictions per block
_MIN_NOISE = 1e-9


def next_question(model: Model, answers: Any = None, candidates: Any = None) -> Any:
    """Return the item whose rating is most informative about a new user (active learning).

    Selects the candidate with the largest expected reduction of the mean squared error over all items; see
    ``question_gains``, which returns these reductions.

    Parameters
    ----------
    model : Model
        Fitted.
    answers : Ratings, data frame, or dict of item id to rating, optional
        The ratings of the user so far; default: none.
    candidates : id, or array-like of ids, optional
        The candidate items; answered ones are excluded. Default: all known items.

    Returns
    -------
    int or str
        The id of the item; ties go to the first.

    Raises
    ------
    NotFoundError
        If no candidate is known, or all have been answered.
    NotSupportedError
        If the model does not support fold-in of users; the hint names those that do.
    DataError
        If the answers are of several users, or their ids of another type than the model's.
    """
    ids, gain = question_gains(model, answers, candidates)
    return to_python(ids[int(np.argmax(gain))])


def question_gains(model: Model, answers: Any = None, candidates: Any = None) -> tuple[IdArray, Float64Array]:
    r"""Return the expected reduction of the mean squared error by a new user's rating of each item.

    A factor model predicts :math:`v_i \cdot x` (:math:`v_i` is 1 and the factors of an item). The prior of a
    new user's :math:`x` has the covariance :math:`C_0` of the training users; the noise standard deviation
    :math:`s` is the training RMSE. Each answer is a row of a ridge regression, with the posterior covariance

    .. math:: C' = C - \frac{C v_j v_j^\top C}{s^2 + v_j^\top C v_j} ,

    whatever the answer is. So a rating of :math:`j` reduces the mean squared error over the items by
    :math:`\frac{1}{m} \sum_i (v_i^\top C v_j)^2 / (s^2 + v_j^\top C v_j)`.

    For other models the user is folded in with a hypothetical answer one standard deviation (a quarter of the
    rating range) above the prediction, and with one below. Half the difference of the two predictions for
    each item, squared, is the variance that the answer explains, by which the error falls.

    Parameters
    ----------
    model, answers, candidates
        As for ``next_question``.

    Returns
    -------
    ids : array of int64 or of str, shape (n,)
        The unanswered candidates.
    gain : float64 array, shape (n,)
        Expected reduction of the mean squared error, in squared rating units.
    """
    _check_supported(model)
    answered = None if answers is None else _encode_answers(model, answers)
    query_items = resolve_candidates(model.items_, candidates)
    if answered is not None:
        query_items = np.setdiff1d(query_items, answered.item).astype(np.int32)
    if len(query_items) == 0:
        raise NotFoundError(
            "every candidate has been answered", hint=Hint({"candidates": None}, "for all known items")
        )
    eval_items = np.arange(0, len(model.items_), -(-len(model.items_) // _MAX_EVAL_ITEMS), dtype=np.int32)
    linear = _linear_form_with_prior(model)
    if linear is not None:
        return model.items_.ids[query_items], _gains_by_covariance(
            model, linear, answered, query_items, eval_items
        )
    return model.items_.ids[query_items], _gains_by_fold_in(model, answered, query_items, eval_items)


def _check_supported(model: Any) -> None:
    if not isinstance(model, Model):
        raise InvalidParameterError(
            f"next_question requires a fitted model, not {type(model).__name__}",
            hint="next_question(SVD().fit(ratings))",
        )
    model.check_fitted()
    for inner in [model, *getattr(model, "members_", ())]:
        if Entity.USER not in inner.fold_in_entities:
            supported = sorted(m.__name__ for m in all_models() if Entity.USER in m.fold_in_entities)
            raise NotSupportedError(
                f"{type(inner).__name__} does not support fold-in of new users",
                hint=f"models that can: {', '.join(supported)}",
            )


def _encode_answers(model: Model, answers: Any) -> Ratings | None:
    """Return the answers encoded by the model's items, None if there are none."""
    if isinstance(answers, dict):
        if not answers:
            return None
        items = as_id_column(list(answers), "item")
        if items.dtype == object and model.items_.dtype == "int":
            items = model.items_.parse(items.tolist())
        answers = Ratings.from_columns(np.zeros(len(items), np.int64), items, list(answers.values()))
    answered = as_ratings(answers)
    if len(answered.users) > 1:
        raise DataError(
            f"the answers are of {len(answered.users)} users; pass those of one",
            hint="answers[answers.user_ids == user]",
        )
    rated = known_ratings(model, answered)
    return rated if len(rated) else None


def _linear_form_with_prior(model: Model) -> LinearForm | None:
    """Return the linear form of a model that stores the covariance of its training users, else None.

    The known users do not give it: after fold-in, these are the new users alone.
    """
    known = getattr(model, "user_covariance_", None)
    if not hasattr(model, "user_penalty_") and (known is None or known.size == 0):
        return None
    return model.as_linear()


def _gains_by_covariance(
    model: Any, linear: LinearForm, answered: Ratings | None, query_items: IndexArray, eval_items: IndexArray
) -> Float64Array:
    noise = max(model.training_rmse() ** 2, _MIN_NOISE)
    covariance = _user_covariance(model, linear, noise)
    items = np.column_stack([np.ones(len(linear.item_factors)), linear.item_factors]).astype(np.float64)
    for item in () if answered is None else answered.item:
        direction = np.einsum("ab,b->a", covariance, items[item])
        covariance = covariance - np.outer(direction, direction) / (noise + direction @ items[item])
    projected = np.einsum("ia,ab->ib", items, covariance)  # (items, 1 + factors)
    variance = np.einsum("ia,ia->i", projected[query_items], items[query_items])
    # sum over i of (v_i C v_j)^2 = v_j C (sum v_i v_i') C v_j needs no items x items matrix
    gram = np.einsum("ia,ib->ab", items[eval_items], items[eval_items]) / len(eval_items)
    return np.asarray(
        np.einsum("ja,ab,jb->j", projected[query_items], gram, projected[query_items], optimize=True)
        / (noise + variance)
    )


def _user_covariance(model: Any, linear: LinearForm, noise: float) -> Float64Array:
    """Return the prior covariance of a user's bias and factors, in rating units."""
    size = 1 + linear.item_factors.shape[1]
    if not hasattr(model, "user_penalty_"):
        return np.asarray(model.std_**2 * model.user_covariance_)
    require_fitted_attr(model, model.user_penalty_, PRIOR_NAME)
    start = size - len(model.user_penalty_)  # 1 without biases
    covariance = np.zeros((size, size))
    covariance[start:, start:] = noise * np.linalg.inv(model.user_penalty_)
    return covariance


def _gains_by_fold_in(
    model: Model, answered: Ratings | None, query_items: IndexArray, eval_items: IndexArray
) -> Float64Array:
    """Return the gains by fold-in of two hypothetical answers per item, one above and one below."""
    rating_std = (model.high_ - model.low_) / 4
    user_index = np.zeros(1, np.int32) if answered is not None else np.full(1, -1, np.int32)
    current = model if answered is None else model.fold_in(answered)
    expected = current.predict_encoded(
        Pairs(np.repeat(user_index, len(query_items)), query_items), clip=False
    ).value.astype(np.float64)
    gain = np.empty(len(query_items))
    block_size = max(1, _BLOCK // (2 * len(eval_items)))
    for first in range(0, len(query_items), block_size):
        block = slice(first, first + block_size)
        hypothetical = _hypothetical_ratings(answered, query_items[block], expected[block], rating_std, model)
        folded = model.fold_in(hypothetical)
        n = len(hypothetical.users)
        pairs = Pairs(np.repeat(np.arange(n, dtype=np.int32), len(eval_items)), np.tile(eval_items, n))
        value = (
            folded.predict_encoded(pairs, clip=False).value.astype(np.float64).reshape(2, -1, len(eval_items))
        )
        gain[block] = (((value[0] - value[1]) / 2) ** 2).mean(axis=1)
    return gain


def _hypothetical_ratings(
    answered: Ratings | None, query_items: IndexArray, expected: Float64Array, rating_std: float, model: Model
) -> Ratings:
    """Return two users per queried item: the answers so far, and one above or below the prediction."""
    n = len(query_items)
    known = np.empty(0, np.int32) if answered is None else answered.item
    known_values = np.empty(0, np.float32) if answered is None else answered.value
    item = np.column_stack([np.tile(known, (2 * n, 1)), np.tile(query_items, 2)]).astype(np.int32)
    hypothetical = np.r_[expected + rating_std, expected - rating_std]
    value = np.column_stack([np.tile(known_values, (2 * n, 1)), hypothetical]).astype(np.float32)
    user = np.repeat(np.arange(2 * n, dtype=np.int32), item.shape[1])
    users = IdIndex(np.arange(2 * n, dtype=np.int64))
    return Ratings(user, item.ravel(), value=value.ravel(), users=users, items=model.items_)
