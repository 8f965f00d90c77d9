"""Routes of the rating page: rate, skip, undo, item details, and the visitor's own data."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from foretaste.errors import DataError
from foretaste.service.api.ratings import rating_out
from foretaste.service.db import rating_store
from foretaste.service.db.rating_store import StoredRating
from foretaste.service.id_codec import MAX_ID_LENGTH
from foretaste.service.model_admin import models_with_user
from foretaste.service.web import sessions
from foretaste.service.web.dependencies import (
    FormDep,
    KnownVisitorDep,
    PageRequest,
    PageRequestDep,
    get_web,
    redirect_to,
)
from foretaste.service.web.sessions import Visitor, check_same_origin, delete_cookie
from foretaste.service.web.views import PageViews, VisitorState, basis_line

router = APIRouter(include_in_schema=False, dependencies=[Depends(check_same_origin)])

IdParam = Annotated[str, Query(max_length=MAX_ID_LENGTH)]
_MAX_REMINDERS = 100


@router.get("/")
def rate_page(
    page_request: PageRequestDep, item: IdParam = "", rated: IdParam = "",
    previous: Annotated[str, Query(max_length=30)] = "", skipped: IdParam = "",
) -> Response:  # fmt: skip
    """Show an item to rate and the suggestions; ``rated`` or ``skipped`` is the item of the last action."""
    query = {"item": item, "rated": rated, "previous": previous, "skipped": skipped}
    return _render_rate_page(page_request, query)


def _render_rate_page(page_request: PageRequest, query: dict[str, str], error: str | None = None) -> Response:
    views, database = page_request.web.views, page_request.web.app_state.database
    with database.read_connection() as connection:
        visitor = sessions.find_visitor(connection, page_request.token)
        state = views.visitor_state(connection, visitor)
        if query["item"]:
            item: int | str | None = views.parse_item(connection, query["item"])
        else:
            item = views.next_item(connection, state, visitor)
    predictions = views.recommend(state, visitor, item)
    last_rating, previous_state, shown_predictions = _last_rating(views, state, visitor, query)
    suggestions = views.make_suggestions(state, predictions, previous_state, visitor)
    shown_predictions |= {str(prediction.item): prediction.prediction for prediction in predictions}
    _store_shown_predictions(page_request, visitor, shown_predictions)
    n_changed = sum(
        suggestion.is_new or suggestion.previous_prediction is not None or suggestion.rank_change != 0
        for suggestion in suggestions
    )
    context = {
        "item": item, "error": error, "suggestions": suggestions, "last_rating": last_rating,
        "n_rated": len(state.ratings), "basis": basis_line(state), "own_rating": state.ratings.get(str(item)),
        "earlier_ratings": _earlier_ratings(views, state, item), "item_title": views.inline_title,
        "skipped": query["skipped"] if query["skipped"] in visitor.skipped_items else None,
        "heading": None if item is None else views.item_heading(item),
        "text": None if item is None else views.item_text(item), "n_changed": n_changed,
    }  # fmt: skip
    return page_request.render("rate.html", context, 422 if error else 200)


def _last_rating(
    views: PageViews, state: VisitorState, visitor: Visitor, query: dict[str, str]
) -> tuple[dict[str, Any] | None, VisitorState | None, dict[str, float]]:
    """Return the rating just stored, the state before it, and the prediction that is shown with it."""
    stored = state.ratings.get(query["rated"])
    if stored is None or visitor.user is None:
        return None, None, {}
    try:
        previous_value = views.scale.parse_rating(query["previous"]) if query["previous"] else None
    except DataError:
        previous_value = None
    previous_state = views.state_without(state, stored.item, previous_value)
    item = views.model_server.id_codec.from_text(stored.item, "item")
    prediction = views.predict(previous_state, item) if previous_value is None else None
    shown_predictions = {} if prediction is None else {stored.item: prediction}
    last_rating = {
        "item": item, "title": views.inline_title(item), "value": stored.value, "prediction": prediction,
        "previous": query["previous"] if previous_value is not None else "",
        "is_first": not previous_state.ratings,
    }  # fmt: skip
    return last_rating, previous_state, shown_predictions


def _earlier_ratings(
    views: PageViews, state: VisitorState, item: int | str | None
) -> list[tuple[float, str]]:
    """Return the visitor's latest ratings, as reminders of how similar values were used."""
    codec = views.model_server.id_codec
    others = [rating for rating in state.ratings.values() if rating.item != str(item)]
    return [
        (rating.value, views.inline_title(codec.from_text(rating.item, "item")))
        for rating in others[-_MAX_REMINDERS:]
    ]


def _store_shown_predictions(
    page_request: PageRequest, visitor: Visitor, shown_predictions: dict[str, float]
) -> None:
    """Store which predictions are shown: ratings that follow them are excluded from training."""
    stored = visitor.shown_predictions
    if visitor.user is None or all(stored.get(item) == value for item, value in shown_predictions.items()):
        return
    app_state = page_request.web.app_state
    with app_state.database.write_transaction() as connection:
        sessions.add_shown_predictions(
            connection, app_state.model_server.id_codec, page_request.token, shown_predictions
        )


@router.post("/rate")
def rate_item(page_request: KnownVisitorDep, form: FormDep) -> Response:
    """Store a rating."""
    views, app_state = page_request.web.views, page_request.web.app_state
    try:
        value = views.scale.parse_rating(form.get("value", ""))
    except DataError as error:
        query = {"item": form.get("item", ""), "rated": "", "previous": "", "skipped": ""}
        return _render_rate_page(page_request, query, error.message)
    codec = app_state.model_server.id_codec
    with app_state.database.write_transaction() as connection:
        item = str(views.parse_item(connection, form.get("item", "")))
        visitor = sessions.get_or_create_visitor(connection, codec, page_request.token)
        user = str(visitor.user)
        values = {rating.item: rating.value for rating in rating_store.get_user_ratings(connection, user)}
        previous = values.get(item)
        rating = StoredRating(item, value, int(time.time()), visitor.shown_predictions.get(item))
        changed = rating_store.put_rating(connection, user, rating)[1]
        skipped_items = tuple(skipped_item for skipped_item in visitor.skipped_items if skipped_item != item)
        sessions.set_skipped_items(connection, user, skipped_items)
    app_state.metrics.ratings_written.inc(int(changed))
    return redirect_to("/", rated=item, previous=None if previous is None else repr(previous))


@router.post("/skip")
def skip_item(page_request: KnownVisitorDep, form: FormDep) -> Response:
    """Skip an item: it is not asked about again."""
    return _set_skipped(page_request, form, is_skipped=True)


@router.post("/restore")
def restore_item(page_request: KnownVisitorDep, form: FormDep) -> Response:
    """Ask about a skipped item again."""
    return _set_skipped(page_request, form, is_skipped=False)


def _set_skipped(page_request: PageRequest, form: dict[str, str], *, is_skipped: bool) -> Response:
    views, app_state = page_request.web.views, page_request.web.app_state
    codec = app_state.model_server.id_codec
    with app_state.database.write_transaction() as connection:
        item = str(views.parse_item(connection, form.get("item", "")))
        visitor = sessions.get_or_create_visitor(connection, codec, page_request.token)
        others = tuple(skipped_item for skipped_item in visitor.skipped_items if skipped_item != item)
        skipped_items = (*others, item) if is_skipped else others
        sessions.set_skipped_items(connection, str(visitor.user), skipped_items)
    if form.get("from") == "mine":
        return redirect_to("/mine")
    return redirect_to("/", **({"skipped": item} if is_skipped else {"item": item}))


@router.post("/undo")
def undo_rating(page_request: KnownVisitorDep, form: FormDep) -> Response:
    """Restore the previous rating of an item, or delete the rating if there was none."""
    views, app_state = page_request.web.views, page_request.web.app_state
    previous = views.scale.parse_rating(form["previous"]) if form.get("previous") else None
    with app_state.database.write_transaction() as connection:
        item = str(views.parse_item(connection, form.get("item", "")))
        user = sessions.find_visitor(connection, page_request.token).user
        if user is None:
            changed = False
        elif previous is None:
            changed = rating_store.delete_rating(connection, user, item)
        else:
            rating = StoredRating(item, previous, int(time.time()), None)
            changed = rating_store.put_rating(connection, user, rating)[1]
    app_state.metrics.ratings_written.inc(int(changed))
    return redirect_to("/mine") if form.get("from") == "mine" else redirect_to("/", item=item)


@router.get("/item")
def item_page(
    page_request: PageRequestDep, item: Annotated[str, Query(min_length=1, max_length=MAX_ID_LENGTH)]
) -> Response:
    """Show an item: its prediction with the explanation, and similar items."""
    views = page_request.web.views
    with page_request.web.app_state.database.read_connection() as connection:
        visitor = sessions.find_visitor(connection, page_request.token)
        state = views.visitor_state(connection, visitor)
        item_id = views.parse_item(connection, item)
    own_rating = state.ratings.get(str(item_id))
    prediction = views.predict(state, item_id) if state.ratings and own_rating is None else None
    explanation = None if prediction is None else views.explain(state, item_id)
    if prediction is not None:
        _store_shown_predictions(page_request, visitor, {str(item_id): prediction})
    context = {
        "item": item_id, "heading": views.item_heading(item_id), "text": views.item_text(item_id),
        "own_rating": own_rating, "prediction": prediction, "n_rated": len(state.ratings),
        "reason": views.suggestion_reason(state, explanation), "basis": basis_line(state),
        "terms": () if explanation is None else views.explanation_terms(explanation),
        "similar_items": views.similar_items(state, item_id),
    }  # fmt: skip
    return page_request.render("item.html", context)


# The visitor's own data ----------------------------------------------------------------------------------


@router.get("/mine")
def my_ratings_page(page_request: PageRequestDep) -> Response:
    """List the visitor's ratings and skipped items."""
    views, codec = page_request.web.views, page_request.web.app_state.model_server.id_codec
    visitor, ratings = _visitor_ratings(page_request)
    allowed_items = [item for item in visitor.skipped_items if item not in views.excluded_items]
    context = {
        "rows": [(codec.from_text(rating.item, "item"), rating.value) for rating in ratings],
        "skipped_items": [codec.from_text(item, "item") for item in allowed_items],
        "item_title": views.short_title, "n_deleted": None,
    }  # fmt: skip
    return page_request.render("my_ratings.html", context)


@router.get("/mine.json")
def download_my_data(page_request: PageRequestDep) -> Response:
    """Download all data of the visitor as JSON."""
    model_server = page_request.web.app_state.model_server
    visitor, ratings = _visitor_ratings(page_request)
    export = {
        "user": None if visitor.user is None else model_server.id_codec.from_text(visitor.user, "user"),
        "ratings": [rating_out(rating, model_server).model_dump() for rating in ratings],
        "skipped_items": list(visitor.skipped_items), "shown_predictions": visitor.shown_predictions,
    }  # fmt: skip
    text = json.dumps(export, ensure_ascii=False, indent=1, allow_nan=False)
    headers = {"Content-Disposition": 'attachment; filename="my-ratings.json"'}
    return Response(text, 200, headers, "application/json")


def _visitor_ratings(page_request: PageRequest) -> tuple[Visitor, list[StoredRating]]:
    with page_request.web.app_state.database.read_connection() as connection:
        visitor = sessions.find_visitor(connection, page_request.token)
        ratings = [] if visitor.user is None else rating_store.get_user_ratings(connection, visitor.user)
    return visitor, ratings


@router.post("/forget")
def delete_my_data(page_request: KnownVisitorDep, form: FormDep) -> Response:
    """Delete all data of the visitor, and their cookie."""
    app_state, n_deleted, model_ids = page_request.web.app_state, 0, list[int]()
    with app_state.database.write_transaction() as connection:
        user = sessions.find_visitor(connection, page_request.token).user
        if user is not None:
            n_deleted = rating_store.delete_user(connection, user)
    if user is not None:
        app_state.model_server.evict_user(user)
        user_id = app_state.model_server.id_codec.from_text(user, "user")
        model_ids = models_with_user(app_state.settings, app_state.database, user_id)
    context = {
        "rows": [], "skipped_items": [], "n_deleted": n_deleted, "model_ids": model_ids,
        "item_title": page_request.web.views.inline_title,
    }  # fmt: skip
    response = page_request.render("my_ratings.html", context)
    delete_cookie(response, page_request.web.signer.visitor_cookie, is_admin=False)
    return response


# Static files --------------------------------------------------------------------------------------------


@router.get("/static/{name}")
async def static_file(name: str, request: Request) -> Response:
    """Return a static file."""
    response = get_web(request).templates.static_response(name)
    if response is None:
        raise HTTPException(404, "There is no such file.")
    return response


@router.get("/favicon.ico")
async def favicon(request: Request) -> Response:
    """Return the icon at the address that browsers request."""
    return await static_file("icon.svg", request)
