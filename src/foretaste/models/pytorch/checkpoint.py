"""Checkpoints of a training run, from which it resumes to bit-identical results.

A checkpoint is a safetensors file written after each epoch: current weights, weights of the best epoch,
optimizer state and random states; its metadata is one JSON string. It exists only until training finishes.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from foretaste._utils.files import atomic_write
from foretaste.errors import ModelFileError
from foretaste.models.pytorch._trainer import EpochMetrics, History, TrainingTask, TrainState

_KEY = "foretaste checkpoint"
_IGNORED_PARAMS = ("clip", "device", "threads")  # parameters that may differ when training resumes
_NAMES = {"model": "model", "params": "parameters", "fingerprint": "ratings", "rows": "rows"}


class Checkpoint:
    """Checkpoint file of one ``fit``.

    Parameters
    ----------
    path : str or path
    identity : dict
        ``model``, ``params``, ``fingerprint`` of the ratings and ``rows``, a checksum of their order.
        Training resumes only where all of them are equal, but for a few parameters that change no result.
    uses_global_rng : bool
        Whether the network uses torch's global generator, whose state is then saved, too.

    Raises
    ------
    ModelFileError
        If the file exists and is not a checkpoint, or is one of another model or other ratings.
    """

    def __init__(self, path: str | PathLike[str], identity: dict[str, Any], *, uses_global_rng: bool) -> None:
        self.path = Path(path)
        params = {k: v for k, v in identity["params"].items() if k not in _IGNORED_PARAMS}
        self.identity = identity | {"params": params}
        self.uses_global_rng = uses_global_rng
        self.header: dict[str, Any] = {"stage": -1}
        self.tensors: dict[str, Any] = {}
        if self.path.exists():
            self._load()

    def _load(self) -> None:
        from safetensors import SafetensorError, safe_open

        hint = "another file name, or remove the file to start over"
        try:
            with safe_open(self.path, framework="pt") as file:
                header = json.loads((file.metadata() or {})[_KEY])
                self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            mismatches = [
                name for key, name in _NAMES.items() if header["identity"][key] != self.identity[key]
            ]
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise ModelFileError(f"{self.path} is corrupt or not a checkpoint", hint=hint) from error
        if mismatches:
            raise ModelFileError(f"{self.path} is a checkpoint of other {mismatches[0]}", hint=hint)
        self.header = header

    def stage_history(self, stage: int) -> History | None:
        """Return the history of a finished stage, or None if it has not finished."""
        if self.header["stage"] <= stage:
            return None
        return _history_from_json(self.header["previous_history"])

    def resume(self, stage: int, training: TrainingTask, state: TrainState) -> None:
        """Restore network, random states and training state, if the file was written in this stage."""
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
                f"{self.path} is corrupt: {error}", hint="remove the file to start over"
            ) from error

    def save(
        self, stage: int, training: TrainingTask, state: TrainState, previous_history: History | None
    ) -> None:
        """Save the state after an epoch; ``previous_history`` is that of the stage before this one."""
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
        # A copy each: safetensors refuses tensors that share memory.
        copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        with atomic_write(self.path) as partial:
            save_file(copies, partial, metadata={_KEY: json.dumps(header)})

    def remove(self) -> None:
        """Remove the file once training has finished."""
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
