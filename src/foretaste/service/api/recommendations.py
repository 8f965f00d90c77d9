"""What a person will like, how much, and what is like an item."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from foretaste.service import predictor
from foretaste.service.api.dependencies import House, InHouse, answer, envelope, failures, needs
from foretaste.service.api.ratings import IdInQuery
from foretaste.service.db import rating_store
from foretaste.service.id_codec import LONGEST
from foretaste.service.model_server import Active
from foretaste.service.predictor import Answer, Person
from foretaste.service.response_cache import DEFAULT_N
from foretaste.service.schemas import (
    Explained,
    Predictions,
    PredictionsWanted,
    Question,
    SimilarItems,
    Success,
)

router = APIRouter(tags=["recommending"], dependencies=[Depends(needs("read"))])

Ids = Annotated[list[Annotated[str, Field(min_length=1, max_length=LONGEST)]], Query(max_length=500)]
HowMany = Annotated[int, Query(ge=1, le=1000)]


@router.get("/recommendations", response_model=Success[Predictions], responses=failures())
def get_recommendations(user: IdInQuery, house: InHouse, n: HowMany = DEFAULT_N) -> Response:
    """List the items that a person has not rated and will like best, the best first."""
    serving = house.serving
    text = serving.kinds.text(user, "user")
    with house.store.reading() as connection:
        moment = rating_store.moment(connection, text)
        told = serving.told.get(text, n, moment)
        if told is None:
            active, who = serving.person(connection, text, moment)
    if told is None:
        with serving.at_work:
            told = _told(house, text, active, who, predictor.recommendations(who, n, active.index))
        serving.told.put(text, n, moment, told)
    return Response(told, media_type="application/json")


@router.post("/predictions", response_model=Success[Predictions], responses=failures(404))
def post_predictions(wanted: PredictionsWanted, house: InHouse) -> Response:
    """Predict what a person would give some items."""
    kinds = house.serving.kinds
    text = kinds.text(wanted.user, "user")
    items = kinds.column([kinds.text(item, "item") for item in wanted.items], "item")
    with house.store.reading() as connection:
        active, who = house.serving.person(connection, text)
    told = _told(house, text, active, who, predictor.predictions(who, items))
    return Response(told, media_type="application/json")


@router.get("/similar", response_model=Success[SimilarItems], responses=failures(404, 409))
def get_similar(item: IdInQuery, house: InHouse, n: HowMany = 10) -> Response:
    """List the items most like one."""
    kinds = house.serving.kinds
    text = kinds.text(item, "item")
    own = kinds.own(text, "item")
    with house.store.reading() as connection:
        active = house.serving.active(connection)
        found = predictor.similar(active.model, own, n)
    title = house.serving.title
    rows = [{"item": id_, "title": title(id_), "similarity": round(value, 6)} for id_, value in found]
    return answer({"item": own, "title": title(own), "model": active.kept.number, "items": rows})


@router.get("/explanations", response_model=Success[Explained], responses=failures(404, 409))
def get_explanation(user: IdInQuery, item: IdInQuery, house: InHouse) -> Response:
    """Say what a prediction is made of, and which of the person's ratings moved it."""
    kinds = house.serving.kinds
    text, what = kinds.text(user, "user"), kinds.text(item, "item")
    with house.store.reading() as connection:
        active, who = house.serving.person(connection, text)
    found = predictor.explained(who, kinds.own(text, "user"), kinds.own(what, "item"))
    title = house.serving.title
    reasons = [
        {"item": one.id, "title": title(one.id), "rating": one.rating, "share": one.share}
        for one in found.reasons
    ]
    return answer({
        "user": found.user, "item": found.item, "title": title(what), "model": active.kept.number,
        "prediction": found.prediction, "sentence": found.sentence(),
        "parts": [{"name": part.name, "value": part.value} for part in found.parts],
        "moved": found.moved, "reasons": reasons, "rest": found.rest, "note": found.note,
    })  # fmt: skip


@router.get("/questions", response_model=Success[Question], responses=failures(404, 409))
def get_question(
    user: IdInQuery,
    house: InHouse,
    skip: Ids = [],  # noqa: B006 - FastAPI gives each request its own
) -> Response:
    """Say which item to ask a person about next: the one whose rating would tell most, none of ``skip``."""
    kinds = house.serving.kinds
    text = kinds.text(user, "user")
    skipped = kinds.column([kinds.text(item, "item") for item in skip], "item")
    with house.store.reading() as connection:
        active, who = house.serving.person(connection, text)
    item = predictor.question(active.model, who.own, skipped)
    return answer({
        "user": kinds.own(text, "user"), "model": active.kept.number, "answered": len(who.rated),
        "item": item, "title": house.serving.title(item),
    })  # fmt: skip


def _told(house: House, user: str, active: Active, who: Person, found: list[Answer]) -> bytes:
    """Return an answer in words: the bytes of its JSON."""
    title = house.serving.title
    rows: list[dict[str, Any]] = [
        {"item": one.item, "title": title(one.item), "prediction": one.prediction} for one in found
    ]
    return envelope({
        "user": house.serving.kinds.own(user, "user"), "model": active.kept.number, "basis": who.basis,
        "ratings_used": who.used, "items": rows,
    })  # fmt: skip
