"""All models, by name."""

from foretaste.models.als import ALS
from foretaste.models.answers import Contributions, Linear, Prediction
from foretaste.models.base import Model
from foretaste.models.bias import Bias
from foretaste.models.knn_imputation import KNNImputation
from foretaste.models.means import GlobalMean, ItemMean, UserItemMean, UserMean
from foretaste.models.nmf import NMF
from foretaste.models.normal_random import NormalRandom
from foretaste.models.svd import SVD

BY_NAME: dict[str, type[Model]] = {
    model.__name__: model
    for model in (
        NormalRandom,
        GlobalMean,
        ItemMean,
        UserMean,
        UserItemMean,
        Bias,
        KNNImputation,
        SVD,
        ALS,
        NMF,
    )
}

__all__ = ["BY_NAME", "Contributions", "Linear", "Model", "Prediction", *BY_NAME]
