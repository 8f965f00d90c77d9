"""All that is kept of one person: handed out, and deleted."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from foretaste.service.api.dependencies import House, InHouse, answer, failures, needs
from foretaste.service.api.ratings import IdInQuery, listed
from foretaste.service.db import model_store, rating_store
from foretaste.service.id_codec import one_id
from foretaste.service.schemas import Erased, Export, Success

router = APIRouter(prefix="/people", tags=["people"], dependencies=[Depends(needs("admin"))])


@router.get("", response_model=Success[Export], responses=failures())
def export_person(user: IdInQuery, house: InHouse) -> Response:
    """Hand out all that is kept of a person, and which models were learned from it."""
    kinds = house.serving.kinds
    text = kinds.text(user, "user")
    with house.store.reading() as connection:
        found = rating_store.history(connection, text)
    rows = [listed(one, house) for one in found]
    own = kinds.own(text, "user")
    return answer({"user": own, "ratings": rows, "models": models_that_know(house, own)})


@router.delete("", response_model=Success[Erased], responses=failures(507))
def erase_person(user: IdInQuery, house: InHouse) -> Response:
    """Delete all that is kept of a person; models that learned from it are named."""
    kinds = house.serving.kinds
    text = kinds.text(user, "user")
    with house.store.writing() as connection:
        gone = rating_store.erase(connection, text)
    house.serving.forget(text)
    return answer({"ratings": gone, "models": models_that_know(house, kinds.own(text, "user"))})


def models_that_know(house: House, user: int | str) -> list[int]:
    """Return the numbers of the models that learned from ratings of a person."""
    from foretaste.persistence import load

    with house.store.reading() as connection:
        models = model_store.listed(connection)
    known = []
    for kept in models:
        path = house.settings.models / kept.file
        if path.is_file() and int(load(path, memory_map=True).users_.remap(one_id(user).ids)[0]) >= 0:
            known.append(kept.number)
    return sorted(known)
