"""What a model of this room is: the parameters of the loop, and two hooks."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from foretaste._utils.progress import Progress
from foretaste._utils.threads import thread_count
from foretaste.models._sgd import schedule_param
from foretaste.models.base import Model
from foretaste.models.outputs import Floats
from foretaste.models.pytorch._optimizers import OPTIMIZERS, make_optimizer
from foretaste.models.pytorch._session import device_of, require_torch, session
from foretaste.models.pytorch._trainer import History, Learning, Plan, State, learn
from foretaste.models.pytorch.checkpoint import Checkpoint
from foretaste.params import learned, model_class, param
from foretaste.ratings import Ratings

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """The rows of the training ratings to learn from, and those to choose the epoch by.

    Parameters
    ----------
    learned, held : int64 array, increasing
        ``held`` may be empty.
    """

    learned: Rows
    held: Rows


@model_class
class TorchModel(Model):
    """Base of the models that learn with PyTorch: it holds out rows, runs the loop and keeps its history.

    A model writes ``_learning`` (what is learned from what) and ``_keep`` (what of it stays).

    Attributes after ``fit``
    ------------------------
    epochs_ : int
        How many epochs the weights have gone through.
    history_ : dict of lists
        ``train_loss``, ``train_rmse``, ``valid_loss`` and ``valid_rmse`` after each epoch.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "bits_depend_on_threads"})
    extra: ClassVar[str] = "torch"
    draws_alone: ClassVar[bool] = True  # whether its network draws from torch's own random numbers

    epochs: int = param(50, "how many times each rating is visited, at most", low=1)
    batch: int = param(1024, "how many ratings a step looks at", low=1)
    learning_rate: float = param(0.003, "the step of the optimiser", low=0, high=100, open_low=True)
    optimizer: Any = param("adam", "how steps follow from gradients", one_of=OPTIMIZERS, code=True)
    schedule: str = schedule_param("constant")
    early_stopping: float = param(
        0.1,
        "share of the training ratings held out to find the best number of epochs; 0 is off",
        low=0,
        high=0.5,
    )
    patience: int = param(5, "early stopping: how many epochs may pass without a better loss", low=1)
    refit: bool = param(
        True,
        "early stopping: learn again from all ratings, for the best number of epochs; otherwise the best "
        "weights are kept",
    )
    device: str = param(
        "auto", "where to learn; auto is a GPU if there is one", one_of=("auto", "cpu", "cuda", "mps")
    )
    seed: int = param(0, "of the random numbers", low=0)
    threads: int | None = param(
        1,
        "how many threads; None is all. More pay only where a step is much work, and the last bits may "
        "depend on it",
        low=1,
        high=1024,
        optional=True,
    )

    epochs_: int = learned()
    train_loss_: Floats = learned("epochs")
    train_rmse_: Floats = learned("epochs")
    valid_loss_: Floats = learned("validated")
    valid_rmse_: Floats = learned("validated")

    # What a model writes ---------------------------------------------------------------------------

    @abstractmethod
    def _learning(self, train: Ratings, parts: Parts, device: Any) -> Learning:
        """Return what is learned from the rows ``parts.learned``, judged by ``parts.held``."""

    @abstractmethod
    def _keep(self, learning: Learning) -> None:
        """Set the learned attributes from what was learned."""

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        progress: bool | Progress = False,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Self:
        """Learn from ratings.

        Parameters
        ----------
        X, y, sample_weight, progress
            As for every model.
        checkpoint : str or path, optional
            A file to be written after each epoch. If it is there already, because learning was interrupted,
            learning goes on from it, to the same result; it is removed once learning is over.

        Raises
        ------
        MissingExtra
            If PyTorch is not installed.
        BadModelFile
            If ``checkpoint`` is a file, but no checkpoint of this model and these ratings.
        """
        self.__dict__["_checkpoint"] = checkpoint
        try:
            return super().fit(X, y, sample_weight, progress=progress)
        finally:
            del self.__dict__["_checkpoint"]

    def _mixed(self) -> bool:
        """Whether matrix products are computed in bfloat16; in general there are none."""
        return False

    # The rest --------------------------------------------------------------------------------------

    @property
    def history_(self) -> dict[str, list[float]]:
        """Figures after each epoch: of the learning with rows held out, if there was one."""
        self._check_fitted()
        found = {"train_loss": self.train_loss_, "train_rmse": self.train_rmse_}
        found |= (
            {"valid_loss": self.valid_loss_, "valid_rmse": self.valid_rmse_} if len(self.valid_loss_) else {}
        )
        return {name: [float(figure) for figure in values] for name, values in found.items()}

    def _check_extra(self) -> None:
        require_torch(type(self).__name__)

    def _fit(self, train: Ratings, progress: Progress) -> None:
        device, parts = device_of(self.device), self._parts(len(train))
        path = self.__dict__.get("_checkpoint")
        kept = None if path is None else Checkpoint(path, self, train)
        run = _Run(self, train, device, progress, kept)
        history = None if kept is None else kept.history(0)
        learning: Learning | None = None
        if history is None:
            learning, history = run.learn(0, parts, self.epochs, None)
        self.epochs_ = history.best + 1
        if len(parts.held) and self.refit:
            learning = None  # its copy of the ratings goes before the next is made
            everything = Parts(np.arange(len(train)), np.empty(0, np.int64))
            learning, _ = run.learn(1, everything, self.epochs_, history)
        assert learning is not None  # noqa: S101 - one of the two has been done
        self._keep(learning)
        if kept is not None:
            kept.remove()
        for name in ("train_loss", "train_rmse", "valid_loss", "valid_rmse"):
            figures = [getattr(one, name) for one in history.figures]
            told = figures if len(parts.held) or name.startswith("train") else []
            setattr(self, f"{name}_", np.array(told, np.float32))

    def _session(self) -> AbstractContextManager[None]:
        return session(self.seed, thread_count(self.threads), alone=self.draws_alone)

    def _parts(self, n: int) -> Parts:
        """Hold out a share of n rows, but never all."""
        held = min(round(self.early_stopping * n), n - 1)
        shuffled = np.random.default_rng(self.seed).permutation(n)
        return Parts(np.sort(shuffled[held:]), np.sort(shuffled[:held]))


@dataclass(frozen=True)
class _Run:
    """One fit at work."""

    model: TorchModel
    train: Ratings
    device: Any
    progress: Progress
    kept: Checkpoint | None

    def learn(
        self, stage: int, parts: Parts, epochs: int, earlier: History | None
    ) -> tuple[Learning, History]:
        """Learn once, from the beginning or from where a checkpoint of this stage is."""
        import torch

        model, kept = self.model, self.kept
        plan = Plan(
            epochs, model.epochs, model.batch, model.learning_rate, model.schedule, model.patience,
            model._mixed(),
        )  # fmt: skip
        label = f"{type(model).__name__} early stopping" if len(parts.held) else type(model).__name__
        with model._session(), self.progress.task(label, epochs) as task:
            learning = model._learning(self.train, parts, self.device)
            state = State(
                make_optimizer(model.optimizer, learning.network, model.learning_rate),
                torch.Generator().manual_seed(model.seed),
            )
            if kept is None:
                return learning, learn(learning, plan, state, task)
            kept.resume(stage, learning, state)
            task.step(len(state.history.figures))
            return learning, learn(
                learning, plan, state, task, lambda now: kept.write(stage, learning, now, earlier)
            )
