"""What requests and answers look like, for checking and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from foretaste.service.id_codec import LONGEST

T = TypeVar("T")

LARGEST_ID = 10**18 - 1
Id = Annotated[
    Annotated[StrictInt, Field(ge=-LARGEST_ID, le=LARGEST_ID)]
    | Annotated[StrictStr, Field(min_length=1, max_length=LONGEST)],
    Field(description="A whole number or text, as the ratings have it."),
]
Rating = Annotated[float, Field(allow_inf_nan=False, strict=True)]


class Shape(BaseModel):
    """Base of all: nothing that is not declared is taken."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class ErrorShape(Shape):
    """What went wrong, and what to do about it."""

    code: str
    message: str
    hint: str | None = None


class Failure(Shape):
    """The envelope of a failure."""

    ok: Literal[False] = False
    error: ErrorShape


class Success(Shape, Generic[T]):
    """The envelope of a success."""

    ok: Literal[True] = True
    data: T


class RatingGiven(Shape):
    """A rating to store."""

    user: Id
    item: Id
    value: Rating
    shown_prediction: Annotated[
        Rating | None,
        Field(description="What the person saw predicted before rating. No model learns from such a rating."),
    ] = None


class RatingKept(Shape):
    """A rating as it is stored; ``created`` says whether there was none before."""

    user: Id
    item: Id
    value: float
    created: bool
    changed: bool


class RatingListed(Shape):
    """One of a person's ratings; times are seconds since 1970."""

    item: Id
    title: str | None
    value: float
    rated_at: int | None
    shown_prediction: float | None


class RatingPage(Shape):
    """Some ratings of a person; ``next`` is ``after`` of the next page, if there is one."""

    user: Id
    ratings: list[RatingListed]
    next: str | None


class Deleted(Shape):
    """Whether there was something to delete."""

    deleted: bool


class Item(Shape):
    """An item."""

    item: Id
    title: str | None


class ItemPage(Shape):
    """Some items; ``next`` is ``after`` of the next page, if there is one."""

    items: list[Item]
    next: int | None


class Predicted(Item):
    """An item and the rating that is predicted for it."""

    prediction: float


class Predictions(Shape):
    """Predictions for a person, and what they rest on."""

    user: Id
    model: int
    basis: str
    ratings_used: int
    items: list[Predicted]


class PredictionsWanted(Shape):
    """Which predictions are wanted."""

    user: Id
    items: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class ExplainedPart(Shape):
    """One part of a prediction, in rating units."""

    name: str
    value: float


class ExplainedReason(Item):
    """One of the person's ratings, and how far it moved the prediction."""

    rating: float | None
    share: float


class Explained(Shape):
    """What a prediction is made of: ``parts`` add up to it; shares and ``rest`` to the part ``moved``."""

    user: Id
    item: Id
    title: str | None
    model: int
    prediction: float
    sentence: str
    parts: list[ExplainedPart]
    moved: str | None
    reasons: list[ExplainedReason]
    rest: float
    note: str | None


class Question(Item):
    """The item whose rating would tell most about a person who has answered so many."""

    user: Id
    model: int
    answered: int


class SimilarItem(Item):
    """An item and how alike it is, from -1 to 1."""

    similarity: float


class SimilarItems(Shape):
    """Items like one."""

    item: Id
    title: str | None
    model: int
    items: list[SimilarItem]


class ModelShape(Shape):
    """A model that the service keeps."""

    number: int
    active: bool
    model: str
    params: dict[str, Any]
    origin: str
    made_at: int
    ratings: int
    checks: dict[str, Any]
    sha256: str


class JobWanted(Shape):
    """What to learn; without a model, the active one's settings."""

    model: Annotated[str, Field(max_length=100)] | None = None
    params: dict[str, Any] = {}


class JobShape(Shape):
    """A training and how far it is."""

    number: int
    state: str
    spec: dict[str, Any]
    started_at: int
    ended_at: int | None
    label: str
    done: int
    total: int
    note: str
    model: int | None


class KeyWanted(Shape):
    """The key that is wanted."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Literal["read", "write", "admin"]


class KeyShape(Shape):
    """What is known of a key."""

    number: int
    name: str
    role: str
    made_at: int
    revoked_at: int | None


class KeyMade(KeyShape):
    """A new key: the only time that it is shown."""

    key: str


class Export(Shape):
    """All that is kept of a person."""

    user: Id
    ratings: list[RatingListed]
    models: list[int]


class Erased(Shape):
    """What was deleted, and which models were learned from it."""

    ratings: int
    models: list[int]


class State(Shape):
    """Whether the service can answer."""

    state: str
    model: int | None = None
