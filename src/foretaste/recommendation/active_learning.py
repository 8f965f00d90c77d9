"""``next_question``: the item whose rating by a new person tells most about all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.errors import BadData, InvalidParameter, NotFound, NotSupported, plain
from foretaste.ids import IdArray, IdIndex, Indices, as_id_column
from foretaste.models.base import Model, known_models
from foretaste.models.fold_in import SPREAD, known_items, require_kept
from foretaste.models.outputs import Linear
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation.top_n import allowed_items
from foretaste.validation import as_ratings

_Doubles = npt.NDArray[np.float64]

_JUDGED = 2000  # items whose error counts, where there are more: every so many
_BLOCK = 2_000_000  # predictions at a time
_LEAST = 1e-9


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
    NotFound
        If not one of the candidates is known, or all have been answered.
    NotSupported
        If the model cannot take in new people; the hint names those that can.
    BadData
        If the answers are those of several people, or their ids of another type than the model's.
    """
    ids, gain = question_gains(model, answers, candidates)
    return plain(ids[int(np.argmax(gain))])


def question_gains(model: Model, answers: Any = None, candidates: Any = None) -> tuple[IdArray, _Doubles]:
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
    _check(model)
    own = None if answers is None else _answers(model, answers)
    asked = allowed_items(model.items_, candidates)
    if own is not None:
        asked = np.setdiff1d(asked, own.item).astype(np.int32)
    if len(asked) == 0:
        raise NotFound("every candidate has been answered", hint="candidates=None for all that are known")
    judged = np.arange(0, len(model.items_), -(-len(model.items_) // _JUDGED), dtype=np.int32)
    linear = _linear_of(model)
    if linear is not None:
        return model.items_.ids[asked], _by_covariance(model, linear, own, asked, judged)
    return model.items_.ids[asked], _by_folding(model, own, asked, judged)


def _check(model: Any) -> None:
    if not isinstance(model, Model):
        raise InvalidParameter(
            f"questions are chosen by a fitted model, not by {type(model).__name__}",
            hint="next_question(SVD().fit(ratings))",
        )
    model._check_fitted()
    for inner in [model, *getattr(model, "members_", ())]:
        if type(inner)._fold_in is Model._fold_in:
            able = sorted(m.__name__ for m in known_models() if m._fold_in is not Model._fold_in)
            raise NotSupported(
                f"{type(inner).__name__} cannot make use of a new person's answers",
                hint=f"models that can: {', '.join(able)}",
            )


def _answers(model: Model, answers: Any) -> Ratings | None:
    """Return the answers in the model's items, None if there are none."""
    if isinstance(answers, dict):
        if not answers:
            return None
        items = as_id_column(list(answers), "item")
        if items.dtype == object and model.items_.kind == "number":
            items = model.items_.parse(items.tolist())
        answers = Ratings.from_columns(np.zeros(len(items), np.int64), items, list(answers.values()))
    own = as_ratings(answers)
    if len(own.users) > 1:
        raise BadData(
            f"the answers are those of {len(own.users)} people; questions are for one at a time",
            hint="answers[answers.user_ids == one]",
        )
    rated = known_items(model, own)
    return rated if len(rated) else None


def _linear_of(model: Model) -> Linear | None:
    """Return a model of factors as such, if it keeps how the people are spread whom it learned from.

    The people whom it knows will not do: a model of new people knows these alone.
    """
    known = getattr(model, "user_covariance_", None)
    if not hasattr(model, "user_penalty_") and (known is None or known.size == 0):
        return None
    return model._linear()


def _by_covariance(
    model: Any, linear: Linear, own: Ratings | None, asked: Indices, judged: Indices
) -> _Doubles:
    noise = max(model._rmse() ** 2, _LEAST)
    spread = _spread_of(model, linear, noise)
    items = np.column_stack([np.ones(len(linear.item_factors)), linear.item_factors]).astype(np.float64)
    for item in () if own is None else own.item:
        along = np.einsum("ab,b->a", spread, items[item])
        spread = spread - np.outer(along, along) / (noise + along @ items[item])
    shared = np.einsum("ia,ab->ib", items, spread)  # (items, numbers of a person)
    own_variance = np.einsum("ia,ia->i", shared[asked], items[asked])
    # sum over judged i of (v_i C v_j)^2 = v_j C (sum v_i v_i') C v_j, so that no items x items is needed
    square = np.einsum("ia,ib->ab", items[judged], items[judged]) / len(judged)
    return np.asarray(
        np.einsum("ja,ab,jb->j", shared[asked], square, shared[asked], optimize=True) / (noise + own_variance)
    )


def _spread_of(model: Any, linear: Linear, noise: float) -> _Doubles:
    """Return the covariance of the numbers of people, the bias first, in rating units."""
    size = 1 + linear.item_factors.shape[1]
    if not hasattr(model, "user_penalty_"):
        return np.asarray(model.std_**2 * model.user_covariance_)
    require_kept(model, model.user_penalty_, SPREAD)
    start = size - len(model.user_penalty_)  # without biases it has none of them
    spread = np.zeros((size, size))
    spread[start:, start:] = noise * np.linalg.inv(model.user_penalty_)
    return spread


def _by_folding(model: Model, own: Ratings | None, asked: Indices, judged: Indices) -> _Doubles:
    """Ask the model itself how far two answers, one above and one below, part its predictions."""
    spread = (model.high_ - model.low_) / 4
    start = np.zeros(1, np.int32) if own is not None else np.full(1, -1, np.int32)
    current = model if own is None else model._fold_in(own)
    expected = current._predict(Pairs(np.repeat(start, len(asked)), asked)).value.astype(np.float64)
    gain = np.empty(len(asked))
    step = max(1, _BLOCK // (2 * len(judged)))
    for first in range(0, len(asked), step):
        some = slice(first, first + step)
        people = _imagined(own, asked[some], expected[some], spread, model)
        folded = model._fold_in(people)
        n = len(people.users)
        pairs = Pairs(np.repeat(np.arange(n, dtype=np.int32), len(judged)), np.tile(judged, n))
        value = folded._predict(pairs).value.astype(np.float64).reshape(2, -1, len(judged))
        gain[some] = (((value[0] - value[1]) / 2) ** 2).mean(axis=1)
    return gain


def _imagined(
    own: Ratings | None, asked: Indices, expected: _Doubles, spread: float, model: Model
) -> Ratings:
    """Return two people a question, with the answers so far and one above or below what is expected."""
    n = len(asked)
    known = np.empty(0, np.int32) if own is None else own.item
    given = np.empty(0, np.float32) if own is None else own.value
    item = np.column_stack([np.tile(known, (2 * n, 1)), np.tile(asked, 2)]).astype(np.int32)
    told = np.r_[expected + spread, expected - spread]
    value = np.column_stack([np.tile(given, (2 * n, 1)), told]).astype(np.float32)
    user = np.repeat(np.arange(2 * n, dtype=np.int32), item.shape[1])
    users = IdIndex(np.arange(2 * n, dtype=np.int64))
    return Ratings(user, item.ravel(), value=value.ravel(), users=users, items=model.items_)
