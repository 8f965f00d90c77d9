"""foretaste predicts how much a person will like what they have not tried, from ratings.

The public names; each is imported when it is first used, so that ``import foretaste`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretaste.auditing import Audit, audit
    from foretaste.datasets import load as load_dataset
    from foretaste.datasets import load_items
    from foretaste.errors import ForetasteError
    from foretaste.evaluation import Results, compare
    from foretaste.io import read_items, read_pairs, read_ratings
    from foretaste.metrics import fcp, mae, nmae, r2, rmse, scorer
    from foretaste.models.als import ALS
    from foretaste.models.bias import Bias
    from foretaste.models.blend import Blend
    from foretaste.models.co_clustering import CoClustering
    from foretaste.models.ease import EASE
    from foretaste.models.global_effects import GlobalEffects
    from foretaste.models.item_knn import ItemKNN
    from foretaste.models.knn_imputation import KNNImputation
    from foretaste.models.means import GlobalMean, ItemMean, UserItemMean, UserMean
    from foretaste.models.nmf import NMF
    from foretaste.models.normal_random import NormalRandom
    from foretaste.models.popularity import Popularity
    from foretaste.models.slope_one import SlopeOne
    from foretaste.models.svd import SVD
    from foretaste.models.svdpp import SVDpp
    from foretaste.models.time_svdpp import TimeSVDpp
    from foretaste.models.user_knn import UserKNN
    from foretaste.persistence import load, save
    from foretaste.ratings import Ratings
    from foretaste.recommending import (
        Recommendations,
        recommend,
        recommend_all,
        similar_items,
        similar_users,
    )
    from foretaste.splits import ByTime, ColdItems, ColdUsers, HoldOut, KFold, LeaveNOut
    from foretaste.tables import Catalogue

    __version__: str

__all__ = [
    "ALS",
    "EASE",
    "NMF",
    "SVD",
    "Audit",
    "Bias",
    "Blend",
    "ByTime",
    "Catalogue",
    "CoClustering",
    "ColdItems",
    "ColdUsers",
    "ForetasteError",
    "GlobalEffects",
    "GlobalMean",
    "HoldOut",
    "ItemKNN",
    "ItemMean",
    "KFold",
    "KNNImputation",
    "LeaveNOut",
    "NormalRandom",
    "Popularity",
    "Ratings",
    "Recommendations",
    "Results",
    "SVDpp",
    "SlopeOne",
    "TimeSVDpp",
    "UserItemMean",
    "UserKNN",
    "UserMean",
    "__version__",
    "audit",
    "compare",
    "fcp",
    "load",
    "load_dataset",
    "load_items",
    "mae",
    "nmae",
    "r2",
    "read_items",
    "read_pairs",
    "read_ratings",
    "recommend",
    "recommend_all",
    "rmse",
    "save",
    "scorer",
    "similar_items",
    "similar_users",
]

_ROOMS = {
    "auditing": "Audit audit",
    "datasets": "load_dataset load_items",
    "errors": "ForetasteError",
    "evaluation": "Results compare",
    "io": "read_items read_pairs read_ratings",
    "metrics": "fcp mae nmae r2 rmse scorer",
    "models": "SVDpp TimeSVDpp Bias GlobalMean ItemMean KNNImputation NormalRandom SVD UserItemMean "
    "UserMean ItemKNN UserKNN SlopeOne ALS NMF Popularity GlobalEffects CoClustering EASE Blend",
    "persistence": "load save",
    "ratings": "Ratings",
    "recommending": "Recommendations recommend recommend_all similar_items similar_users",
    "splits": "ByTime ColdItems ColdUsers HoldOut KFold LeaveNOut",
    "tables": "Catalogue",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}
_NAME_THERE = {"load_dataset": "load"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name == "__version__":
        value: Any = _version()
    elif name in _ROOM_OF:
        from importlib import import_module

        value = getattr(import_module(f"foretaste.{_ROOM_OF[name]}"), _NAME_THERE.get(name, name))
    else:
        raise AttributeError(f"module 'foretaste' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("foretaste")
    except PackageNotFoundError:  # run from a source folder that was not installed
        return "0+source"
