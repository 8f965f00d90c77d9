"""Ratings: one is put, deleted or listed; what was answered with success is on disk."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from foretaste.errors import BadData, NotFound
from foretaste.service.api.dependencies import House, InHouse, answer, failures, needs
from foretaste.service.db import rating_store
from foretaste.service.db.rating_store import Rated
from foretaste.service.id_codec import LONGEST
from foretaste.service.schemas import Deleted, RatingGiven, RatingKept, RatingPage, Success

router = APIRouter(prefix="/ratings", tags=["ratings"])

IdInQuery = Annotated[str, Query(min_length=1, max_length=LONGEST)]


@router.put(
    "",
    response_model=Success[RatingKept],
    responses=failures(404, 507),
    dependencies=[Depends(needs("write"))],
)
def put_rating(given: RatingGiven, house: InHouse) -> Response:
    """Store a rating, or change it; the person's recommendations change at once."""
    kinds = house.serving.kinds
    user, item = kinds.text(given.user, "user"), kinds.text(given.item, "item")
    if not kinds.low <= given.value <= kinds.high:
        raise BadData(f"ratings go from {kinds.low:g} to {kinds.high:g}", hint=f"such as {kinds.high:g}")
    rated = Rated(item, given.value, int(time.time()), given.shown_prediction)
    with house.store.writing() as connection:
        if not rating_store.has_item(connection, item):
            raise NotFound("there is no such item", hint="one of GET /api/v1/items")
        created, changed = rating_store.put(connection, user, rated)
    house.figures.written.inc(int(changed))
    return answer({
        "user": kinds.own(user, "user"), "item": kinds.own(item, "item"), "value": given.value,
        "created": created, "changed": changed,
    })  # fmt: skip


@router.delete(
    "", response_model=Success[Deleted], responses=failures(507), dependencies=[Depends(needs("write"))]
)
def delete_rating(user: IdInQuery, item: IdInQuery, house: InHouse) -> Response:
    """Delete a rating; to delete one that is not there is no error."""
    kinds = house.serving.kinds
    user, item = kinds.text(user, "user"), kinds.text(item, "item")
    with house.store.writing() as connection:
        gone = rating_store.delete(connection, user, item)
    house.figures.written.inc(int(gone))
    return answer({"deleted": gone})


@router.get(
    "", response_model=Success[RatingPage], responses=failures(), dependencies=[Depends(needs("read"))]
)
def list_ratings(
    user: IdInQuery, house: InHouse,
    after: Annotated[str, Query(max_length=LONGEST)] = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:  # fmt: skip
    """List the ratings of a person, by item id as text; of an unknown person there are none."""
    kinds = house.serving.kinds
    user = kinds.text(user, "user")
    if after:
        after = kinds.text(after, "item")
    with house.store.reading() as connection:
        found = rating_store.page(connection, user, after, limit)
    rows = [listed(one, house) for one in found]
    following = found[-1].item if len(found) == limit else None
    return answer({"user": kinds.own(user, "user"), "ratings": rows, "next": following})


def listed(one: Rated, house: House) -> dict[str, Any]:
    """Return a rating as it is listed."""
    return {
        "item": house.serving.kinds.own(one.item, "item"), "title": house.serving.title(one.item),
        "value": one.value, "rated_at": one.rated_at, "shown_prediction": one.shown,
    }  # fmt: skip
