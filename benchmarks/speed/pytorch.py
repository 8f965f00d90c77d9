"""``TorchMF.vanilla()`` against the usual PyTorch tutorial loop of matrix factorization, an epoch each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.data import generate_ratings, load_real
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, peer_label, time_in_turns
from foretaste import HoldOut, Ratings, rmse

EPOCHS = 20  # as taught; an error is that after so many
BIG = {"batch_size": 4096, "learning_rate": 0.004}  # eight times the batch, four times the rate
SHORT = 1, 6  # epochs of two fits, whose difference is that of as many epochs


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if is_missing("TorchMF against the taught loop", "torch"):
        return
    ratings, name = lecture_ratings(20_000 if quick else None)
    train, valid = (ratings[part] for part in next(HoldOut(0.2, seed=42).split(ratings)))
    yield from against_the_taught_loop(train, valid, name, 2 if quick else EPOCHS, repeats)


def lecture_ratings(size: int | None) -> tuple[Ratings, str]:
    """Return the lecture's ratings, or some of their shape where these are not available."""
    found, name = load_real("jester-2 lecture"), "Jester 2, users to 4000, 80 %"
    if found is None:
        found, name = generate_ratings(3_632, 140, 141_359), "generated"
    return found if size is None else found.sample(size), name


def against_the_taught_loop(
    train: Ratings, valid: Ratings, name: str, epochs: int, repeats: int
) -> Iterator[Row]:
    """Time one epoch of each with the same number of threads, and evaluate each after all epochs."""
    import torch

    from benchmarks.speed.lecture_loop import Taught
    from foretaste import TorchMF

    big = f"batches of {BIG['batch_size']} at a rate of {BIG['learning_rate']:g}"
    ours: dict[str, dict[str, Any]] = {"batches of 512": {}, big: BIG}
    errors = {"taught": _error_of_taught(Taught(train), valid, train, epochs)}
    for what, params in ours.items():
        errors[what] = rmse(valid.value, TorchMF.vanilla(epochs=epochs, **params).fit(train).predict(valid))
    for threads in (1, 2):
        taught = Taught(train)

        def one_epoch(taught: Any = taught, threads: int = threads) -> None:
            torch.set_num_threads(threads)
            taught.epoch()

        work: dict[str, Any] = {"taught": one_epoch}
        for what, params in ours.items():
            for many in SHORT:
                model = TorchMF.vanilla(epochs=many, threads=threads, **params)
                work[f"{what} {many}"] = lambda model=model: model.fit(train)
        seconds = time_in_turns(work, repeats)
        for what in ours:
            yield row(
                f"TorchMF.vanilla(), {what}, {len(train):,} ratings ({name}), 100 factors, an epoch, "
                f"{threads} thread{'s' * (threads > 1)}",
                (seconds[f"{what} {SHORT[1]}"] - seconds[f"{what} {SHORT[0]}"]) / (SHORT[1] - SHORT[0]),
                peer=peer_label("torch", "in the taught loop, batches of 512"),
                peer_seconds=seconds["taught"],
                equality={"foretaste_rmse": errors[what], "peer_rmse": errors["taught"]},
                min_ratio=8 if threads == 1 else None,  # steps this small gain nothing from a second thread
            )


def _error_of_taught(taught: Any, valid: Ratings, train: Ratings, epochs: int) -> float:
    """Return the error after this many epochs; pairs with unknown ids get the mean, as ours give them."""
    for _ in range(epochs):
        taught.epoch()
    user, item = train.users.indices_of(valid.user_ids), train.items.indices_of(valid.item_ids)
    known = (user >= 0) & (item >= 0)
    low, high = train.value.min(), train.value.max()
    guess = np.full(len(valid), train.mean_std()[0], np.float32)
    guess[known] = np.clip(taught.predict(user[known], item[known]), low, high)
    return rmse(valid.value, guess)


if __name__ == "__main__":
    main("pytorch", rows, __doc__)
