"""What the autoencoders have in common: rows in, hidden layers, rows out, and factors to keep."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils import memory
from foretaste._utils.progress import Progress
from foretaste._utils.threads import thread_count
from foretaste.models._als_factors import Steps, learned_side, side_of
from foretaste.models._sgd import schedule_param
from foretaste.models.fold_in import known_items, with_users
from foretaste.models.pytorch._base import Parts
from foretaste.models.pytorch._linear_form import LinearTorchModel, as_array, centred
from foretaste.models.pytorch._trainer import Learning
from foretaste.params import model_class, param
from foretaste.ratings import Ratings

_COPIES = 6  # of each weight: itself, gradient, two moments of Adam, the best so far, what is worked out
_FACTORS = 4  # of hidden layers and decoders, as factors: themselves, and as exact numbers while centred


@model_class
class Autoencoder(LinearTorchModel):
    """Base of the autoencoders: rows of items or of users, learned with a last hidden layer and its decoder.

    The last hidden layer of a row and the decoder's weights of a cell are the factors of an item and of a
    user (or the other way round). They are kept less their means over the ratings, which become biases, so
    that an unknown item gets the mean of the user's predictions, and an unknown user that of the item's.
    """

    draws_alone: ClassVar[bool] = False

    networks: int = param(
        1,
        "how many networks learn, each from other first weights; predictions are their mean. Each takes as "
        "long as one",
        low=1,
        high=64,
    )
    biased: bool = param(True, "take user and item biases away first, and learn what is left")
    bias_damping: float = param(
        5.0, "how many ratings at the mean a user or item is given beforehand, for its bias", low=0
    )
    hidden: int = param(500, "how many units a hidden layer has", low=1, high=8192)
    activation: str = param(
        "tanh", "what hidden units make of their sum", one_of=("sigmoid", "tanh", "elu", "identity")
    )
    regularization: float = param(
        320.0, "what a squared weight costs, in squared standard deviations of one rating", low=0
    )
    presence: float = param(
        3.0,
        "what is added to a rating that goes in, in standard deviations, to differ from none",
        low=0,
        high=100,
    )
    dropout: float = param(
        0.3, "share of the ratings of a row that do not go in while learning", low=0, high=0.9
    )
    epochs: int = param(14, "how many times each row is visited, at most", low=1)
    batch: int = param(128, "how many rows a step looks at", low=1)
    schedule: str = schedule_param("cosine")
    patience: int = param(10, "early stopping: how many epochs may pass without a better loss", low=1)

    def _learning(self, train: Ratings, parts: Parts, device: Any) -> Learning:
        import torch

        from foretaste.models.pytorch._row_task import Level, RowLearning

        by_item = self._by_item()
        rows, cells = len(train.items), len(train.users)
        rows, cells = (rows, cells) if by_item else (cells, rows)
        self._check_memory(rows, cells)
        level = Level.of(train, parts.learned, self.bias_damping if self.biased else None)
        random = torch.Generator().manual_seed(self.seed)
        coders = [self._coder(cells, random) for _ in range(self.networks)]
        return RowLearning(
            coders, train, parts, by_item=by_item, level=level, presence=self.presence,
            dropout=self.dropout, random=random, device=device,
        )  # fmt: skip

    def _check_memory(self, rows: int, cells: int) -> None:
        units = self.networks * self.hidden
        several = f"{self.networks} autoencoders" if self.networks > 1 else "an autoencoder"
        memory.require(
            4 * (_COPIES * self.networks * self._weights(cells) + _FACTORS * units * (rows + cells)),
            f"{several} of {cells} cells a row with {self.hidden} hidden units",
            "fewer hidden units or networks, or SVD, which needs memory for factors alone",
        )

    @abstractmethod
    def _by_item(self) -> bool:
        """Whether a row is an item."""

    @abstractmethod
    def _coder(self, cells: int, random: Any) -> Any:
        """Return the network."""

    @abstractmethod
    def _weights(self, cells: int) -> int:
        """Return how many numbers its layers hold."""

    def _fit(self, train: Ratings, progress: Progress) -> None:
        super()._fit(train, progress)
        self._centre(train)

    def _keep(self, learning: Any) -> None:
        """Take the hidden layer of each row and the decoder of each cell as they are."""
        import torch

        level, n = learning.level, len(learning.network)
        self.mean_, self.std_ = level.mean, level.std
        with torch.no_grad():
            hidden = as_array(torch.cat(learning.hidden(), 1))
            decoders = [coder.layers[-1] for coder in learning.network]
            cells = as_array(torch.cat([decoder.effective() for decoder in decoders], 1) / n)
            bias = as_array(sum(decoder.bias for decoder in decoders) / n)
        units = level.std or 1.0
        users, items = level.user_bias / units, level.item_bias / units
        if self._by_item():
            users = users + bias
            self.item_factors_, self.user_factors_ = hidden, cells
        else:
            items = items + bias
            self.user_factors_, self.item_factors_ = hidden, cells
        self.user_bias_, self.item_bias_ = users.astype(np.float32), items.astype(np.float32)

    def _centre(self, train: Ratings) -> None:
        """Move what users and items have in common into biases; no prediction of a known pair changes."""
        user_mean, users = centred(train.user, self.user_factors_, train.weight)
        item_mean, items = centred(train.item, self.item_factors_, train.weight)
        user_bias = self.user_bias_ + users @ item_mean
        item_bias = self.item_bias_ + items @ user_mean
        user_level, user_bias = centred(train.user, user_bias[:, None], train.weight)
        item_level, item_bias = centred(train.item, item_bias[:, None], train.weight)
        level = float(user_mean @ item_mean) + float(user_level[0]) + float(item_level[0])
        self.mean_ += self.std_ * level
        self.user_factors_, self.item_factors_ = users.astype(np.float32), items.astype(np.float32)
        self.user_bias_ = user_bias[:, 0].astype(np.float32)
        self.item_bias_ = item_bias[:, 0].astype(np.float32)

    def _decode_users(self, new: Ratings) -> Self:
        """Return a model of new users: the decoder that is best for their ratings, the items as they are."""
        rated = known_items(self, new)
        standard = self._standardized(rated.value).astype(np.float32)
        ridge = max(self.regularization, 1e-3)
        width = self.item_factors_.shape[1]
        users = side_of(rated.user, rated.item, standard, rated.weight, len(new.users), width, True)
        items = learned_side(self.item_bias_, self.item_factors_, True)
        Steps(width, 0.0, ridge, 0.0, 1e-3, thread_count(self.threads)).learn(users, items, "cholesky", 1)
        bias, factors = users.learned(width)
        return with_users(self, new, user_bias_=bias, user_factors_=factors)
