"""Learning that was interrupted, kept after each epoch so that it can go on to the very same result.

A checkpoint is a safetensors file: the weights, those of the best epoch, what the optimiser knows and the
states of the random numbers; its metadata is one JSON text. It is there only while learning is unfinished.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretaste._utils.files import atomic_write
from foretaste.errors import ModelFileError
from foretaste.models.pytorch._trainer import EpochMetrics, History, TrainingTask, TrainState
from foretaste.models.spec import params_as_json
from foretaste.ratings import Ratings

if TYPE_CHECKING:
    from foretaste.models.pytorch._base import TorchModel

_KEY = "foretaste checkpoint"
_IGNORED_PARAMS = ("clip", "device", "threads")  # parameters that may be others when learning goes on


class Checkpoint:
    """The file of one fit.

    Parameters
    ----------
    path : str or path
    model : TorchModel
    train : Ratings
        Learning goes on only for this model and these ratings, in this order of rows.

    Raises
    ------
    ModelFileError
        If there is a file that is no checkpoint, or one of another model or other ratings.
    """

    def __init__(self, path: Any, model: TorchModel, train: Ratings) -> None:
        self.path = Path(path)
        params = {name: value for name, value in params_as_json(model).items() if name not in _IGNORED_PARAMS}
        rows = zlib.crc32(train.item.tobytes(), zlib.crc32(train.user.tobytes()))
        self.identity = {
            "model": type(model).__name__,
            "params": params,
            "fingerprint": model.fingerprint_,
            "rows": rows,
        }
        self.uses_global_rng = model.uses_global_rng  # whether it draws from torch's own random numbers
        self.header: dict[str, Any] = {"stage": -1}
        self.tensors: dict[str, Any] = {}
        if self.path.exists():
            self._load()

    def _load(self) -> None:
        from safetensors import SafetensorError, safe_open

        fix = "another name, or remove the file to begin anew"
        try:
            with safe_open(self.path, framework="pt") as file:
                header = json.loads((file.metadata() or {})[_KEY])
                self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            names = {"model": "model", "params": "parameters", "fingerprint": "ratings", "rows": "rows"}
            mismatches = [
                name for key, name in names.items() if header["identity"][key] != self.identity[key]
            ]
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise ModelFileError(f"{self.path} is damaged or no checkpoint", hint=fix) from error
        if mismatches:
            raise ModelFileError(f"{self.path} is a checkpoint of other {mismatches[0]}", hint=fix)
        self.header = header

    def stage_history(self, stage: int) -> History | None:
        """Return the figures of a stage that is over, or None."""
        if self.header["stage"] <= stage:
            return None
        return _history_from_json(self.header["previous_history"])

    def resume(self, stage: int, training: TrainingTask, state: TrainState) -> None:
        """Give network, random numbers and state what they were, if the file was written in this stage."""
        import torch

        if self.header["stage"] != stage:
            return
        try:
            training.network.load_state_dict(self._tensors_with_prefix("network."))
            state_dict = state.optimizer.state_dict()
            optimizer_state = {int(index): dict(values) for index, values in self.header["optimizer"].items()}
            for name, tensor in self._tensors_with_prefix("optimizer.").items():
                index, _, key = name.partition(".")
                optimizer_state[int(index)][key] = tensor
            state.optimizer.load_state_dict(
                {"state": optimizer_state, "param_groups": state_dict["param_groups"]}
            )
            state.random.set_state(self.tensors["order_rng"])
            if self.uses_global_rng:
                torch.set_rng_state(self.tensors["global_rng"])
            if training.random is not None:
                training.random.set_state(self.tensors["task_rng"])
            state.history = _history_from_json(self.header["history"])
            state.history.weights = self._tensors_with_prefix("best.") or None
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise ModelFileError(
                f"{self.path} is damaged: {error}", hint="remove the file to begin anew"
            ) from error

    def save(
        self, stage: int, training: TrainingTask, state: TrainState, previous_history: History | None
    ) -> None:
        """Keep what there is after an epoch; ``previous_history`` is the history of the stage before this one."""
        import torch
        from safetensors.torch import save_file

        tensors = {f"network.{name}": value for name, value in training.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in (state.history.weights or {}).items()}
        optimizer_state: dict[int, dict[str, Any]] = {}
        for index, values in state.optimizer.state_dict()["state"].items():
            optimizer_state[index] = {
                key: value for key, value in values.items() if not isinstance(value, torch.Tensor)
            }
            tensors |= {
                f"optimizer.{index}.{key}": value
                for key, value in values.items()
                if isinstance(value, torch.Tensor)
            }
        tensors |= {"order_rng": state.random.get_state()}
        tensors |= {"global_rng": torch.get_rng_state()} if self.uses_global_rng else {}
        tensors |= {} if training.random is None else {"task_rng": training.random.get_state()}
        header = {
            "identity": self.identity,
            "stage": stage,
            "optimizer": optimizer_state,
            "history": _history_to_json(state.history),
            "previous_history": None if previous_history is None else _history_to_json(previous_history),
        }
        # One tensor each: safetensors refuses those that share memory.
        copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        with atomic_write(self.path) as partial:
            save_file(copies, partial, metadata={_KEY: json.dumps(header)})

    def remove(self) -> None:
        """Remove the file: learning is over."""
        self.path.unlink(missing_ok=True)

    def _tensors_with_prefix(self, prefix: str) -> dict[str, Any]:
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def _history_to_json(history: History) -> dict[str, Any]:
    metrics = [
        {name: None if math.isnan(value) else value for name, value in asdict(epoch).items()}
        for epoch in history.metrics
    ]
    return {"metrics": metrics, "best": history.best}


def _history_from_json(data: dict[str, Any]) -> History:
    metrics = [
        EpochMetrics(**{name: math.nan if value is None else value for name, value in epoch.items()})
        for epoch in data["metrics"]
    ]
    return History(metrics, data["best"])
