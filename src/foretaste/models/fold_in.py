"""Taking in new users or new items: their numbers by one ridge regression each, the others as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from foretaste._native import group_rows, ridge_users
from foretaste._utils.threads import thread_count
from foretaste.errors import BadModelFile, NotSupported
from foretaste.ids import IdIndex, Indices
from foretaste.models.base import Model
from foretaste.models.outputs import Floats
from foretaste.ratings import Ratings
from foretaste.validation import check_kinds

M = TypeVar("M", bound=Model)

Doubles = npt.NDArray[np.float64]

SPREAD = "how people and items are spread"  # what the penalties say

_LEAST = 1e-6  # of noise and of spread, so that there is one answer, whatever was learned
_TINY = 1e-12
_SPREAD = 10_000  # from how many a spread is taken, where there are more: every so many


@dataclass(frozen=True, eq=False)
class KnownRows:
    """The ratings of new users for items that a model knows; or of new items by users that it knows.

    Parameters
    ----------
    own, other : int32 array, shape (n,)
        Those who are new, increasing; those of the model.
    value, weight : float64 array, shape (n,)
    when : int64 array, shape (n,), optional
    size : int
        How many new ones there are, among them those without such a rating.
    """

    own: Indices
    other: Indices
    value: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    when: npt.NDArray[np.int64] | None
    size: int


def known_items(model: Model, new: Ratings) -> Ratings:
    """Return the ratings of new users in the model's own items; others say nothing to it and are left out.

    Every user of ``new`` stays in the index, also one of whom no rating is left.
    """
    return _known(model, new, "item")


def known_users(model: Model, new: Ratings) -> Ratings:
    """Return the ratings of new items by the model's own users; others say nothing to it and are left out.

    Every item of ``new`` stays in the index, also one of which no rating is left.
    """
    return _known(model, new, "user")


def _known(model: Model, new: Ratings, side: str) -> Ratings:
    own: IdIndex = getattr(model, f"{side}s_")
    given: IdIndex = getattr(new, f"{side}s")
    check_kinds(given, own, side)
    places = own.remap(given.ids)[getattr(new, side)]
    rows = places >= 0
    columns: dict[str, Any] = {
        name: None if getattr(new, name) is None else getattr(new, name)[rows] for name in ("when", "weight")
    }
    columns |= {"user": new.user[rows], "item": new.item[rows], "value": new.value[rows]}
    return new.replace(**(columns | {side: places[rows], f"{side}s": own, f"{side}_table": None}))


def known_rows(model: Model, new: Ratings, side: str = "user") -> KnownRows:
    """Return the ratings of those who are new, grouped; those of weight 0 are left out.

    Parameters
    ----------
    model : Model
    new : Ratings
    side : {"user", "item"}
        Which of the two is new.

    Raises
    ------
    BadData
        If the ids of the other side are of another type than the known ones.
    """
    other = "item" if side == "user" else "user"
    rated = _known(model, new, other)
    weight = np.ones(len(rated)) if rated.weight is None else rated.weight.astype(np.float64)
    own, size = getattr(rated, side), len(getattr(rated, f"{side}s"))
    _, grouped = group_rows(own, size)
    rows = grouped[weight[grouped] > 0]
    when = None if rated.when is None else rated.when[rows]
    value = rated.value[rows].astype(np.float64)
    return KnownRows(own[rows], getattr(rated, other)[rows], value, weight[rows], when, size)


def fold(
    rows: KnownRows,
    residual: npt.NDArray[np.float64],
    factors: Floats,
    penalty: Doubles,
    threads: int | None,
    biased: bool = True,
) -> tuple[Floats, Floats]:
    """Return the biases and factors that explain best what is left of the ratings of those who are new.

    Parameters
    ----------
    rows : KnownRows
    residual : float64 array, shape (n,)
        What biases and factors of the new ones must explain.
    factors : float32 array, shape (others, factors)
        Those of the other side.
    penalty : float64 array, shape (numbers, numbers)
        Of ``penalty_of``.
    threads : int, optional
    biased : bool
        Whether the new ones have biases, else these are 0.

    Returns
    -------
    float32 arrays, shapes (size,) and (size, factors)
        0 for one without ratings that the model can use.
    """
    vectors = solved_for(factors, biased)
    starts, _ = group_rows(rows.own, rows.size)
    found = ridge_users(
        starts, rows.other, residual.astype(np.float64), rows.weight, vectors, penalty, thread_count(threads)
    ).astype(np.float32)
    if not biased:
        return np.zeros(rows.size, np.float32), found
    return np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1:])


def solved_for(factors: Floats, biased: bool) -> Floats:
    """Return what the numbers of a new one multiply in each rating: 1 for the bias, and factors."""
    ones = np.ones((len(factors), int(biased)), np.float32)
    return np.hstack([ones, factors])


def ridge_shares(
    rows: KnownRows,
    residual: npt.NDArray[np.float64],
    vectors: Floats,
    penalty: Doubles,
    toward: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return how much of a product with the solution of one ridge regression comes from each of its rows.

    The solution is linear in what it explains: ``x = A^-1 sum_j w_j v_j r_j`` with
    ``A = sum_j w_j v_j v_j' + penalty``, so that ``toward . x = sum_j (w_j v_j . A^-1 toward) r_j``.

    Parameters
    ----------
    rows : KnownRows
        Of one user.
    residual : float64 array, shape (n,)
        What each row asks of the solution.
    vectors : float32 array, shape (others, size)
    penalty : float64 array, shape (size, size)
    toward : float64 array, shape (size,)

    Returns
    -------
    float64 array, shape (n,)
        Their sum is ``toward . x``.
    """
    chosen = vectors[rows.other].astype(np.float64)
    system = np.einsum("na,nb->ab", rows.weight[:, None] * chosen, chosen) + penalty
    along = np.linalg.solve(system, toward)
    return np.asarray(rows.weight * np.einsum("na,a->n", chosen, along) * residual)


def penalty_of(bias: Floats | None, factors: Floats, noise: float) -> Doubles:
    """Return what draws the numbers of a new one to 0: how those of the others are spread, against noise.

    With the numbers of the learned ones spread about 0 with covariance ``C``, and ratings that deviate by
    noise ``s`` from what the numbers say, the most likely numbers of a new one minimise
    ``sum_j (r_j - v_j . x)^2 + x . (s^2 C^-1) x``.

    Parameters
    ----------
    bias : float32 array, shape (n,), or None
    factors : float32 array, shape (n, factors)
        Of users, or of items.
    noise : float
        The deviation of the training ratings from what was learned, in the units of bias and factors.

    Returns
    -------
    float64 array, shape (numbers, numbers)
        The bias first, if there is one.
    """
    from threadpoolctl import threadpool_limits

    spread = spread_of(bias, factors)
    size = len(spread)
    # a little more in every direction, so that what did not vary at all can be inverted
    spread += (_LEAST * np.trace(spread) / size + _TINY) * np.eye(size)
    with threadpool_limits(1):  # so that the bits are the same however many threads there are
        inverse = np.linalg.inv(spread)
    return np.ascontiguousarray(max(noise**2, _LEAST) * (inverse + inverse.T) / 2)


def spread_of(bias: Floats | None, factors: Floats) -> Doubles:
    """Return the covariance, about 0, of the numbers of users (or items) who have some.

    Where there are more than 10,000, every so many are enough.

    Parameters
    ----------
    bias : float32 array, shape (n,), or None
    factors : float32 array, shape (n, factors)

    Returns
    -------
    float64 array, shape (numbers, numbers)
        The bias first, if there is one.
    """
    from threadpoolctl import threadpool_limits

    columns = [factors] if bias is None else [bias[:, None], factors]
    numbers = np.hstack(columns)[:: max(1, -(-len(factors) // _SPREAD))].astype(np.float64)
    numbers = numbers[np.any(numbers != 0, axis=1)]
    with threadpool_limits(1):  # so that the bits are the same however many threads there are
        return np.ascontiguousarray(numbers.T @ numbers / max(1, len(numbers)))


def check_penalties(model: Model, size: int) -> None:
    """Refuse a file whose penalties do not fit its factors; one by an earlier version has none of them.

    Raises
    ------
    BadModelFile
    """
    penalties = {name: getattr(model, name) for name in ("user_penalty_", "item_penalty_")}
    if not any(penalty.size for penalty in penalties.values()):
        return
    for name, penalty in penalties.items():
        if penalty.shape != (size, size) or (np.diag(penalty) <= 0).any() or (penalty != penalty.T).any():
            raise BadModelFile(f"{name} in the file does not fit its factors")


def require_kept(model: Model, kept: npt.NDArray[Any], what: str) -> None:
    """Refuse what needs something that the file of a model does not hold.

    Raises
    ------
    NotSupported
        If nothing is kept; the hint names learning again.
    """
    if kept.size == 0:
        name = type(model).__name__
        raise NotSupported(
            f"this {name} comes from a file by an earlier version, which lacks {what}",
            hint=f"learn again: foretaste fit {name} ratings.csv -o model.foretaste, or model.fit(ratings)",
        )


def with_users(model: M, new: Ratings, **learned: Any) -> M:
    """Return a fitted model like this one whose users are those of ``new``, of whom it learned these things.

    Range, fingerprint and number of ratings stay those of the training ratings.
    """
    return _with(model, {"users_": new.users} | learned)


def with_items(model: M, new: Ratings, **learned: Any) -> M:
    """Return a fitted model like this one whose items are those of ``new``; see ``with_users``."""
    return _with(model, {"items_": new.items} | learned)


def _with(model: M, learned: dict[str, Any]) -> M:
    folded = type(model)(**model.get_params(deep=False))
    for name, value in (model._state() | learned).items():
        setattr(folded, name, np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value)
    return folded
