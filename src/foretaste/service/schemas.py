"""Pydantic schemas of requests and responses: the routes return them, the OpenAPI document describes them."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from foretaste.service.id_codec import MAX_ID_LENGTH

T = TypeVar("T")

MAX_INTEGER_ID = 10**18 - 1
Id = Annotated[
    Annotated[StrictInt, Field(ge=-MAX_INTEGER_ID, le=MAX_INTEGER_ID)]
    | Annotated[StrictStr, Field(min_length=1, max_length=MAX_ID_LENGTH)],
    Field(description="An integer or text, as in the ratings."),
]
IdOut = Annotated[int | str, Field(description="An integer or text, as in the ratings.")]
RatingValue = Annotated[float, Field(allow_inf_nan=False, strict=True)]


class Schema(BaseModel):
    """Base class; undeclared fields and numbers that JSON lacks are rejected."""

    model_config = ConfigDict(
        extra="forbid", protected_namespaces=(), from_attributes=True, allow_inf_nan=False
    )


class ErrorDetail(Schema):
    """What is wrong, and how to fix it."""

    code: str
    message: str
    hint: str | None = None


class Failure(Schema):
    """Envelope of an error response."""

    ok: Literal[False] = False
    error: ErrorDetail


class Success(Schema, Generic[T]):
    """Envelope of a successful response."""

    ok: Literal[True] = True
    data: T


class RatingIn(Schema):
    """A rating to store."""

    user: Id
    item: Id
    value: RatingValue
    shown_prediction: Annotated[
        RatingValue | None,
        Field(description="Prediction the user saw before rating. Such a rating is excluded from training."),
    ] = None


class RatingStored(Schema):
    """A stored rating; ``created``: there was none before."""

    user: IdOut
    item: IdOut
    value: float
    created: bool
    changed: bool


class RatingOut(Schema):
    """One rating of a user; times are seconds since 1970."""

    item: IdOut
    title: str | None
    value: float
    rated_at: int | None
    shown_prediction: float | None


class RatingPage(Schema):
    """A page of a user's ratings; ``next`` is ``after`` of the next page, if there is one."""

    user: IdOut
    ratings: list[RatingOut]
    next: str | None


class DeleteResult(Schema):
    """Whether there was something to delete."""

    deleted: bool


class ItemOut(Schema):
    """An item."""

    item: IdOut
    title: str | None


class ItemPage(Schema):
    """A page of items; ``next`` is ``after`` of the next page, if there is one."""

    items: list[ItemOut]
    next: int | None


class PredictedItem(ItemOut):
    """An item and its predicted rating."""

    prediction: float


class PredictionsOut(Schema):
    """Predictions for a user, and what they are based on."""

    user: IdOut
    model_id: int
    basis: str
    n_ratings_used: int
    items: list[PredictedItem]


class PredictionsIn(Schema):
    """User and items to predict."""

    user: Id
    items: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class ExplanationPart(Schema):
    """One part of a prediction, in rating units."""

    name: str
    value: float


class ExplanationReason(ItemOut):
    """A rating of the user, and its contribution to the prediction."""

    rating: float | None
    contribution: float


class ExplanationOut(Schema):
    """Explanation of a prediction.

    The ``parts`` add up to the prediction; the contributions and the ``residual`` to the ``main_part``.
    """

    user: IdOut
    item: IdOut
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
    """The most informative item to ask a user to rate next; ``n_answered``: ratings so far."""

    user: IdOut
    model_id: int
    n_answered: int


class SimilarItem(ItemOut):
    """An item and its similarity, from -1 to 1."""

    similarity: float


class SimilarItems(Schema):
    """The items most similar to an item."""

    item: IdOut
    title: str | None
    model_id: int
    items: list[SimilarItem]


class ModelOut(Schema):
    """A stored model."""

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
    """The model to train; default: the spec of the active one."""

    model: Annotated[str, Field(max_length=100)] | None = None
    params: dict[str, Any] = {}


class JobOut(Schema):
    """A training job and its progress."""

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
    """The API key to create."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Literal["read", "write", "admin"]


class KeyOut(Schema):
    """An API key's row; the key itself is not stored."""

    id: int
    name: str
    role: str
    created_at: int
    revoked_at: int | None


class KeyCreated(KeyOut):
    """A new API key, shown this once."""

    key: str


class UserExport(Schema):
    """All data of a user, and the models trained on them."""

    user: IdOut
    ratings: list[RatingOut]
    model_ids: list[int]


class UserDeleted(Schema):
    """Number of ratings deleted, and the models that were trained on them."""

    n_ratings: int
    model_ids: list[int]


class Readiness(Schema):
    """Whether the service can respond."""

    state: str
    model_id: int | None = None
