"""Models that keep a network: its weights as arrays, and a live copy for as long as the model lives."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from foretaste.errors import BadModelFile, InvalidParameter
from foretaste.models.pytorch._base import TorchModel
from foretaste.models.pytorch._session import device_of, require_torch
from foretaste.params import learned, model_class, param

Weights = dict[str, npt.NDArray[Any]]

_LIVE: WeakKeyDictionary[TorchModel, tuple[Weights, Any]] = WeakKeyDictionary()


@model_class
class TorchNetwork(TorchModel):
    """Base of the models that predict with a network; a model writes ``_empty``, too.

    Attributes after ``fit``
    ------------------------
    weights_ : dict of arrays
        Weights and buffers of the network, by torch's names for them.
    """

    mixed_precision: bool = param(
        False, "learn with matrix products in bfloat16, where a module has some; pays on a GPU"
    )

    weights_: Weights = learned("weights")

    @abstractmethod
    def _empty(self) -> Any:
        """Return a network of the right form, whatever its weights, from what a fitted model holds."""

    def _mixed(self) -> bool:
        return self.mixed_precision

    def _hold(self, network: Any) -> None:
        """Take the weights of a network as learned."""
        self.weights_ = {
            name: np.ascontiguousarray(value.detach().cpu().numpy())
            for name, value in network.state_dict().items()
        }

    def _network(self) -> Any:
        """Return the network with the learned weights, to predict with, on its device."""
        import torch

        held = _LIVE.get(self)
        if held is not None and held[0] is self.weights_:
            return held[1]
        with self._session():
            network = self._empty()
        weights = {name: torch.from_numpy(array) for name, array in self.weights_.items()}
        network.load_state_dict(weights)
        network = network.to(self._device()).eval()
        _LIVE[self] = self.weights_, network
        return network

    def _device(self) -> Any:
        """Return where to predict: where it learned, or on the CPU if this machine has no such device."""
        try:
            return device_of(self.device)
        except InvalidParameter:
            return device_of("cpu")

    def _from_state(self, state: dict[str, Any]) -> Self:
        super()._from_state(state)
        require_torch(type(self).__name__)
        try:
            self._network()
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            first = str(error).strip().splitlines()[-1].strip()
            raise BadModelFile(
                f"the weights in the file are not those of this {type(self).__name__}: {first[:200]}"
            ) from error
        return self
