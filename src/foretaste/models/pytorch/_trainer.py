"""The loop by which every model of this room learns.

A ``Learning`` holds what is learned and the examples, on the device; ``learn`` goes through them in batches,
judges after each epoch, and keeps the best. Batches are gathered from tensors, never item by item.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from foretaste._utils.progress import Task
from foretaste.errors import InvalidParameter
from foretaste.models._sgd import rate_at

Tensors = dict[str, Any]

_BATCHES_A_STEP = 64  # between two looks at whether the work is still wanted


@dataclass(frozen=True)
class Figures:
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
    def validated(self) -> bool:
        """Whether there are validation rows."""
        return not math.isnan(self.valid_rmse)

    @property
    def losses(self) -> tuple[float, ...]:
        """The loss of each part that there is."""
        return (self.train_loss, self.valid_loss) if self.validated else (self.train_loss,)


class Learning(ABC):
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
    def judge(self) -> Figures:
        """Return how good the weights are now; called without gradients, the network in evaluation mode."""


@dataclass
class History:
    """What became of the figures, epoch by epoch, and the weights of the best one.

    Parameters
    ----------
    figures : list of Figures
    best : int
        The best epoch by the loss of validation rows; without such rows, the last.
    weights : dict of tensors, optional
        Of the best epoch, if there are validation rows.
    """

    figures: list[Figures] = field(default_factory=list)
    best: int = -1
    weights: Tensors | None = None

    def add(self, now: Figures, network: Any) -> None:
        """Take in one more epoch, and its weights if they are the best so far."""
        self.figures.append(now)
        last = len(self.figures) - 1
        if not now.validated:
            self.best = last
        elif self.best < 0 or now.valid_loss < self.figures[self.best].valid_loss:
            self.best = last
            self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @property
    def waited(self) -> int:
        """How many epochs have passed since the best one."""
        return len(self.figures) - 1 - self.best


@dataclass(frozen=True)
class Plan:
    """How to learn: the parameters of the loop.

    Parameters
    ----------
    epochs : int
        How many epochs to go through at most.
    whole : int
        How many epochs the schedule of the learning rate is made for.
    batch : int
        Examples a step.
    learning_rate : float
    schedule : {"constant", "linear", "cosine"}
    patience : int
        How many epochs may pass without a better loss of the validation rows, if there are any.
    mixed_precision : bool
    """

    epochs: int
    whole: int
    batch: int
    learning_rate: float
    schedule: str
    patience: int
    mixed_precision: bool = False


@dataclass
class State:
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


def learn(
    learning: Learning,
    plan: Plan,
    state: State,
    task: Task,
    after_epoch: Callable[[State], None] = lambda _: None,
) -> History:
    """Go through the examples epoch after epoch, from where ``state`` is.

    At the end the network has the weights of the best epoch.

    Parameters
    ----------
    learning : Learning
    plan : Plan
    state : State
    task : Task
        Counts epochs.
    after_epoch : function of State
        Called once an epoch is over and judged.

    Raises
    ------
    InvalidParameter
        If the loss is no finite number any more.
    """
    history = state.history
    while len(history.figures) < plan.epochs and not (history.figures and history.waited >= plan.patience):
        epoch = len(history.figures)
        _epoch(learning, plan, state, epoch, task)
        now = judged(learning)
        wrong = [loss for loss in now.losses if not math.isfinite(loss)]
        if wrong:
            loss = f"the loss of epoch {epoch + 1} is {wrong[0]}"
            raise InvalidParameter(
                f"learning does not settle on finite numbers: {loss}",
                hint="a smaller learning_rate, or more regularization",
            )
        history.add(now, learning.network)
        after_epoch(state)
        task.step(note=_note(now))
    if history.weights is not None:
        learning.network.load_state_dict(history.weights)
    learning.network.eval()
    return history


def judged(learning: Learning) -> Figures:
    """Return how good the weights are now."""
    import torch

    learning.network.eval()
    with torch.no_grad():
        return learning.judge()


def _epoch(learning: Learning, plan: Plan, state: State, epoch: int, task: Task) -> None:
    """Go through all examples once, in an order drawn anew."""
    import torch

    learning.network.train()
    order = torch.randperm(learning.size, generator=state.random).to(learning.device)
    batches = order.split(plan.batch)
    mixed = torch.autocast(learning.device.type, torch.bfloat16, enabled=plan.mixed_precision)
    for place, examples in enumerate(batches):
        if place % _BATCHES_A_STEP == 0:
            task.step(0)  # where Ctrl-C reaches a thread
        rate = rate_at(plan.schedule, plan.learning_rate, (epoch + place / len(batches)) / plan.whole)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        state.optimizer.zero_grad(set_to_none=True)
        with mixed:
            loss = learning.loss(examples)
        loss.backward()
        state.optimizer.step()


def _note(now: Figures) -> str:
    if not now.validated:
        return f"train RMSE {now.train_rmse:.4f}"
    return f"train RMSE {now.train_rmse:.4f}, valid RMSE {now.valid_rmse:.4f}"
