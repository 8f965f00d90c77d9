"""Base class of the autoencoder models, which predict from factors: hidden layer times decoder."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils import memory
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.models._als import AlsSolver, fold_in_by_als
from foretaste.models._sgd import schedule_param
from foretaste.models.pytorch._base import LinearTorchModel, TrainValidRows, to_numpy
from foretaste.models.pytorch._trainer import TrainingTask
from foretaste.params import estimator, param
from foretaste.ratings import Ratings
from foretaste.typing import AnyArray, Entity, Float64Array

_WEIGHT_COPIES = 6  # weight, gradient, two moments of Adam, best epoch, temporary
_FACTOR_COPIES = 4  # of hidden layers and decoders: float32, and float64 (twice as large) while centering


@estimator
class AutoencoderModel(LinearTorchModel):
    """Base of the autoencoders over rows of items, or of users.

    The last hidden layer of a row and the decoder's weights of a column are the factors of an item and a user
    (or the other way round). They are centered over the ratings, and their means become biases, so that an
    unknown item gets the mean of the user's predictions, and an unknown user that of the item's.
    """

    uses_global_rng: ClassVar[bool] = False

    n_ensemble: int = param(
        1,
        "number of networks, trained from different initial weights; predictions are their mean. Training "
        "time grows in proportion",
        low=1,
        high=64,
    )
    biased: bool = param(True, "subtract user and item biases first, and train on the residuals")
    bias_damping: float = param(
        5.0, "damping of the biases: pseudo-count of prior ratings at the mean", low=0
    )
    hidden: int = param(500, "units per hidden layer", low=1, high=8192)
    activation: str = param(
        "tanh", "activation of the hidden layers", choices=("sigmoid", "tanh", "elu", "identity")
    )
    regularization: float = param(
        320.0, "L2 regularization: penalty of a squared weight, in units of one squared error", low=0
    )
    rated_offset: float = param(
        3.0,
        "added to the inputs of rated cells, in standard deviations, to tell them from unrated ones",
        low=0,
        high=100,
    )
    dropout: float = param(0.3, "fraction of the ratings of a row dropped from the input", low=0, high=0.9)
    epochs: int = param(14, "maximum number of epochs", low=1)
    batch_size: int = param(128, "rows per batch", low=1)
    schedule: str = schedule_param("cosine")
    patience: int = param(10, "early stopping: epochs without a lower validation loss", low=1)

    def _make_training_task(self, train: Ratings, split: TrainValidRows, device: Any) -> TrainingTask:
        import torch

        from foretaste.models.pytorch._row_task import Baseline, RowTask

        item_based = self._is_item_based()
        rows, columns = len(train.items), len(train.users)
        rows, columns = (rows, columns) if item_based else (columns, rows)
        self._check_memory(rows, columns)
        baseline = Baseline.fit(train, split.train, self.bias_damping if self.biased else None)
        random = torch.Generator().manual_seed(self.seed)
        networks = [self._build_network(columns, random) for _ in range(self.n_ensemble)]
        return RowTask(
            networks, train, split, item_based=item_based, baseline=baseline, rated_offset=self.rated_offset,
            dropout=self.dropout, random=random, device=device,
        )  # fmt: skip

    def _check_memory(self, rows: int, columns: int) -> None:
        units = self.n_ensemble * self.hidden
        description = f"{self.n_ensemble} autoencoders" if self.n_ensemble > 1 else "an autoencoder"
        weights = _WEIGHT_COPIES * self.n_ensemble * self._count_weights(columns)
        factors = _FACTOR_COPIES * units * (rows + columns)
        memory.check_available(
            4 * (weights + factors),
            f"{description} of {columns} columns with {self.hidden} hidden units",
            "a smaller hidden or n_ensemble, or SVD, which stores factors only",
        )

    @abstractmethod
    def _is_item_based(self) -> bool:
        """Whether rows are items."""

    @abstractmethod
    def _build_network(self, columns: int, random: Any) -> Any:
        """Return a network with initial weights for rows of ``columns`` cells."""

    @abstractmethod
    def _count_weights(self, columns: int) -> int:
        """Return the number of weights in its layers."""

    def _fit(self, train: Ratings, progress: Progress) -> None:
        super()._fit(train, progress)
        self._center(train)

    def _set_fitted(self, training: Any) -> None:
        """Set factors and biases from the hidden layer of each row and the decoder weights of each column."""
        import torch

        baseline, n = training.baseline, len(training.network)
        self.mean_, self.std_ = baseline.mean, baseline.std
        with torch.no_grad():
            hidden = to_numpy(torch.cat(training.encode_rows(), 1))
            decoders = [network.layers[-1] for network in training.network]
            decoder_weights = to_numpy(torch.cat([decoder.effective_weight() for decoder in decoders], 1) / n)
            bias = to_numpy(sum(decoder.bias for decoder in decoders) / n)
        scale = baseline.std or 1.0
        users, items = baseline.user_bias / scale, baseline.item_bias / scale
        if self._is_item_based():
            users = users + bias
            self.item_factors_, self.user_factors_ = hidden, decoder_weights
        else:
            items = items + bias
            self.user_factors_, self.item_factors_ = hidden, decoder_weights
        self.user_bias_, self.item_bias_ = users.astype(np.float32), items.astype(np.float32)

    def _center(self, train: Ratings) -> None:
        """Move the means of the factors into biases; predictions of known pairs do not change."""
        user_mean, users = _center_vectors(train.user, self.user_factors_, train.weight)
        item_mean, items = _center_vectors(train.item, self.item_factors_, train.weight)
        user_bias = self.user_bias_ + users @ item_mean
        item_bias = self.item_bias_ + items @ user_mean
        user_shift, user_bias = _center_vectors(train.user, user_bias[:, None], train.weight)
        item_shift, item_bias = _center_vectors(train.item, item_bias[:, None], train.weight)
        shift = float(user_mean @ item_mean) + float(user_shift[0]) + float(item_shift[0])
        self.mean_ += self.std_ * shift
        self.user_factors_, self.item_factors_ = users.astype(np.float32), items.astype(np.float32)
        self.user_bias_ = user_bias[:, 0].astype(np.float32)
        self.item_bias_ = item_bias[:, 0].astype(np.float32)

    def _fold_in_users(self, new: Ratings) -> Self:
        """Return a model of new users: their decoder weights by ridge regression on fixed item factors."""
        ridge, width = max(self.regularization, 1e-3), self.item_factors_.shape[1]
        als_solver = AlsSolver(width, 0.0, ridge, 0.0, 1e-3, resolve_threads(self.threads))
        return fold_in_by_als(self, new, Entity.USER, als_solver, "cholesky")


def _center_vectors(
    codes: AnyArray, vectors: AnyArray, weight: AnyArray | None
) -> tuple[Float64Array, Float64Array]:
    """Return the mean of the vectors over the ratings, and all vectors minus that mean.

    Parameters
    ----------
    codes : int32 array, shape (ratings,)
        Vector of each rating.
    vectors : array, shape (n, k)
    weight : float32 array, shape (ratings,), or None
    """
    total = np.bincount(codes, None if weight is None else weight.astype(np.float64), len(vectors))
    doubles = vectors.astype(np.float64)
    mean = (total / total.sum()) @ doubles
    return mean, doubles - mean
