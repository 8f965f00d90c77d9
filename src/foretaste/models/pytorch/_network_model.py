"""Models that predict with a network: its weights as arrays, and the live network in a cache."""

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
    """Base of the models that predict with a network; a subclass implements ``_rebuild_network``, too.

    Attributes after ``fit``
    ------------------------
    weights_ : dict of arrays
        State dict of the network: its weights and buffers.
    """

    mixed_precision: bool = param(
        False, "train with matrix products in bfloat16 (autocast); faster on a GPU only"
    )

    weights_: ArrayDict = fitted_attribute("weights")

    @abstractmethod
    def _rebuild_network(self) -> Any:
        """Return a network of the fitted shape, with any weights."""

    def _uses_mixed_precision(self) -> bool:
        return self.mixed_precision

    def _store_weights(self, network: Any) -> None:
        """Set ``weights_`` from a trained network."""
        self.weights_ = {
            name: np.ascontiguousarray(value.detach().cpu().numpy())
            for name, value in network.state_dict().items()
        }

    def _get_network(self) -> Any:
        """Return the fitted network on the prediction device, in evaluation mode; cached."""
        import torch

        cached = _NETWORK_CACHE.get(self)
        if cached is not None and cached[0] is self.weights_:
            return cached[1]
        with self._session():
            network = self._rebuild_network()
        # A copy: those of a memory-mapped file cannot be written to.
        weights = {name: torch.tensor(array) for name, array in self.weights_.items()}
        network.load_state_dict(weights)
        network = network.to(self._prediction_device()).eval()
        _NETWORK_CACHE[self] = self.weights_, network
        return network

    def _prediction_device(self) -> Any:
        """Return the training device, or the CPU if this machine does not have it."""
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
                f"the weights in the file do not fit this {type(self).__name__}: {reason[:200]}"
            ) from error
        return self
