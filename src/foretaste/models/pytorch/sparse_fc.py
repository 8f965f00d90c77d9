"""SparseFC: an autoencoder whose layers learn which of their connections are there."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Self

from foretaste.models.pytorch._autoencoder import AutoencoderModel
from foretaste.params import estimator, param
from foretaste.ratings import Ratings
from foretaste.typing import Entity


@estimator
class SparseFC(AutoencoderModel):
    r"""A kernelised sparse autoencoder of the ratings of items.

    As ``AutoRec`` of items, with ``layers`` hidden layers, whose weights are :math:`w_{jk} K(u_j, v_k)`: what
    is connected has a place each, in a few dimensions, and the kernel

    .. math:: K(u, v) = \max(0, 1 - \lVert u - v \rVert^2)

    lets near ones through and cuts off those at least 1 apart. Weights and places make

    .. math:: \sum_{(u,i)} w_{ui} (z_{ui} - \hat z_{ui})^2 + \lambda \sum w_{jk}^2 + \kappa \sum K(u_j, v_k)^2

    smaller, over all layers, some rows a step. A larger :math:`\kappa` drives places apart and leaves fewer
    connections. An unknown item gets the mean of the user's predictions over the ratings, an unknown user
    that of the item's, and a pair of both their mean.

    Muller, Martel and Indiveri, "Kernelized synaptic weight matrices", ICML 2018. There two hidden layers
    of sigmoids learn ratings as they are, and all rows are one step of L-BFGS; here one of tanh learns what
    biases leave, and some rows are a step of Adam, which is there sooner.
    """

    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset({Entity.USER})
    summary: ClassVar[str] = "an autoencoder that learns which connections there are, by PyTorch"

    layers: int = param(1, "how many hidden layers there are, one after another", low=1, high=16)
    dimensions: int = param(5, "in how many dimensions places lie", low=1, high=100)
    kernel_regularization: float = param(0.013, "what a squared value of the kernel costs, likewise", low=0)

    def _is_item_based(self) -> bool:
        return True

    def _build_network(self, columns: int, random: Any) -> Any:
        from foretaste.models.pytorch._autoencoder_layers import AutoencoderNetwork, KernelizedLinear, Linear

        sizes = [columns, *[self.hidden] * self.layers, columns]
        layers: list[Linear] = [
            KernelizedLinear(
                *size, self.regularization, random, dimensions=self.dimensions,
                kernel_regularization=self.kernel_regularization, transposed=depth == self.layers,
            )
            for depth, size in enumerate(pairwise(sizes))
        ]  # fmt: skip
        return AutoencoderNetwork(layers, self.activation)

    def _count_weights(self, columns: int) -> int:
        # The kernel, its square and the weights under it have a gradient each while a step is worked out.
        return 2 * (2 * columns * self.hidden + (self.layers - 1) * self.hidden**2)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        """Return a model of new users: the decoder that is best for their ratings, under a kernel of 1."""
        return self._fold_in_users(new)
