"""foretaste: collaborative filtering. It predicts how users rate items from the ratings of all users.

The public names; each is imported on first use, so that ``import foretaste`` is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretaste.data_audit import Audit, audit
    from foretaste.datasets import load as load_dataset
    from foretaste.datasets import load_items
    from foretaste.errors import ForetasteError
    from foretaste.evaluation import (
        Breakdown,
        CrossValidation,
        RankingResults,
        Results,
        TuningResult,
        breakdown,
        compare,
        cross_validate,
        default_space,
        evaluate_ranking,
        tune,
    )
    from foretaste.features import ItemCatalog
    from foretaste.io import read_items, read_pairs, read_ratings
    from foretaste.metrics import (
        average_precision,
        coverage,
        diversity,
        fcp,
        gini,
        hit_rate,
        mae,
        ndcg,
        nmae,
        novelty,
        precision,
        r2,
        recall,
        reciprocal_rank,
        rmse,
        rmse_per_user,
        scorer,
    )
    from foretaste.models.als import ALS
    from foretaste.models.baselines import (
        GlobalMean,
        ItemMean,
        NormalRandom,
        Popularity,
        UserItemMean,
        UserMean,
    )
    from foretaste.models.bias import Bias
    from foretaste.models.blend import Blend
    from foretaste.models.co_clustering import CoClustering
    from foretaste.models.ease import EASE
    from foretaste.models.global_effects import GlobalEffects
    from foretaste.models.item_knn import ItemKNN
    from foretaste.models.knn_imputation import KNNImputation
    from foretaste.models.nmf import NMF
    from foretaste.models.pytorch import (
        AutoRec,
        FactorizationMachine,
        NeuralMF,
        SparseFC,
        TorchMF,
        TorchRecommender,
    )
    from foretaste.models.slope_one import SlopeOne
    from foretaste.models.svd import SVD
    from foretaste.models.svdpp import SVDpp
    from foretaste.models.time_svdpp import TimeSVDpp
    from foretaste.models.user_knn import UserKNN
    from foretaste.persistence import load, save
    from foretaste.ratings import Ratings
    from foretaste.recommendation import (
        Explanation,
        Recommendations,
        explain,
        fold_in,
        next_question,
        recommend,
        recommend_all,
        similar_items,
        similar_users,
    )
    from foretaste.report import plot, write_report
    from foretaste.splits import ColdItems, ColdUsers, HoldOut, KFold, LeaveNOut, TimeSplit, WarmOnly

    __version__: str

__all__ = [
    "ALS",
    "EASE",
    "NMF",
    "SVD",
    "Audit",
    "AutoRec",
    "Bias",
    "Blend",
    "Breakdown",
    "CoClustering",
    "ColdItems",
    "ColdUsers",
    "CrossValidation",
    "Explanation",
    "FactorizationMachine",
    "ForetasteError",
    "GlobalEffects",
    "GlobalMean",
    "HoldOut",
    "ItemCatalog",
    "ItemKNN",
    "ItemMean",
    "KFold",
    "KNNImputation",
    "LeaveNOut",
    "NeuralMF",
    "NormalRandom",
    "Popularity",
    "RankingResults",
    "Ratings",
    "Recommendations",
    "Results",
    "SVDpp",
    "SlopeOne",
    "SparseFC",
    "TimeSVDpp",
    "TimeSplit",
    "TorchMF",
    "TorchRecommender",
    "TuningResult",
    "UserItemMean",
    "UserKNN",
    "UserMean",
    "WarmOnly",
    "__version__",
    "audit",
    "average_precision",
    "breakdown",
    "compare",
    "coverage",
    "cross_validate",
    "default_space",
    "diversity",
    "evaluate_ranking",
    "explain",
    "fcp",
    "fold_in",
    "gini",
    "hit_rate",
    "load",
    "load_dataset",
    "load_items",
    "mae",
    "ndcg",
    "next_question",
    "nmae",
    "novelty",
    "plot",
    "precision",
    "r2",
    "read_items",
    "read_pairs",
    "read_ratings",
    "recall",
    "reciprocal_rank",
    "recommend",
    "recommend_all",
    "rmse",
    "rmse_per_user",
    "save",
    "scorer",
    "similar_items",
    "similar_users",
    "tune",
    "write_report",
]

_PACKAGES = {
    "data_audit": "Audit audit",
    "datasets": "load_dataset load_items",
    "errors": "ForetasteError",
    "evaluation": "Breakdown CrossValidation RankingResults Results TuningResult breakdown compare "
    "cross_validate default_space evaluate_ranking tune",
    "io": "read_items read_pairs read_ratings",
    "metrics": "average_precision coverage diversity fcp gini hit_rate mae ndcg nmae novelty precision r2 "
    "recall reciprocal_rank rmse rmse_per_user scorer",
    "models": "ALS Bias Blend CoClustering EASE GlobalEffects GlobalMean ItemKNN ItemMean KNNImputation NMF "
    "NormalRandom Popularity SVD SVDpp SlopeOne TimeSVDpp UserItemMean UserKNN UserMean",
    "models.pytorch": "AutoRec FactorizationMachine NeuralMF SparseFC TorchMF TorchRecommender",
    "persistence": "load save",
    "ratings": "Ratings",
    "recommendation": "Explanation Recommendations explain fold_in next_question recommend recommend_all "
    "similar_items similar_users",
    "report": "plot write_report",
    "splits": "ColdItems ColdUsers HoldOut KFold LeaveNOut TimeSplit WarmOnly",
    "features": "ItemCatalog",
}
_PACKAGE_OF = {name: package for package, names in _PACKAGES.items() for name in names.split()}
_ATTRIBUTE_OF = {"load_dataset": "load"}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name == "__version__":
        from foretaste._version import version

        value: Any = version()
    elif name in _PACKAGE_OF:
        from importlib import import_module

        value = getattr(import_module(f"foretaste.{_PACKAGE_OF[name]}"), _ATTRIBUTE_OF.get(name, name))
    else:
        raise AttributeError(f"module 'foretaste' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
