"""All models, by name."""

from foretaste.models.als import ALS
from foretaste.models.base import Model
from foretaste.models.baselines import GlobalMean, ItemMean, NormalRandom, Popularity, UserItemMean, UserMean
from foretaste.models.bias import Bias
from foretaste.models.blend import Blend
from foretaste.models.co_clustering import CoClustering
from foretaste.models.ease import EASE
from foretaste.models.global_effects import GlobalEffects
from foretaste.models.item_knn import ItemKNN
from foretaste.models.knn_imputation import KNNImputation
from foretaste.models.nmf import NMF
from foretaste.models.outputs import Contributions, Fallback, LinearForm, Prediction, RatingAttribution
from foretaste.models.registry import MODELS
from foretaste.models.slope_one import SlopeOne
from foretaste.models.svd import SVD
from foretaste.models.svdpp import SVDpp
from foretaste.models.time_svdpp import TimeSVDpp
from foretaste.models.user_knn import UserKNN

MODELS.register(
    (
        NormalRandom,
        GlobalMean,
        ItemMean,
        UserMean,
        UserItemMean,
        Bias,
        KNNImputation,
        SVD,
        SVDpp,
        TimeSVDpp,
        ItemKNN,
        UserKNN,
        SlopeOne,
        ALS,
        NMF,
        Popularity,
        GlobalEffects,
        CoClustering,
        EASE,
        Blend,
    )
)

__all__ = [
    "MODELS",
    "Contributions",
    "Fallback",
    "LinearForm",
    "Model",
    "Prediction",
    "RatingAttribution",
    *MODELS,
]
