"""SparseFC: an autoencoder whose layers learn a sparse connectivity."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Self

from foretaste.models.pytorch._autoencoder import AutoencoderModel
from foretaste.params import estimator, param
from foretaste.ratings import Ratings
from foretaste.typing import Entity


@estimator
class SparseFC(AutoencoderModel):
    r"""A kernelized sparse autoencoder of the ratings of items.

    As item-based ``AutoRec``, with ``layers`` hidden layers whose weights are :math:`w_{jk} K(u_j, v_k)`:
    each unit has a position in a low-dimensional space, and the kernel

    .. math:: K(u, v) = \max(0, 1 - \lVert u - v \rVert^2)

    connects near units and cuts off those at least 1 apart. Weights and positions minimize

    .. math:: \sum_{(u,i)} w_{ui} (z_{ui} - \hat z_{ui})^2 + \lambda \sum w_{jk}^2 + \kappa \sum K(u_j, v_k)^2

    summed over all layers, in mini-batches of rows. A larger :math:`\kappa` drives positions apart and leaves
    fewer connections. An unknown item gets the mean of the user's predictions over the ratings, an unknown
    user that of the item's, and a pair of both the mean of all.

    Muller, Martel and Indiveri, "Kernelized synaptic weight matrices", ICML 2018. The paper trains two hidden
    layers of sigmoids on raw ratings with full-batch L-BFGS; here one tanh layer is trained on the residuals
    of the biases with Adam, which converges sooner.
    """

    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset({Entity.USER})
    summary: ClassVar[str] = "autoencoder with learned sparse connectivity (PyTorch)"

    layers: int = param(1, "number of hidden layers", low=1, high=16)
    dimensions: int = param(5, "dimensions of the unit positions", low=1, high=100)
    kernel_regularization: float = param(
        0.013, "penalty of a squared kernel value, in units of one squared error", low=0
    )

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
        # In a step the kernel, its square and the kernelized weights have a gradient each.
        return 2 * (2 * columns * self.hidden + (self.layers - 1) * self.hidden**2)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        """Return a model of new users, whose decoder weights have a kernel of 1."""
        return self._fold_in_users(new)
