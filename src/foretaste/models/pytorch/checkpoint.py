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
from foretaste.errors import BadModelFile
from foretaste.models.pytorch._trainer import Figures, History, Learning, State
from foretaste.models.spec import params_as_json
from foretaste.ratings import Ratings

if TYPE_CHECKING:
    from foretaste.models.pytorch._base import TorchModel

_KEY = "foretaste checkpoint"
_FREE = ("clip", "device", "threads")  # parameters that may be others when learning goes on


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
    BadModelFile
        If there is a file that is no checkpoint, or one of another model or other ratings.
    """

    def __init__(self, path: Any, model: TorchModel, train: Ratings) -> None:
        self.path = Path(path)
        params = {name: value for name, value in params_as_json(model).items() if name not in _FREE}
        rows = zlib.crc32(train.item.tobytes(), zlib.crc32(train.user.tobytes()))
        self.of = {
            "model": type(model).__name__,
            "params": params,
            "fingerprint": model.fingerprint_,
            "rows": rows,
        }
        self.shared = model.draws_alone  # whether it draws from torch's own random numbers
        self.header: dict[str, Any] = {"stage": -1}
        self.tensors: dict[str, Any] = {}
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        from safetensors import SafetensorError, safe_open

        another = "another name, or remove the file to begin anew"
        try:
            with safe_open(self.path, framework="pt") as file:
                header = json.loads((file.metadata() or {})[_KEY])
                self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            names = {"model": "model", "params": "parameters", "fingerprint": "ratings", "rows": "rows"}
            others = [name for key, name in names.items() if header["of"][key] != self.of[key]]
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise BadModelFile(f"{self.path} is damaged or no checkpoint", hint=another) from error
        if others:
            raise BadModelFile(f"{self.path} is a checkpoint of other {others[0]}", hint=another)
        self.header = header

    def history(self, stage: int) -> History | None:
        """Return the figures of a stage that is over, or None."""
        if self.header["stage"] <= stage:
            return None
        return _history(self.header["earlier"])

    def resume(self, stage: int, learning: Learning, state: State) -> None:
        """Give network, random numbers and state what they were, if the file was written in this stage."""
        import torch

        if self.header["stage"] != stage:
            return
        try:
            learning.network.load_state_dict(self._named("network."))
            known = state.optimizer.state_dict()
            numbers = {int(place): dict(found) for place, found in self.header["optimizer"].items()}
            for name, tensor in self._named("optimizer.").items():
                place, _, key = name.partition(".")
                numbers[int(place)][key] = tensor
            state.optimizer.load_state_dict({"state": numbers, "param_groups": known["param_groups"]})
            state.random.set_state(self.tensors["random"])
            if self.shared:
                torch.set_rng_state(self.tensors["drawn"])
            if learning.random is not None:
                learning.random.set_state(self.tensors["own"])
            state.history = _history(self.header["history"])
            state.history.weights = self._named("best.") or None
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise BadModelFile(
                f"{self.path} is damaged: {error}", hint="remove the file to begin anew"
            ) from error

    def write(self, stage: int, learning: Learning, state: State, earlier: History | None) -> None:
        """Keep what there is after an epoch; ``earlier`` is the history of the stage before this one."""
        import torch
        from safetensors.torch import save_file

        tensors = {f"network.{name}": value for name, value in learning.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in (state.history.weights or {}).items()}
        numbers: dict[int, dict[str, Any]] = {}
        for place, found in state.optimizer.state_dict()["state"].items():
            numbers[place] = {
                key: value for key, value in found.items() if not isinstance(value, torch.Tensor)
            }
            tensors |= {
                f"optimizer.{place}.{key}": value
                for key, value in found.items()
                if isinstance(value, torch.Tensor)
            }
        tensors |= {"random": state.random.get_state()}
        tensors |= {"drawn": torch.get_rng_state()} if self.shared else {}
        tensors |= {} if learning.random is None else {"own": learning.random.get_state()}
        header = {
            "of": self.of,
            "stage": stage,
            "optimizer": numbers,
            "history": _as_json(state.history),
            "earlier": None if earlier is None else _as_json(earlier),
        }
        # One tensor each: safetensors refuses those that share memory.
        copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        with atomic_write(self.path) as partial:
            save_file(copies, partial, metadata={_KEY: json.dumps(header)})

    def remove(self) -> None:
        """Remove the file: learning is over."""
        self.path.unlink(missing_ok=True)

    def _named(self, prefix: str) -> dict[str, Any]:
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}


def _as_json(history: History) -> dict[str, Any]:
    figures = [
        {name: None if math.isnan(value) else value for name, value in asdict(one).items()}
        for one in history.figures
    ]
    return {"figures": figures, "best": history.best}


def _history(found: dict[str, Any]) -> History:
    figures = [
        Figures(**{name: math.nan if value is None else value for name, value in one.items()})
        for one in found["figures"]
    ]
    return History(figures, found["best"])
