"""Models that keep a network: its weights as arrays, and a live copy for as long as the model lives."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np

from foretaste.errors import InvalidParameterError, ModelFileError
from foretaste.models.pytorch._base import TorchModel
from foretaste.models.pytorch._session import require_torch, resolve_device
from foretaste.params import estimator, fitted_attribute, param
from foretaste.typing import ArrayDict

_NETWORK_CACHE: WeakKeyDictionary[TorchModel, tuple[ArrayDict, Any]] = WeakKeyDictionary()


@estimator
class TorchNetworkModel(TorchModel):
    """Base of the models that predict with a network; a model writes ``_rebuild_network``, too.

    Attributes after ``fit``
    ------------------------
    weights_ : dict of arrays
        Weights and buffers of the network, by torch's names for them.
    """

    mixed_precision: bool = param(
        False, "learn with matrix products in bfloat16, where a module has some; pays on a GPU"
    )

    weights_: ArrayDict = fitted_attribute("weights")

    @abstractmethod
    def _rebuild_network(self) -> Any:
        """Return a network of the right form, whatever its weights, from what a fitted model holds."""

    def _uses_mixed_precision(self) -> bool:
        return self.mixed_precision

    def _store_weights(self, network: Any) -> None:
        """Take the weights of a network as learned."""
        self.weights_ = {
            name: np.ascontiguousarray(value.detach().cpu().numpy())
            for name, value in network.state_dict().items()
        }

    def _get_network(self) -> Any:
        """Return the network with the learned weights, to predict with, on its device."""
        import torch

        cached = _NETWORK_CACHE.get(self)
        if cached is not None and cached[0] is self.weights_:
            return cached[1]
        with self._session():
            network = self._rebuild_network()
        weights = {name: torch.from_numpy(array) for name, array in self.weights_.items()}
        network.load_state_dict(weights)
        network = network.to(self._prediction_device()).eval()
        _NETWORK_CACHE[self] = self.weights_, network
        return network

    def _prediction_device(self) -> Any:
        """Return where to predict: where it learned, or on the CPU if this machine has no such device."""
        try:
            return resolve_device(self.device)
        except InvalidParameterError:
            return resolve_device("cpu")

    def set_state(self, state: dict[str, Any]) -> Self:
        super().set_state(state)
        require_torch(type(self).__name__)
        try:
            self._get_network()
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise ModelFileError(
                f"the weights in the file are not those of this {type(self).__name__}: {reason[:200]}"
            ) from error
        return self
