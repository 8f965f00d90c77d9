"""The page of visitors: rate, skip, undo, see what changes and why, see what is kept, be forgotten."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from foretaste.errors import BadData
from foretaste.service.api.users import models_that_know
from foretaste.service.db import rating_store
from foretaste.service.db.rating_store import Rated
from foretaste.service.id_codec import LONGEST
from foretaste.service.web import visitors
from foretaste.service.web.dependencies import AForm, AVisit, Visit, go_to, page_behind
from foretaste.service.web.sessions import drop_cookie
from foretaste.service.web.views import Standing, Views, basis_of
from foretaste.service.web.visitors import Visitor

router = APIRouter(include_in_schema=False)

Id = Annotated[str, Query(max_length=LONGEST)]


@router.get("/")
def rate_page(
    visit: AVisit, item: Id = "", rated: Id = "", before: Annotated[str, Query(max_length=30)] = "",
    skipped: Id = "",
) -> Response:  # fmt: skip
    """Ask about an item, and show what the visitor will like; ``rated`` and ``skipped`` say what was done."""
    return _rating(visit, {"item": item, "rated": rated, "before": before, "skipped": skipped})


def _rating(visit: Visit, asked: dict[str, str], error: str | None = None) -> Response:
    views, store = visit.page.views, visit.page.house.store
    with store.reading() as connection:
        visitor = visitors.find(connection, visit.token)
        now = views.standing(connection, visitor)
        if asked["item"]:
            item: int | str | None = views.checked(connection, asked["item"])
        else:
            item = views.question(connection, now, visitor)
    best = views.best(now, visitor, item)
    done, before, shown = _done(views, now, visitor, asked)
    entries = views.entries(now, best, before, visitor)
    shown |= {str(one.item): one.prediction for one in best}
    _remember(visit, visitor, shown)
    context = {
        "item": item, "error": error, "entries": entries, "done": done, "rated": len(now.rated),
        "basis": basis_of(now), "given": now.rated.get(str(item)), "earlier": _earlier(views, now, item),
        "skipped": asked["skipped"] if asked["skipped"] in visitor.skipped else None,
        "heading": None if item is None else views.heading(item),
        "text": None if item is None else views.text(item), "named": views.named,
        "changed": sum(one.is_new or one.was is not None or one.climbed != 0 for one in entries),
    }  # fmt: skip
    return visit.show("rate.html", context, 422 if error else 200)


def _done(
    views: Views, now: Standing, visitor: Visitor, asked: dict[str, str]
) -> tuple[dict[str, Any] | None, Standing | None, dict[str, float]]:
    """Return what a visitor has just rated, how they stood before, and which prediction is told of it."""
    last = now.rated.get(asked["rated"])
    if last is None or visitor.user is None:
        return None, None, {}
    try:
        value = views.scale.parsed(asked["before"]) if asked["before"] else None
    except BadData:
        value = None
    before = views.without(now, last.item, value)
    item = views.serving.kinds.own(last.item, "item")
    guess = views.predicted(before, item) if value is None else None
    shown = {} if guess is None else {last.item: guess}
    done = {
        "item": item, "name": views.named(item), "value": last.value, "guess": guess,
        "before": asked["before"] if value is not None else "", "by_most": not before.rated,
    }  # fmt: skip
    return done, before, shown


def _earlier(views: Views, now: Standing, item: int | str | None) -> list[tuple[float, str]]:
    """Return the visitor's ratings, for reminders of like ones."""
    kinds = views.serving.kinds
    others = [one for one in now.rated.values() if one.item != str(item)]
    return [(one.value, views.named(kinds.own(one.item, "item"))) for one in others[-100:]]


def _remember(visit: Visit, visitor: Visitor, shown: dict[str, float]) -> None:
    """Keep which predictions are shown, so that ratings that follow them are known as such."""
    if visitor.user is None or all(visitor.shown.get(item) == value for item, value in shown.items()):
        return
    house = visit.page.house
    with house.store.writing() as connection:
        visitors.keep_shown(connection, house.serving.kinds, visit.token, shown)


@router.post("/rate")
def rate(visit: AVisit, form: AForm) -> Response:
    """Store a rating."""
    visit.check(form)
    views, house = visit.page.views, visit.page.house
    try:
        value = views.scale.parsed(form.get("value", ""))
    except BadData as error:
        asked = {"item": form.get("item", ""), "rated": "", "before": "", "skipped": ""}
        return _rating(visit, asked, error.message)
    with house.store.writing() as connection:
        item = str(views.checked(connection, form.get("item", "")))
        visitor = visitors.take_in(connection, house.serving.kinds, visit.token)
        user = str(visitor.user)
        before = {one.item: one.value for one in rating_store.history(connection, user)}.get(item)
        rated = Rated(item, value, int(time.time()), visitor.shown.get(item))
        changed = rating_store.put(connection, user, rated)[1]
        left = tuple(one for one in visitor.skipped if one != item)
        visitors.keep_skipped(connection, user, left)
    house.figures.written.inc(int(changed))
    return go_to("/", rated=item, before=None if before is None else repr(before))


@router.post("/skip")
def skip(visit: AVisit, form: AForm) -> Response:
    """Ask about another item, and this one no more."""
    return _skipped(visit, form, is_skipped=True)


@router.post("/bring-back")
def bring_back(visit: AVisit, form: AForm) -> Response:
    """Ask about a skipped item again."""
    return _skipped(visit, form, is_skipped=False)


def _skipped(visit: Visit, form: dict[str, str], *, is_skipped: bool) -> Response:
    visit.check(form)
    views, house = visit.page.views, visit.page.house
    with house.store.writing() as connection:
        item = str(views.checked(connection, form.get("item", "")))
        visitor = visitors.take_in(connection, house.serving.kinds, visit.token)
        others = tuple(one for one in visitor.skipped if one != item)
        visitors.keep_skipped(connection, str(visitor.user), (*others, item) if is_skipped else others)
    if form.get("from") == "mine":
        return go_to("/mine")
    return go_to("/", **({"skipped": item} if is_skipped else {"item": item}))


@router.post("/undo")
def undo(visit: AVisit, form: AForm) -> Response:
    """Take a rating back: to the one before, if there was one."""
    visit.check(form)
    views, house = visit.page.views, visit.page.house
    before = views.scale.parsed(form["before"]) if form.get("before") else None
    with house.store.writing() as connection:
        item = str(views.checked(connection, form.get("item", "")))
        user = visitors.find(connection, visit.token).user
        if user is None:
            changed = False
        elif before is None:
            changed = rating_store.delete(connection, user, item)
        else:
            rated = Rated(item, before, int(time.time()), None)
            changed = rating_store.put(connection, user, rated)[1]
    house.figures.written.inc(int(changed))
    return go_to("/mine") if form.get("from") == "mine" else go_to("/", item=item)


@router.get("/about")
def about(visit: AVisit, item: Annotated[str, Query(min_length=1, max_length=LONGEST)]) -> Response:
    """Show an item: what is predicted, why, and what is like it."""
    views = visit.page.views
    with visit.page.house.store.reading() as connection:
        visitor = visitors.find(connection, visit.token)
        now = views.standing(connection, visitor)
        own = views.checked(connection, item)
    given = now.rated.get(str(own))
    prediction = views.predicted(now, own) if now.rated and given is None else None
    told = None if prediction is None else views.explained(now, own)
    if prediction is not None:
        _remember(visit, visitor, {str(own): prediction})
    context = {
        "item": own, "heading": views.heading(own), "text": views.text(own), "given": given,
        "prediction": prediction, "why": views.reason(now, told), "alike": views.alike(now, own),
        "sum": () if told is None else views.sum(told), "basis": basis_of(now), "rated": len(now.rated),
    }  # fmt: skip
    return visit.show("about.html", context)


# What is kept -------------------------------------------------------------------------------------------


@router.get("/mine")
def mine(visit: AVisit) -> Response:
    """List the visitor's ratings, to change, take along or delete."""
    views, kinds = visit.page.views, visit.page.house.serving.kinds
    visitor, kept = _kept(visit)
    rows = [(kinds.own(one.item, "item"), one.value) for one in kept]
    skipped = [kinds.own(item, "item") for item in visitor.skipped if item not in views.hidden]
    return visit.show(
        "my_ratings.html", {"rows": rows, "skipped": skipped, "named": views.listed, "gone": None}
    )


@router.get("/mine.json")
def take_along(visit: AVisit) -> Response:
    """Hand out all that is kept of the visitor."""
    house = visit.page.house
    visitor, kept = _kept(visit)
    told = {
        "user": None if visitor.user is None else house.serving.kinds.own(visitor.user, "user"),
        "ratings": [
            {"item": house.serving.kinds.own(one.item, "item"), "title": house.serving.title(one.item),
             "value": one.value, "rated_at": one.rated_at, "shown_prediction": one.shown}
            for one in kept
        ],
        "skipped": list(visitor.skipped), "shown_predictions": visitor.shown,
    }  # fmt: skip
    text = json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False)
    headers = {"Content-Disposition": 'attachment; filename="my-ratings.json"'}
    return Response(text, 200, headers, "application/json")


def _kept(visit: Visit) -> tuple[Visitor, list[Rated]]:
    with visit.page.house.store.reading() as connection:
        visitor = visitors.find(connection, visit.token)
        kept = [] if visitor.user is None else rating_store.history(connection, visitor.user)
    return visitor, kept


@router.post("/forget")
def forget(visit: AVisit, form: AForm) -> Response:
    """Delete all that is kept of the visitor, and their cookie."""
    visit.check(form)
    house, gone, models = visit.page.house, 0, list[int]()
    with house.store.writing() as connection:
        user = visitors.find(connection, visit.token).user
        if user is not None:
            gone = rating_store.erase(connection, user)
    if user is not None:
        house.serving.forget(user)
        models = models_that_know(house, house.serving.kinds.own(user, "user"))
    context = {"rows": [], "skipped": [], "gone": gone, "models": models, "named": visit.page.views.named}
    response = visit.show("my_ratings.html", context)
    drop_cookie(response, visit.page.signer.visitor, is_admin=False)
    return response


# Files ---------------------------------------------------------------------------------------------------


@router.get("/static/{name}")
async def static(name: str, request: Request) -> Response:
    """Hand out a file of the page."""
    found = page_behind(request).looks.file(name)
    if found is None:
        raise HTTPException(404, "There is no such file.")
    return found


@router.get("/favicon.ico")
async def icon(request: Request) -> Response:
    """Hand out the page's mark, which browsers ask for by this name."""
    return await static("icon.svg", request)
