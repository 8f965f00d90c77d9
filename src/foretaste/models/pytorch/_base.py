"""What a model of this room is: the parameters of the loop, and two hooks."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.models._sgd import schedule_param
from foretaste.models.base import Model
from foretaste.models.pytorch._optimizers import OPTIMIZERS, make_optimizer
from foretaste.models.pytorch._session import require_torch, resolve_device, torch_session
from foretaste.models.pytorch._trainer import History, TrainConfig, TrainingTask, TrainState, train_network
from foretaste.models.pytorch.checkpoint import Checkpoint
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array, Int64Array


@dataclass(frozen=True)
class TrainValidRows:
    """The rows of the training ratings to learn from, and those to choose the epoch by.

    Parameters
    ----------
    train, valid : int64 array, increasing
        ``valid`` may be empty.
    """

    train: Int64Array
    valid: Int64Array


@estimator
class TorchModel(Model):
    """Base of the models that learn with PyTorch: it holds out rows, runs the loop and keeps its history.

    A model writes ``_make_training_task`` (what is learned from what) and ``_set_fitted`` (what of it stays).

    Attributes after ``fit``
    ------------------------
    epochs_ : int
        How many epochs the weights have gone through.
    history_ : dict of lists
        ``train_loss``, ``train_rmse``, ``valid_loss`` and ``valid_rmse`` after each epoch.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "bits_depend_on_threads"})
    extra: ClassVar[str] = "torch"
    uses_global_rng: ClassVar[bool] = True  # whether its network draws from torch's own random numbers

    epochs: int = param(50, "how many times each rating is visited, at most", low=1)
    batch_size: int = param(1024, "how many ratings a step looks at", low=1)
    learning_rate: float = param(0.003, "the step of the optimiser", low=0, high=100, exclusive_low=True)
    optimizer: Any = param("adam", "how steps follow from gradients", choices=OPTIMIZERS, allow_callable=True)
    schedule: str = schedule_param("constant")
    validation_fraction: float = param(
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
        "auto", "where to learn; auto is a GPU if there is one", choices=("auto", "cpu", "cuda", "mps")
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

    epochs_: int = fitted_attribute()
    train_loss_: Float32Array = fitted_attribute("epochs")
    train_rmse_: Float32Array = fitted_attribute("epochs")
    valid_loss_: Float32Array = fitted_attribute("validated")
    valid_rmse_: Float32Array = fitted_attribute("validated")

    # What a model writes ---------------------------------------------------------------------------

    @abstractmethod
    def _make_training_task(self, train: Ratings, split: TrainValidRows, device: Any) -> TrainingTask:
        """Return what is learned from the rows ``parts.learned``, judged by ``parts.held``."""

    @abstractmethod
    def _set_fitted(self, training: TrainingTask) -> None:
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
        MissingDependencyError
            If PyTorch is not installed.
        ModelFileError
            If ``checkpoint`` is a file, but no checkpoint of this model and these ratings.
        """
        self.__dict__["_checkpoint"] = checkpoint
        try:
            return super().fit(X, y, sample_weight, progress=progress)
        finally:
            del self.__dict__["_checkpoint"]

    def _uses_mixed_precision(self) -> bool:
        """Whether matrix products are computed in bfloat16; in general there are none."""
        return False

    # The rest --------------------------------------------------------------------------------------

    @property
    def history_(self) -> dict[str, list[float]]:
        """Figures after each epoch: of the learning with rows held out, if there was one."""
        self.check_fitted()
        curves = {"train_loss": self.train_loss_, "train_rmse": self.train_rmse_}
        curves |= (
            {"valid_loss": self.valid_loss_, "valid_rmse": self.valid_rmse_} if len(self.valid_loss_) else {}
        )
        return {name: [float(value) for value in values] for name, values in curves.items()}

    def _check_extra(self) -> None:
        require_torch(type(self).__name__)

    def _fit(self, train: Ratings, progress: Progress) -> None:
        device, split = resolve_device(self.device), self._split_rows(len(train))
        path = self.__dict__.get("_checkpoint")
        checkpoint = None if path is None else Checkpoint(path, self, train)
        run = _TrainingRun(self, train, device, progress, checkpoint)
        history = None if checkpoint is None else checkpoint.stage_history(0)
        training: TrainingTask | None = None
        if history is None:
            training, history = run.run_stage(0, split, self.epochs, None)
        self.epochs_ = history.best + 1
        if len(split.valid) and self.refit:
            training = None  # its copy of the ratings goes before the next is made
            all_rows = TrainValidRows(np.arange(len(train)), np.empty(0, np.int64))
            training, _ = run.run_stage(1, all_rows, self.epochs_, history)
        assert training is not None  # noqa: S101 - one of the two has been done
        self._set_fitted(training)
        if checkpoint is not None:
            checkpoint.remove()
        for name in ("train_loss", "train_rmse", "valid_loss", "valid_rmse"):
            values = [getattr(epoch, name) for epoch in history.metrics]
            curve = values if len(split.valid) or name.startswith("train") else []
            setattr(self, f"{name}_", np.array(curve, np.float32))

    def _session(self) -> AbstractContextManager[None]:
        return torch_session(self.seed, resolve_threads(self.threads), exclusive_rng=self.uses_global_rng)

    def _split_rows(self, n: int) -> TrainValidRows:
        """Hold out a share of n rows, but never all."""
        n_valid = min(round(self.validation_fraction * n), n - 1)
        shuffled = np.random.default_rng(self.seed).permutation(n)
        return TrainValidRows(np.sort(shuffled[n_valid:]), np.sort(shuffled[:n_valid]))


@dataclass(frozen=True)
class _TrainingRun:
    """One fit at work."""

    model: TorchModel
    train: Ratings
    device: Any
    progress: Progress
    checkpoint: Checkpoint | None

    def run_stage(
        self, stage: int, split: TrainValidRows, epochs: int, previous_history: History | None
    ) -> tuple[TrainingTask, History]:
        """Learn once, from the beginning or from where a checkpoint of this stage is."""
        import torch

        model, checkpoint = self.model, self.checkpoint
        config = TrainConfig(
            epochs, model.epochs, model.batch_size, model.learning_rate, model.schedule, model.patience,
            model._uses_mixed_precision(),
        )  # fmt: skip
        label = f"{type(model).__name__} early stopping" if len(split.valid) else type(model).__name__
        with model._session(), self.progress.start_task(label, epochs) as task:
            training = model._make_training_task(self.train, split, self.device)
            state = TrainState(
                make_optimizer(model.optimizer, training.network, model.learning_rate),
                torch.Generator().manual_seed(model.seed),
            )
            if checkpoint is None:
                return training, train_network(training, config, state, task)
            checkpoint.resume(stage, training, state)
            task.step(len(state.history.metrics))
            return training, train_network(
                training,
                config,
                state,
                task,
                lambda current: checkpoint.save(stage, training, current, previous_history),
            )
