"""``next_question``: the item whose rating by a new person tells most about all others."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.errors import DataError, InvalidParameterError, NotFoundError, NotSupportedError, to_python
from foretaste.ids import IdIndex, as_id_column
from foretaste.models.base import Model, all_models
from foretaste.models.fold_in import PRIOR_NAME, known_ratings, require_fitted_attr
from foretaste.models.outputs import LinearForm
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation.top_n import resolve_candidates
from foretaste.typing import Entity, Float64Array, IdArray, IndexArray
from foretaste.validation import as_ratings

_MAX_EVAL_ITEMS = 2000  # items whose error counts, where there are more: every so many
_BLOCK = 2_000_000  # predictions at a time
_MIN_NOISE = 1e-9


def next_question(model: Model, answers: Any = None, candidates: Any = None) -> Any:
    """Return the item whose rating tells most about somebody whom the model does not know.

    For each candidate it is computed how far the answer can be expected to lessen the squared errors of the
    predictions for all items; the candidate that lessens them most is asked. See ``question_gains``, which
    tells the figures.

    Parameters
    ----------
    model : Model
        Fitted.
    answers : Ratings, data frame, or dict of item id to rating, optional
        What the person has rated so far; nothing to begin with.
    candidates : id, or array-like of ids, optional
        The items that may be asked; those answered already are left out. Default: all that the model knows.

    Returns
    -------
    int or str
        The id of the item; of those that tell the same, the first.

    Raises
    ------
    NotFoundError
        If not one of the candidates is known, or all have been answered.
    NotSupportedError
        If the model cannot take in new people; the hint names those that can.
    DataError
        If the answers are those of several people, or their ids of another type than the model's.
    """
    ids, gain = question_gains(model, answers, candidates)
    return to_python(ids[int(np.argmax(gain))])


def question_gains(model: Model, answers: Any = None, candidates: Any = None) -> tuple[IdArray, Float64Array]:
    r"""Return what each item's rating by a new person can be expected to tell.

    A model of factors predicts :math:`v_i \cdot x` (:math:`v_i` being 1 and the factors of an item). Before
    anything is known, a new person's :math:`x` is spread as the people are whom the model learned from, with
    covariance :math:`C_0`, and a rating deviates by :math:`s` besides, as in training. Each answer is a ridge
    regression's row, and leaves the posterior covariance

    .. math:: C' = C - \frac{C v_j v_j^\top C}{s^2 + v_j^\top C v_j} ,

    whatever was answered. So asking :math:`j` lessens the mean squared error over the items by
    :math:`\frac{1}{m} \sum_i (v_i^\top C v_j)^2 / (s^2 + v_j^\top C v_j)`.

    Other models are asked themselves: the person is folded in with an answer that lies a standard deviation
    (a quarter of the range) above what is predicted, and with one below. Half the difference of the two
    predictions for each item, squared, is the variance that the answer explains, by which the error falls.

    Parameters
    ----------
    model, answers, candidates
        As for ``next_question``.

    Returns
    -------
    ids : array of int64 or of str, shape (n,)
        The candidates that were not answered.
    gain : float64 array, shape (n,)
        By how much the mean squared error is expected to fall, in squared rating units.
    """
    _check_supported(model)
    answered = None if answers is None else _encode_answers(model, answers)
    query_items = resolve_candidates(model.items_, candidates)
    if answered is not None:
        query_items = np.setdiff1d(query_items, answered.item).astype(np.int32)
    if len(query_items) == 0:
        raise NotFoundError(
            "every candidate has been answered", hint="candidates=None for all that are known"
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
            f"questions are chosen by a fitted model, not by {type(model).__name__}",
            hint="next_question(SVD().fit(ratings))",
        )
    model.check_fitted()
    for inner in [model, *getattr(model, "members_", ())]:
        if Entity.USER not in inner.fold_in_entities:
            supported = sorted(m.__name__ for m in all_models() if Entity.USER in m.fold_in_entities)
            raise NotSupportedError(
                f"{type(inner).__name__} cannot make use of a new person's answers",
                hint=f"models that can: {', '.join(supported)}",
            )


def _encode_answers(model: Model, answers: Any) -> Ratings | None:
    """Return the answers in the model's items, None if there are none."""
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
            f"the answers are those of {len(answered.users)} people; questions are for one at a time",
            hint="answers[answers.user_ids == one]",
        )
    rated = known_ratings(model, answered)
    return rated if len(rated) else None


def _linear_form_with_prior(model: Model) -> LinearForm | None:
    """Return a model of factors as such, if it keeps how the people are spread whom it learned from.

    The people whom it knows will not do: a model of new people knows these alone.
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
    projected = np.einsum("ia,ab->ib", items, covariance)  # (items, numbers of a person)
    variance = np.einsum("ia,ia->i", projected[query_items], items[query_items])
    # sum over judged i of (v_i C v_j)^2 = v_j C (sum v_i v_i') C v_j, so that no items x items is needed
    second_moment = np.einsum("ia,ib->ab", items[eval_items], items[eval_items]) / len(eval_items)
    return np.asarray(
        np.einsum("ja,ab,jb->j", projected[query_items], second_moment, projected[query_items], optimize=True)
        / (noise + variance)
    )


def _user_covariance(model: Any, linear: LinearForm, noise: float) -> Float64Array:
    """Return the covariance of the numbers of people, the bias first, in rating units."""
    size = 1 + linear.item_factors.shape[1]
    if not hasattr(model, "user_penalty_"):
        return np.asarray(model.std_**2 * model.user_covariance_)
    require_fitted_attr(model, model.user_penalty_, PRIOR_NAME)
    start = size - len(model.user_penalty_)  # without biases it has none of them
    covariance = np.zeros((size, size))
    covariance[start:, start:] = noise * np.linalg.inv(model.user_penalty_)
    return covariance


def _gains_by_fold_in(
    model: Model, answered: Ratings | None, query_items: IndexArray, eval_items: IndexArray
) -> Float64Array:
    """Ask the model itself how far two answers, one above and one below, part its predictions."""
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
    """Return two people a question, with the answers so far and one above or below what is expected."""
    n = len(query_items)
    known = np.empty(0, np.int32) if answered is None else answered.item
    known_values = np.empty(0, np.float32) if answered is None else answered.value
    item = np.column_stack([np.tile(known, (2 * n, 1)), np.tile(query_items, 2)]).astype(np.int32)
    hypothetical = np.r_[expected + rating_std, expected - rating_std]
    value = np.column_stack([np.tile(known_values, (2 * n, 1)), hypothetical]).astype(np.float32)
    user = np.repeat(np.arange(2 * n, dtype=np.int32), item.shape[1])
    users = IdIndex(np.arange(2 * n, dtype=np.int64))
    return Ratings(user, item.ravel(), value=value.ravel(), users=users, items=model.items_)
