"""The loop by which every model of this room learns.

A ``TrainingTask`` holds what is learned and the examples, on the device; ``train_network`` goes through them in batches,
judges after each epoch, and keeps the best. Batches are gathered from tensors, never item by item.
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

_BATCHES_PER_STEP = 64  # between two looks at whether the work is still wanted


@dataclass(frozen=True)
class EpochMetrics:
    """How good the weights are at the end of an epoch.

    Parameters
    ----------
    train_loss, valid_loss : float
        The mean loss of a rating, without what regularization adds; that of validation rows is NaN if there
        are none.
    train_rmse, valid_rmse : float
        In rating units; that of validation rows is NaN if there are none.
    """

    train_loss: float
    train_rmse: float
    valid_loss: float = math.nan
    valid_rmse: float = math.nan

    @property
    def has_validation(self) -> bool:
        """Whether there are validation rows."""
        return not math.isnan(self.valid_rmse)

    @property
    def losses(self) -> tuple[float, ...]:
        """The loss of each part that there is."""
        return (self.train_loss, self.valid_loss) if self.has_validation else (self.train_loss,)


class TrainingTask(ABC):
    """What is learned from what: a network and its examples, on one device.

    Attributes
    ----------
    network : torch.nn.Module
        Everything that has weights.
    size : int
        How many examples there are to learn from in an epoch (ratings; or users, or items).
    device : torch.device
    random : torch.Generator, optional
        What it draws from itself while it learns.
    """

    network: Any
    size: int
    device: Any
    random: Any = None

    @abstractmethod
    def loss(self, examples: Any) -> Any:
        """Return what a step makes smaller, regularization included.

        Parameters
        ----------
        examples : int64 tensor, shape (batch,)
            Numbers below ``size``, on the device.

        Returns
        -------
        tensor, one number
        """

    @abstractmethod
    def evaluate(self) -> EpochMetrics:
        """Return how good the weights are now; called without gradients, the network in evaluation mode."""


@dataclass
class History:
    """What became of the figures, epoch by epoch, and the weights of the best one.

    Parameters
    ----------
    metrics : list of Figures
    best : int
        The best epoch by the loss of validation rows; without such rows, the last.
    weights : dict of tensors, optional
        Of the best epoch, if there are validation rows.
    """

    metrics: list[EpochMetrics] = field(default_factory=list)
    best: int = -1
    weights: Tensors | None = None

    def add(self, metrics: EpochMetrics, network: Any) -> None:
        """Take in one more epoch, and its weights if they are the best so far."""
        self.metrics.append(metrics)
        last = len(self.metrics) - 1
        if not metrics.has_validation:
            self.best = last
        elif self.best < 0 or metrics.valid_loss < self.metrics[self.best].valid_loss:
            self.best = last
            self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @property
    def epochs_since_best(self) -> int:
        """How many epochs have passed since the best one."""
        return len(self.metrics) - 1 - self.best


@dataclass(frozen=True)
class TrainConfig:
    """How to learn: the parameters of the loop.

    Parameters
    ----------
    epochs : int
        How many epochs to go through at most.
    schedule_epochs : int
        How many epochs the schedule of the learning rate is made for.
    batch_size : int
        Examples a step.
    learning_rate : float
    schedule : {"constant", "linear", "cosine"}
    patience : int
        How many epochs may pass without a better loss of the validation rows, if there are any.
    mixed_precision : bool
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
    """Everything that changes while learning, so that it can be kept and gone on with.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    random : torch.Generator
        Of the order of the examples.
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
    """Go through the examples epoch after epoch, from where ``state`` is.

    At the end the network has the weights of the best epoch.

    Parameters
    ----------
    training : Learning
    config : Plan
    state : State
    task : Task
        Counts epochs.
    after_epoch : function of State
        Called once an epoch is over and judged.

    Raises
    ------
    InvalidParameterError
        If the loss is no finite number any more.
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
            loss = f"the loss of epoch {epoch + 1} is {not_finite[0]}"
            raise InvalidParameterError(
                f"learning does not settle on finite numbers: {loss}",
                hint="a smaller learning_rate, or more regularization",
            )
        history.add(metrics, training.network)
        after_epoch(state)
        task.step(note=_format_metrics(metrics))
    if history.weights is not None:
        training.network.load_state_dict(history.weights)
    training.network.eval()
    return history


def evaluate(training: TrainingTask) -> EpochMetrics:
    """Return how good the weights are now."""
    import torch

    training.network.eval()
    with torch.no_grad():
        return training.evaluate()


def _run_epoch(
    training: TrainingTask, config: TrainConfig, state: TrainState, epoch: int, task: ProgressTask
) -> None:
    """Go through all examples once, in an order drawn anew."""
    import torch

    training.network.train()
    order = torch.randperm(training.size, generator=state.random).to(training.device)
    batches = order.split(config.batch_size)
    autocast = torch.autocast(training.device.type, torch.bfloat16, enabled=config.mixed_precision)
    for step, examples in enumerate(batches):
        if step % _BATCHES_PER_STEP == 0:
            task.step(0)  # where Ctrl-C reaches a thread
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
