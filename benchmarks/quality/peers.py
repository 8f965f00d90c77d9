"""The evaluated models: ours, and those of scikit-surprise with its own defaults, by family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from foretaste import Ratings
from foretaste._utils import memory
from foretaste.models import MODELS
from foretaste.typing import AnyArray, Float32Array

SEED = 0


class RatingColumns(NamedTuple):
    """Users, items and ratings, shape (n,) each."""

    user: AnyArray
    item: AnyArray
    value: Float32Array


@dataclass(frozen=True)
class Peer:
    """A model of scikit-surprise, with options other than its defaults."""

    algorithm: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its label in tables."""
        sim_options = self.options.get("sim_options")
        return self.algorithm if sim_options is None else f"{self.algorithm}, {_base_label(sim_options)}"

    @property
    def code(self) -> str:
        """The call that builds it, without the option that silences it."""
        options = [f"{name}={value!r}" for name, value in self.options.items() if name != "verbose"]
        return f"{self.algorithm}({', '.join(options)})"

    def shortage(self, train: Ratings) -> str | None:
        """Return why it cannot run, if its square matrices do not fit into half of the free memory."""
        options = self.options.get("sim_options")
        if options is None:
            return None
        size = len(train.users) if options["user_based"] else len(train.items)
        required, free = 24 * size**2, memory.available_bytes()  # similarities, sums and counts, 8 bytes each
        if free is None or 2 * required <= free:
            return None
        return (
            f"its {_base_label(options)} similarities need about {memory.format_bytes(required)} "
            f"({size:,} x {size:,}), more than half of the {memory.format_bytes(free)} that were free"
        )


def _base_label(options: Mapping[str, Any]) -> str:
    return "user-based" if options["user_based"] else "item-based"


def _knn_peers(user_based: bool) -> tuple[Peer, ...]:
    options = {"sim_options": {"user_based": user_based}, "verbose": False}
    names = ("KNNBasic", "KNNWithMeans", "KNNWithZScore", "KNNBaseline")
    return tuple(Peer(name, options) for name in names)


SEEDED = {"random_state": SEED}
# Our models of a family, and its peers.
FAMILIES: dict[str, tuple[tuple[str, ...], tuple[Peer, ...]]] = {
    "random": (("NormalRandom",), (Peer("NormalPredictor"),)),
    "biases": (("Bias",), (Peer("BaselineOnly", {"verbose": False}),)),
    "item neighbors": (("ItemKNN",), _knn_peers(user_based=False)),
    "user neighbors": (("UserKNN",), _knn_peers(user_based=True)),
    "SVD": (("SVD",), (Peer("SVD", SEEDED),)),
    "SVD++": (("SVDpp",), (Peer("SVDpp", SEEDED),)),
    "NMF": (("NMF",), (Peer("NMF", SEEDED),)),
    "Slope One": (("SlopeOne",), (Peer("SlopeOne"),)),
    "co-clustering": (("CoClustering",), (Peer("CoClustering", SEEDED),)),
}
ALL_PEERS = {peer.name: peer for _, peers in FAMILIES.values() for peer in peers}
FACTOR_MODELS = ("SVD", "SVDpp", "TimeSVDpp", "ALS", "NMF")


def family_of(model: str) -> str:
    """Return the family of one of our models; one without peers is a family of its own."""
    return next((family for family, (ours, _) in FAMILIES.items() if model in ours), model)


class Subject(Protocol):
    """A model evaluated on one fold."""

    def prepare(self, train: Ratings, test: Ratings) -> None:
        """Convert the rows to the form of the library, which is neither timed nor counted."""

    def fit(self) -> None:
        """Fit the model."""

    def predict(self) -> AnyArray:
        """Return predictions of the test rows, in their order."""

    def rows(self) -> tuple[RatingColumns, RatingColumns]:
        """Return users, items and ratings of both parts as the library holds them."""


class Ours:
    """A model of ours with default parameters."""

    def __init__(self, name: str) -> None:
        self.model = MODELS[name]()

    def prepare(self, train: Ratings, test: Ratings) -> None:
        self.model = type(self.model)()
        self.train, self.test = train, test

    def fit(self) -> None:
        self.model.fit(self.train)

    def predict(self) -> AnyArray:
        return self.model.predict(self.test)

    def rows(self) -> tuple[RatingColumns, RatingColumns]:
        return _columns(self.train), _columns(self.test)


def _columns(part: Ratings) -> RatingColumns:
    return RatingColumns(part.users.ids[part.user], part.items.ids[part.item], part.value)


class Theirs:
    """A model of scikit-surprise."""

    def __init__(self, peer: Peer, scale: tuple[float, float]) -> None:
        self.peer, self.scale = peer, scale

    @cached_property
    def make(self) -> Callable[..., Any]:
        """The class of the algorithm."""
        import surprise

        return getattr(surprise, self.peer.algorithm)  # type: ignore[no-any-return]

    def prepare(self, train: Ratings, test: Ratings) -> None:
        from surprise import Dataset, Reader

        data = Dataset(Reader(rating_scale=self.scale))
        columns = (column.tolist() for column in _columns(train))
        self.trainset = data.construct_trainset(
            [(user, item, value, None) for user, item, value in zip(*columns, strict=True)]
        )
        self.testset = list(zip(*(column.tolist() for column in _columns(test)), strict=True))
        self.algorithm = self.make(**self.peer.options)
        np.random.seed(SEED)  # NormalPredictor draws from numpy's own generator

    def fit(self) -> None:
        self.algorithm.fit(self.trainset)

    def predict(self) -> AnyArray:
        return np.array([prediction.est for prediction in self.algorithm.test(self.testset)])

    def rows(self) -> tuple[RatingColumns, RatingColumns]:
        known = self.trainset
        learned = [
            (known.to_raw_uid(user), known.to_raw_iid(item), value)
            for user, item, value in known.all_ratings()
        ]
        return _from_rows(learned), _from_rows(self.testset)


def _from_rows(rows: list[tuple[Any, Any, float]]) -> RatingColumns:
    user, item, value = zip(*rows, strict=True)
    return RatingColumns(np.array(user), np.array(item), np.array(value, np.float32))


def make_subject(library: str, model: str, scale: tuple[float, float]) -> Ours | Theirs:
    """Return a model to evaluate, by its library and its label."""
    return Ours(model) if library == "foretaste" else Theirs(ALL_PEERS[model], scale)
