"""What requests and answers look like, for checking and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from foretaste.service.id_codec import MAX_ID_LENGTH

T = TypeVar("T")

MAX_INTEGER_ID = 10**18 - 1
Id = Annotated[
    Annotated[StrictInt, Field(ge=-MAX_INTEGER_ID, le=MAX_INTEGER_ID)]
    | Annotated[StrictStr, Field(min_length=1, max_length=MAX_ID_LENGTH)],
    Field(description="A whole number or text, as the ratings have it."),
]
RatingValue = Annotated[float, Field(allow_inf_nan=False, strict=True)]


class Schema(BaseModel):
    """Base of all: nothing that is not declared is taken."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class ErrorDetail(Schema):
    """What went wrong, and what to do about it."""

    code: str
    message: str
    hint: str | None = None


class Failure(Schema):
    """The envelope of a failure."""

    ok: Literal[False] = False
    error: ErrorDetail


class Success(Schema, Generic[T]):
    """The envelope of a success."""

    ok: Literal[True] = True
    data: T


class RatingIn(Schema):
    """A rating to store."""

    user: Id
    item: Id
    value: RatingValue
    shown_prediction: Annotated[
        RatingValue | None,
        Field(description="What the person saw predicted before rating. No model learns from such a rating."),
    ] = None


class RatingStored(Schema):
    """A rating as it is stored; ``created`` says whether there was none before."""

    user: Id
    item: Id
    value: float
    created: bool
    changed: bool


class RatingOut(Schema):
    """One of a person's ratings; times are seconds since 1970."""

    item: Id
    title: str | None
    value: float
    rated_at: int | None
    shown_prediction: float | None


class RatingPage(Schema):
    """Some ratings of a person; ``next`` is ``after`` of the next page, if there is one."""

    user: Id
    ratings: list[RatingOut]
    next: str | None


class DeleteResult(Schema):
    """Whether there was something to delete."""

    deleted: bool


class ItemOut(Schema):
    """An item."""

    item: Id
    title: str | None


class ItemPage(Schema):
    """Some items; ``next`` is ``after`` of the next page, if there is one."""

    items: list[ItemOut]
    next: int | None


class PredictedItem(ItemOut):
    """An item and the rating that is predicted for it."""

    prediction: float


class PredictionsOut(Schema):
    """Predictions for a person, and what they rest on."""

    user: Id
    model_id: int
    basis: str
    n_ratings_used: int
    items: list[PredictedItem]


class PredictionsIn(Schema):
    """Which predictions are wanted."""

    user: Id
    items: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class ExplanationPart(Schema):
    """One part of a prediction, in rating units."""

    name: str
    value: float


class ExplanationReason(ItemOut):
    """One of the person's ratings, and how far it moved the prediction."""

    rating: float | None
    contribution: float


class ExplanationOut(Schema):
    """What a prediction is made of: ``parts`` add up to it; shares and ``residual`` to the part ``main_part``."""

    user: Id
    item: Id
    title: str | None
    model_id: int
    prediction: float
    sentence: str
    parts: list[ExplanationPart]
    main_part: str | None
    reasons: list[ExplanationReason]
    residual: float
    note: str | None


class NextItem(ItemOut):
    """The item whose rating would tell most about a person who has answered so many."""

    user: Id
    model_id: int
    n_answered: int


class SimilarItem(ItemOut):
    """An item and how alike it is, from -1 to 1."""

    similarity: float


class SimilarItems(Schema):
    """Items like one."""

    item: Id
    title: str | None
    model_id: int
    items: list[SimilarItem]


class ModelOut(Schema):
    """A model that the service keeps."""

    id: int
    is_active: bool
    model: str
    params: dict[str, Any]
    origin: str
    created_at: int
    n_ratings: int
    checks: dict[str, Any]
    sha256: str


class JobIn(Schema):
    """What to learn; without a model, the active one's settings."""

    model: Annotated[str, Field(max_length=100)] | None = None
    params: dict[str, Any] = {}


class JobOut(Schema):
    """A training and how far it is."""

    id: int
    state: str
    spec: dict[str, Any]
    started_at: int
    finished_at: int | None
    label: str
    done: int
    total: int
    note: str
    model_id: int | None


class KeyIn(Schema):
    """The key that is wanted."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Literal["read", "write", "admin"]


class KeyOut(Schema):
    """What is known of a key."""

    id: int
    name: str
    role: str
    created_at: int
    revoked_at: int | None


class KeyCreated(KeyOut):
    """A new key: the only time that it is shown."""

    key: str


class UserExport(Schema):
    """All that is kept of a person."""

    user: Id
    ratings: list[RatingOut]
    model_ids: list[int]


class UserDeleted(Schema):
    """What was deleted, and which models were learned from it."""

    n_ratings: int
    model_ids: list[int]


class Readiness(Schema):
    """Whether the service can answer."""

    state: str
    model_id: int | None = None
