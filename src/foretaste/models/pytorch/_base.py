"""Base classes of the PyTorch models: training parameters, validation split, early stopping and refit."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import dot_pairs
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.models._factor_model import FactorModel
from foretaste.models._sgd import schedule_param
from foretaste.models.base import Model
from foretaste.models.pytorch._session import require_torch, resolve_device, torch_session
from foretaste.models.pytorch._trainer import (
    OPTIMIZERS,
    History,
    TrainConfig,
    TrainingTask,
    TrainState,
    make_optimizer,
    train_network,
)
from foretaste.models.pytorch.checkpoint import Checkpoint
from foretaste.models.spec import params_as_json
from foretaste.params import estimator, fitted_attribute, param, seed_param
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array, Int64Array


@dataclass(frozen=True)
class TrainValidRows:
    """Rows of the training ratings, split into a training and a validation set.

    Parameters
    ----------
    train, valid : int64 array, increasing
        ``valid`` may be empty.
    """

    train: Int64Array
    valid: Int64Array


@estimator
class TorchModel(Model):
    """Base of the PyTorch models: holds out a validation set, runs the training loop and stores its history.

    A subclass implements ``_make_training_task`` (network, examples and loss) and ``_set_fitted`` (the fitted
    attributes).

    Attributes after ``fit``
    ------------------------
    epochs_ : int
        Number of epochs that the weights were trained for.
    history_ : dict of lists
        ``train_loss``, ``train_rmse``, ``valid_loss`` and ``valid_rmse`` after each epoch.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "bits_depend_on_threads"})
    extra: ClassVar[str] = "torch"
    uses_global_rng: ClassVar[bool] = True  # whether the network uses torch's global random generator

    epochs: int = param(50, "maximum number of epochs", low=1)
    batch_size: int = param(1024, "ratings per batch", low=1)
    learning_rate: float = param(0.003, "learning rate of the optimizer", low=0, high=100, exclusive_low=True)
    optimizer: Any = param(
        "adam", "optimizer: a name or a torch.optim class", choices=OPTIMIZERS, allow_callable=True
    )
    schedule: str = schedule_param("constant")
    validation_fraction: float = param(
        0.1,
        "fraction of the training ratings held out for early stopping; 0 turns it off",
        low=0,
        high=0.5,
    )
    patience: int = param(5, "early stopping: epochs without a lower validation loss", low=1)
    refit: bool = param(
        True,
        "early stopping: refit on all ratings for the best number of epochs; otherwise keep the best weights",
    )
    device: str = param(
        "auto",
        "device to train on; auto takes a CUDA GPU if available",
        choices=("auto", "cpu", "cuda", "mps"),
    )
    seed: int = seed_param()
    threads: int | None = param(
        1,
        "number of threads; None uses all cores. More than one pays only for large batches or networks, and "
        "may change the last bits of the result",
        low=1,
        high=1024,
        optional=True,
    )

    epochs_: int = fitted_attribute()
    train_loss_: Float32Array = fitted_attribute("epochs")
    train_rmse_: Float32Array = fitted_attribute("epochs")
    valid_loss_: Float32Array = fitted_attribute("valid_epochs")
    valid_rmse_: Float32Array = fitted_attribute("valid_epochs")

    # Implemented by a subclass ---------------------------------------------------------------------

    @abstractmethod
    def _make_training_task(self, train: Ratings, split: TrainValidRows, device: Any) -> TrainingTask:
        """Return the task that trains on the rows ``split.train`` and validates on ``split.valid``."""

    @abstractmethod
    def _set_fitted(self, training: TrainingTask) -> None:
        """Set the fitted attributes from a finished training task."""

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        progress: bool | Progress = False,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Self:
        """Train on ratings.

        Parameters
        ----------
        X, y, sample_weight, progress
            As for every model.
        checkpoint : str or path, optional
            File written after each epoch. If it exists, training resumes from it and gives the same result
            as an uninterrupted run; it is removed once training has finished.

        Raises
        ------
        MissingDependencyError
            If PyTorch is not installed.
        ModelFileError
            If ``checkpoint`` exists and is not a checkpoint of this model and these ratings.
        """
        self.__dict__["_checkpoint"] = checkpoint
        try:
            return super().fit(X, y, sample_weight, progress=progress)
        finally:
            del self.__dict__["_checkpoint"]

    def _uses_mixed_precision(self) -> bool:
        """Whether matrix products run in bfloat16; without a network there are none."""
        return False

    # Shared implementation -------------------------------------------------------------------------

    @property
    def history_(self) -> dict[str, list[float]]:
        """Losses and RMSE per epoch; of the run with a validation set, if there was one."""
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
        checkpoint = None if path is None else self._open_checkpoint(path, train)
        run = _TrainingRun(self, train, device, progress, checkpoint)
        history = None if checkpoint is None else checkpoint.stage_history(0)
        training: TrainingTask | None = None
        if history is None:
            training, history = run.run_stage(0, split, self.epochs, None)
        self.epochs_ = history.best + 1
        if len(split.valid) and self.refit:
            training = None  # frees its copy of the ratings before the next is made
            all_rows = TrainValidRows(np.arange(len(train)), np.empty(0, np.int64))
            training, _ = run.run_stage(1, all_rows, self.epochs_, history)
        assert training is not None  # noqa: S101 - one of the two stages has run
        self._set_fitted(training)
        if checkpoint is not None:
            checkpoint.remove()
        for name in ("train_loss", "train_rmse", "valid_loss", "valid_rmse"):
            values = [getattr(epoch, name) for epoch in history.metrics]
            curve = values if len(split.valid) or name.startswith("train") else []
            setattr(self, f"{name}_", np.array(curve, np.float32))

    def _open_checkpoint(self, path: str | PathLike[str], train: Ratings) -> Checkpoint:
        identity = {
            "model": type(self).__name__,
            "params": params_as_json(self),
            "fingerprint": self.fingerprint_,
            "rows": zlib.crc32(train.item.tobytes(), zlib.crc32(train.user.tobytes())),
        }
        return Checkpoint(path, identity, uses_global_rng=self.uses_global_rng)

    def _session(self) -> AbstractContextManager[None]:
        return torch_session(self.seed, resolve_threads(self.threads), exclusive_rng=self.uses_global_rng)

    def _split_rows(self, n: int) -> TrainValidRows:
        """Hold out ``validation_fraction`` of n rows for validation, but never all."""
        n_valid = min(round(self.validation_fraction * n), n - 1)
        shuffled = np.random.default_rng(self.seed).permutation(n)
        return TrainValidRows(np.sort(shuffled[n_valid:]), np.sort(shuffled[:n_valid]))


@estimator
class LinearTorchModel(FactorModel, TorchModel):
    """A ``FactorModel`` that needs torch only for training.

    After training, biases and factors of all known users and items are computed once, so that prediction,
    top-N and similar items work as for any factor model, without a network.
    """

    def training_rmse(self) -> float:
        return float(self.train_rmse_[self.epochs_ - 1])  # not the last: the best epoch is what stays

    def _predict_from(
        self,
        user: Any,
        item: Any,
        factors: tuple[Float32Array, Float32Array],
        biases: tuple[Float32Array, Float32Array],
    ) -> Float32Array:
        """Predict with these factors and biases instead of the model's; an index of -1 has zeros for both."""
        return self._to_rating(dot_pairs(user, item, *factors, *biases, 0.0, resolve_threads(self.threads)))


def to_numpy(tensor: Any) -> Float32Array:
    """Return a tensor as a contiguous float32 array."""
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


@dataclass(frozen=True)
class _TrainingRun:
    """One call of ``fit``: up to two stages of training, with an optional checkpoint."""

    model: TorchModel
    train: Ratings
    device: Any
    progress: Progress
    checkpoint: Checkpoint | None

    def run_stage(
        self, stage: int, split: TrainValidRows, epochs: int, previous_history: History | None
    ) -> tuple[TrainingTask, History]:
        """Train once, from scratch or from the checkpoint if it belongs to this stage."""
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

            def save_checkpoint(current: TrainState) -> None:
                checkpoint.save(stage, training, current, previous_history)

            return training, train_network(training, config, state, task, save_checkpoint)
