"""Items: searched and paged."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from foretaste.service.api.dependencies import InHouse, answer, failures, needs
from foretaste.service.db import rating_store
from foretaste.service.schemas import ItemPage, Success

router = APIRouter(prefix="/items", tags=["items"], dependencies=[Depends(needs("read"))])


@router.get("", response_model=Success[ItemPage], responses=failures())
def list_items(
    house: InHouse, search: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1, limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:  # fmt: skip
    """List items in the order of their ids; with ``search``, those whose id or title has all its words."""
    kinds = house.serving.kinds
    words = "".join(sign if sign.isprintable() else " " for sign in search)
    with house.store.reading() as connection:
        found = rating_store.search(connection, words, after, limit)
    items = [{"item": kinds.own(item, "item"), "title": title} for _, item, title in found]
    return answer({"items": items, "next": found[-1][0] if len(found) == limit else None})
