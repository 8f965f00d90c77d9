"""Items: list and search."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from foretaste.service.api.dependencies import StateDep, error_responses, require_role
from foretaste.service.db import rating_store
from foretaste.service.schemas import ItemOut, ItemPage, Success

router = APIRouter(prefix="/items", tags=["items"], dependencies=[Depends(require_role("read"))])


@router.get("", responses=error_responses())
def list_items(
    app_state: StateDep, search: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1, limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Success[ItemPage]:  # fmt: skip
    """List items in id order; with ``search``, those whose id or title contains all its words."""
    codec = app_state.model_server.id_codec
    words = "".join(char if char.isprintable() else " " for char in search)
    with app_state.database.read_connection() as connection:
        rows = rating_store.search_items(connection, words, after, limit)
    items = [ItemOut(item=codec.from_text(item, "item"), title=title) for _, item, title in rows]
    return Success(data=ItemPage(items=items, next=rows[-1][0] if len(rows) == limit else None))
