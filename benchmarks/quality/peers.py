"""The models judged: ours, those of scikit-surprise at its own defaults, and which belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from foretaste import Ratings
from foretaste._utils import memory
from foretaste.models import MODELS

Floats = npt.NDArray[np.floating[Any]]
Columns = tuple[npt.NDArray[Any], npt.NDArray[Any], Floats]
SEED = 0


@dataclass(frozen=True)
class Peer:
    """A model of scikit-surprise, with what is said beside its defaults."""

    algorithm: str
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called in tables."""
        side = self.said.get("sim_options")
        return self.algorithm if side is None else f"{self.algorithm}, {_side(side)}"

    @property
    def code(self) -> str:
        """The call that makes it, without what only keeps it quiet."""
        said = [f"{name}={value!r}" for name, value in self.said.items() if name != "verbose"]
        return f"{self.algorithm}({', '.join(said)})"

    def shortage(self, train: Ratings) -> str | None:
        """Say why it cannot be run, if its square matrices do not fit into half of the free memory."""
        options = self.said.get("sim_options")
        if options is None:
            return None
        size = len(train.users) if options["user_based"] else len(train.items)
        wanted, free = 24 * size**2, memory.available_bytes()  # similarities, sums and counts, 8 bytes each
        if free is None or 2 * wanted <= free:
            return None
        return (
            f"its {_side(options)} similarities need about {memory.format_bytes(wanted)} "
            f"({size:,} x {size:,}), more than half of the {memory.format_bytes(free)} that were free"
        )


def _side(options: Mapping[str, Any]) -> str:
    return "user-based" if options["user_based"] else "item-based"


def _neighbours(user_based: bool) -> tuple[Peer, ...]:
    said = {"sim_options": {"user_based": user_based}, "verbose": False}
    names = ("KNNBasic", "KNNWithMeans", "KNNWithZScore", "KNNBaseline")
    return tuple(Peer(name, said) for name in names)


SEEDED = {"random_state": SEED}
# Our models of a family, and the peers that stand beside them.
FAMILIES: dict[str, tuple[tuple[str, ...], tuple[Peer, ...]]] = {
    "random": (("NormalRandom",), (Peer("NormalPredictor"),)),
    "biases": (("Bias",), (Peer("BaselineOnly", {"verbose": False}),)),
    "item neighbours": (("ItemKNN",), _neighbours(user_based=False)),
    "user neighbours": (("UserKNN",), _neighbours(user_based=True)),
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
    """A model at work on one fold."""

    def prepare(self, train: Ratings, test: Ratings) -> None:
        """Bring the rows into the form that the library takes, which is neither timed nor counted."""

    def fit(self) -> None:
        """Learn."""

    def predict(self) -> Floats:
        """Return what it says of the rows to judge by, in their order."""

    def rows(self) -> tuple[Columns, Columns]:
        """Return the users, items and ratings of both parts as the library holds them."""


class Ours:
    """A model of ours at its defaults."""

    def __init__(self, name: str) -> None:
        self.model = MODELS[name]()

    def prepare(self, train: Ratings, test: Ratings) -> None:
        self.model = type(self.model)()
        self.train, self.test = train, test

    def fit(self) -> None:
        self.model.fit(self.train)

    def predict(self) -> Floats:
        return self.model.predict(self.test)

    def rows(self) -> tuple[Columns, Columns]:
        return _columns(self.train), _columns(self.test)


def _columns(part: Ratings) -> Columns:
    return part.users.ids[part.user], part.items.ids[part.item], part.value


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
        self.algorithm = self.make(**self.peer.said)
        np.random.seed(SEED)  # NormalPredictor draws from numpy's own generator

    def fit(self) -> None:
        self.algorithm.fit(self.trainset)

    def predict(self) -> Floats:
        return np.array([prediction.est for prediction in self.algorithm.test(self.testset)])

    def rows(self) -> tuple[Columns, Columns]:
        known = self.trainset
        learned = [
            (known.to_raw_uid(user), known.to_raw_iid(item), value)
            for user, item, value in known.all_ratings()
        ]
        return _from_rows(learned), _from_rows(self.testset)


def _from_rows(rows: list[tuple[Any, Any, float]]) -> Columns:
    user, item, value = zip(*rows, strict=True)
    return np.array(user), np.array(item), np.array(value, np.float32)


def subject(library: str, model: str, scale: tuple[float, float]) -> Ours | Theirs:
    """Return a model to judge, by its library and its name in tables."""
    return Ours(model) if library == "foretaste" else Theirs(ALL_PEERS[model], scale)
