"""Training loop of the PyTorch models.

A ``TrainingTask`` holds network and examples on the device. ``train_network`` iterates over shuffled batches,
evaluates after each epoch, stops early and restores the best weights. A batch is gathered by indexing
tensors, without a ``DataLoader``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from foretaste._utils.progress import ProgressTask
from foretaste.errors import InvalidParameterError
from foretaste.models._sgd import learning_rate_at

Tensors = dict[str, Any]

OPTIMIZERS = ("adam", "adamw", "adagrad", "sgd")

_BATCHES_PER_STEP = 64  # batches between two progress steps, which are where Ctrl-C takes effect


@dataclass(frozen=True)
class EpochMetrics:
    """Loss and RMSE at the end of an epoch.

    Parameters
    ----------
    train_loss, valid_loss : float
        Mean loss per rating without the regularization term; ``valid_loss`` is NaN without a validation set.
    train_rmse, valid_rmse : float
        In rating units; ``valid_rmse`` is NaN without a validation set.
    """

    train_loss: float
    train_rmse: float
    valid_loss: float = math.nan
    valid_rmse: float = math.nan

    @property
    def has_validation(self) -> bool:
        """Whether there is a validation set."""
        return not math.isnan(self.valid_rmse)

    @property
    def losses(self) -> tuple[float, ...]:
        """Training loss, and validation loss if there is a validation set."""
        return (self.train_loss, self.valid_loss) if self.has_validation else (self.train_loss,)


class TrainingTask(ABC):
    """A network, its examples and its loss, on one device.

    Attributes
    ----------
    network : torch.nn.Module
        All trainable weights.
    size : int
        Number of training examples per epoch (ratings, users or items).
    device : torch.device
    random : torch.Generator, optional
        Generator of the task's own random numbers (dropout, negative samples).
    """

    network: Any
    size: int
    device: Any
    random: Any = None

    @abstractmethod
    def loss(self, examples: Any) -> Any:
        """Return the loss of a batch, including regularization.

        Parameters
        ----------
        examples : int64 tensor, shape (batch,)
            Indices below ``size``, on the device.

        Returns
        -------
        scalar tensor
        """

    @abstractmethod
    def evaluate(self) -> EpochMetrics:
        """Return the metrics of the current weights; called without gradients, in evaluation mode."""


@dataclass
class History:
    """Metrics of each epoch, and the weights of the best one.

    Parameters
    ----------
    metrics : list of EpochMetrics
    best : int
        Epoch with the lowest validation loss; without a validation set, the last epoch.
    weights : dict of tensors, optional
        Weights of the best epoch, if there is a validation set.
    """

    metrics: list[EpochMetrics] = field(default_factory=list)
    best: int = -1
    weights: Tensors | None = None

    def add(self, metrics: EpochMetrics, network: Any) -> None:
        """Append the metrics of an epoch, and copy its weights if they are the best so far."""
        self.metrics.append(metrics)
        last = len(self.metrics) - 1
        if not metrics.has_validation:
            self.best = last
        elif self.best < 0 or metrics.valid_loss < self.metrics[self.best].valid_loss:
            self.best = last
            self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @property
    def epochs_since_best(self) -> int:
        """Number of epochs since the best one."""
        return len(self.metrics) - 1 - self.best


@dataclass(frozen=True)
class TrainConfig:
    """Parameters of the training loop.

    Parameters
    ----------
    epochs : int
        Maximum number of epochs.
    schedule_epochs : int
        Number of epochs that the learning-rate schedule spans.
    batch_size : int
        Examples per batch.
    learning_rate : float
    schedule : {"constant", "linear", "cosine"}
    patience : int
        Early stopping: epochs without a lower validation loss.
    mixed_precision : bool
        Whether to run matrix products in bfloat16.
    """

    epochs: int
    schedule_epochs: int
    batch_size: int
    learning_rate: float
    schedule: str
    patience: int
    mixed_precision: bool = False


@dataclass
class TrainState:
    """Mutable state of a training run, which a checkpoint saves and restores.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    random : torch.Generator
        Shuffles the examples.
    history : History
    """

    optimizer: Any
    random: Any
    history: History = field(default_factory=History)


def train_network(
    training: TrainingTask,
    config: TrainConfig,
    state: TrainState,
    task: ProgressTask,
    after_epoch: Callable[[TrainState], None] = lambda _: None,
) -> History:
    """Train a network epoch by epoch, continuing from ``state``.

    The network ends with the weights of the best epoch.

    Parameters
    ----------
    training : TrainingTask
    config : TrainConfig
    state : TrainState
    task : ProgressTask
        Counts epochs.
    after_epoch : function of TrainState
        Called after each epoch and its evaluation.

    Raises
    ------
    InvalidParameterError
        If the loss is not finite.
    """
    history = state.history
    while len(history.metrics) < config.epochs and not (
        history.metrics and history.epochs_since_best >= config.patience
    ):
        epoch = len(history.metrics)
        _run_epoch(training, config, state, epoch, task)
        metrics = evaluate(training)
        not_finite = [loss for loss in metrics.losses if not math.isfinite(loss)]
        if not_finite:
            raise InvalidParameterError(
                f"training diverged: the loss of epoch {epoch + 1} is {not_finite[0]}",
                hint="a smaller learning_rate, or more regularization",
            )
        history.add(metrics, training.network)
        after_epoch(state)
        task.step(note=_format_metrics(metrics))
    if history.weights is not None:
        training.network.load_state_dict(history.weights)
    training.network.eval()
    return history


def make_optimizer(optimizer: str | Callable[..., Any], network: Any, learning_rate: float) -> Any:
    """Return a torch optimizer of all trainable weights of a network.

    Parameters
    ----------
    optimizer : str or callable
        A name from ``OPTIMIZERS``, or a callable that takes the weights and ``lr=``, such as a class of
        ``torch.optim``.
    network : torch.nn.Module
    learning_rate : float
    """
    import torch

    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if callable(optimizer):
        return optimizer(weights, lr=learning_rate)
    classes = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adagrad": torch.optim.Adagrad,
        "sgd": torch.optim.SGD,
    }
    # On the CPU the fused kernel replaces a dozen calls per tensor; elsewhere torch's default is best.
    fused = all(weight.device.type == "cpu" for weight in weights) or None
    return classes[optimizer](weights, lr=learning_rate, fused=fused)


def evaluate(training: TrainingTask) -> EpochMetrics:
    """Return the metrics of the current weights."""
    import torch

    training.network.eval()
    with torch.no_grad():
        return training.evaluate()


def _run_epoch(
    training: TrainingTask, config: TrainConfig, state: TrainState, epoch: int, task: ProgressTask
) -> None:
    """Train on all examples once, in a new random order."""
    import torch

    training.network.train()
    order = torch.randperm(training.size, generator=state.random).to(training.device)
    batches = order.split(config.batch_size)
    autocast = torch.autocast(training.device.type, torch.bfloat16, enabled=config.mixed_precision)
    for step, examples in enumerate(batches):
        if step % _BATCHES_PER_STEP == 0:
            task.step(0)  # raises KeyboardInterrupt if the user pressed Ctrl-C
        rate = learning_rate_at(
            config.schedule, config.learning_rate, (epoch + step / len(batches)) / config.schedule_epochs
        )
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        state.optimizer.zero_grad(set_to_none=True)
        with autocast:
            loss = training.loss(examples)
        loss.backward()
        state.optimizer.step()


def _format_metrics(metrics: EpochMetrics) -> str:
    if not metrics.has_validation:
        return f"train RMSE {metrics.train_rmse:.4f}"
    return f"train RMSE {metrics.train_rmse:.4f}, valid RMSE {metrics.valid_rmse:.4f}"
