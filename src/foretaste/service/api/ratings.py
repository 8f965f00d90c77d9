"""Ratings: put, delete, list; a successful response means that the change is on disk."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from foretaste.errors import DataError, NotFoundError
from foretaste.service.api.dependencies import (
    IdQuery,
    StateDep,
    error_responses,
    require_role,
)
from foretaste.service.db import rating_store
from foretaste.service.db.rating_store import StoredRating
from foretaste.service.id_codec import MAX_ID_LENGTH
from foretaste.service.model_server import ModelServer
from foretaste.service.schemas import DeleteResult, RatingIn, RatingOut, RatingPage, RatingStored, Success

router = APIRouter(prefix="/ratings", tags=["ratings"])


@router.put(
    "",
    responses=error_responses(404, 507),
    dependencies=[Depends(require_role("write"))],
)
def put_rating(body: RatingIn, app_state: StateDep) -> Success[RatingStored]:
    """Create or update a rating; the user's recommendations follow at once."""
    codec = app_state.model_server.id_codec
    user, item = codec.to_text(body.user, "user"), codec.to_text(body.item, "item")
    if not codec.low <= body.value <= codec.high:
        raise DataError(f"ratings go from {codec.low:g} to {codec.high:g}", hint=f"such as {codec.high:g}")
    rating = StoredRating(item, body.value, int(time.time()), body.shown_prediction)
    with app_state.database.write_transaction() as connection:
        if not rating_store.has_item(connection, item):
            raise NotFoundError("there is no such item", hint="one of GET /api/v1/items")
        created, changed = rating_store.put_rating(connection, user, rating)
    app_state.metrics.ratings_written.inc(int(changed))
    return Success(data=RatingStored(
        user=codec.from_text(user, "user"), item=codec.from_text(item, "item"), value=body.value,
        created=created, changed=changed,
    ))  # fmt: skip


@router.delete(
    "",
    responses=error_responses(507),
    dependencies=[Depends(require_role("write"))],
)
def delete_rating(user: IdQuery, item: IdQuery, app_state: StateDep) -> Success[DeleteResult]:
    """Delete a rating; idempotent."""
    codec = app_state.model_server.id_codec
    user, item = codec.to_text(user, "user"), codec.to_text(item, "item")
    with app_state.database.write_transaction() as connection:
        is_deleted = rating_store.delete_rating(connection, user, item)
    app_state.metrics.ratings_written.inc(int(is_deleted))
    return Success(data=DeleteResult(deleted=is_deleted))


@router.get(
    "",
    responses=error_responses(),
    dependencies=[Depends(require_role("read"))],
)
def list_ratings(
    user: IdQuery, app_state: StateDep,
    after: Annotated[str, Query(max_length=MAX_ID_LENGTH)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Success[RatingPage]:  # fmt: skip
    """List the ratings of a user, ordered by item id as text; an unknown user has none."""
    codec = app_state.model_server.id_codec
    user = codec.to_text(user, "user")
    if after:
        after = codec.to_text(after, "item")
    with app_state.database.read_connection() as connection:
        ratings = rating_store.get_ratings_page(connection, user, after, limit)
    rows = [rating_out(rating, app_state.model_server) for rating in ratings]
    next_item = ratings[-1].item if len(ratings) == limit else None
    return Success(data=RatingPage(user=codec.from_text(user, "user"), ratings=rows, next=next_item))


def rating_out(rating: StoredRating, model_server: ModelServer) -> RatingOut:
    """Return a rating with its item's id and title."""
    return RatingOut(
        item=model_server.id_codec.from_text(rating.item, "item"), title=model_server.item_title(rating.item),
        value=rating.value, rated_at=rating.rated_at, shown_prediction=rating.shown_prediction,
    )  # fmt: skip
