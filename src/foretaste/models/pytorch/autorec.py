"""AutoRec: an autoencoder with one hidden layer."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from foretaste.models.pytorch._autoencoder import AutoencoderModel
from foretaste.params import estimator, param
from foretaste.ratings import Ratings
from foretaste.typing import Entity


@estimator
class AutoRec(AutoencoderModel):
    r"""An autoencoder that reconstructs the rows of items, or of users.

    A row :math:`z` holds the residuals of an item's ratings after mean and biases, in standard deviations.
    With inputs :math:`x_u = \sqrt{\bar n / n} (z_u + c)` where user u has rated the item, else 0, where n is
    the number of ratings of the row and :math:`\bar n` the mean of that number,

    .. math:: h = g(W^\top x + b), \quad \hat z = V^\top h + b',

    where W and V minimize

    .. math:: \sum_{(u,i)} w_{ui} (z_{ui} - \hat z_{ui})^2
              + \lambda (\lVert W \rVert^2 + \lVert V \rVert^2)

    in mini-batches of rows. With ``entity="user"`` rows are users. An unknown item gets the mean of the
    user's predictions over the ratings, an unknown user that of the item's, and a pair of both the mean of
    all.

    Sedhain, Menon, Sanner and Xie, "AutoRec: autoencoders meet collaborative filtering", WWW 2015. The paper
    uses sigmoid units and raw ratings as inputs, without biases, :math:`n` and :math:`c`: on a scale of 1 to
    5 a rating differs from a missing one anyway. Input dropout: Strub, Gaudel and Mary, "Hybrid recommender
    system based on autoencoders", DLRS 2016.
    """

    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset({Entity.USER})
    summary: ClassVar[str] = "autoencoder of the ratings of items or users (PyTorch)"

    entity: str = param("item", "entity whose ratings form a row", choices=("item", "user"))

    def _is_item_based(self) -> bool:
        return self.entity == "item"

    def _build_network(self, columns: int, random: Any) -> Any:
        from foretaste.models.pytorch._autoencoder_layers import AutoencoderNetwork, Linear

        encoder = Linear(columns, self.hidden, self.regularization, random)
        decoder = Linear(self.hidden, columns, self.regularization, random, transposed=True)
        return AutoencoderNetwork([encoder, decoder], self.activation)

    def _count_weights(self, columns: int) -> int:
        return 2 * columns * self.hidden

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        if self.entity == "user":
            raise self._fold_in_not_supported(entity, 'entity="user"')
        return self._fold_in_users(new)
