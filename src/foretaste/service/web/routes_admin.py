"""The page of administrators: sign in with a key, see the ratings and the models, train, activate."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from foretaste.errors import BadModelFile, InvalidParameter
from foretaste.service.api.dependencies import Unauthorized
from foretaste.service.api.jobs import checked_spec
from foretaste.service.api.models import activate_kept, delete_kept
from foretaste.service.db import model_store
from foretaste.service.training import jobs
from foretaste.service.web import admin_queries, visitors
from foretaste.service.web.dependencies import AForm, AVisit, Visit, go_to
from foretaste.service.web.sessions import drop_cookie, put_cookie
from foretaste.service.web.static_files import sentence

router = APIRouter(prefix="/admin", include_in_schema=False)

_auditing = threading.Lock()


class SignedOut(Unauthorized):
    """Nobody is signed in."""


@dataclass(frozen=True)
class AdminVisit:
    """A request of an administrator who has signed in.

    Parameters
    ----------
    visit : Visit
    token : str
        Of the session.
    name : str
        Of the key.
    """

    visit: Visit
    token: str
    name: str

    def check(self, form: dict[str, str]) -> None:
        """Refuse a form that no page of this session has made."""
        signer = self.visit.page.signer
        signer.check_form(self.visit.request, self.token, form.get("form_token", ""))


def _session(visit: Visit) -> AdminVisit | None:
    signer = visit.page.signer
    token = signer.opened(visit.request.cookies.get(signer.admin))
    if token is None:
        return None
    with visit.page.house.store.reading() as connection:
        name = visitors.signed_in(connection, token)
    return None if name is None else AdminVisit(visit, token, name)


def admin_of(visit: AVisit) -> AdminVisit:
    """Return who has signed in.

    Raises
    ------
    SignedOut
        If nobody has, or the session is over.
    """
    found = _session(visit)
    if found is None:
        raise SignedOut("You are not signed in, or were signed out. Nothing was changed.")
    return found


AnAdmin = Annotated[AdminVisit, Depends(admin_of)]


@router.get("")
def admin_page(visit: AVisit, said: str = "") -> Response:
    """Show the ratings, the models and the trainings, or the form to sign in with."""
    admin = _session(visit)
    if admin is None:
        message = "You are signed out." if said == "signed-out" else None
        return visit.show("sign_in.html", {"error": None, "message": message})
    return _shown(admin, _SAID.get(said))


_SAID = {
    "started": "The training has begun. The active model goes on serving meanwhile.",
    "stopping": "The training is being stopped; this takes a second or two.",
    "activated": "The model is active now.",
    "rolled-back": "The model before is active again.",
    "deleted": "The model is deleted.",
    "audited": "The ratings were audited just now.",
}


def _shown(admin: AdminVisit, message: str | None, error: str | None = None, status: int = 200) -> Response:
    visit = admin.visit
    store = visit.page.house.store
    with store.reading() as connection:
        n_visitors = visitors.count(connection)
    context = {
        "audit": admin_queries.kept_audit(store), "models": admin_queries.models_of(store), "visitors": n_visitors,
        "trainings": admin_queries.trainings_of(store), "names": admin_queries.model_names(), "key": admin.name,
        "message": message, "error": error, "form_token": visit.page.signer.form_token(admin.token),
    }  # fmt: skip
    return visit.show("admin.html", context, status)


@router.get("/trainings")
def trainings(admin: AnAdmin) -> Response:
    """Show how far the training is: what the page asks for again and again while one is at work."""
    store = admin.visit.page.house.store
    context = {
        "trainings": admin_queries.trainings_of(store),
        "names": admin_queries.model_names(),
        "form_token": admin.visit.page.signer.form_token(admin.token),
    }
    return admin.visit.page.looks.page("jobs.html", context)


# Signing in and out ---------------------------------------------------------------------------------------


@router.post("/sign-in")
def sign_in(visit: AVisit, form: AForm) -> Response:
    """Open a session for who has an admin key."""
    house, attempts = visit.page.house, visit.page.attempts
    address = visit.request.client.host if visit.request.client else ""
    attempts.check(address)
    visit.check(form)
    key = house.keyring.find(form.get("key", "").strip())
    if key is None or not key.may("admin"):
        attempts.count(address)
        if key is None:
            status, error = 401, "This key is not known here, or was revoked."
        else:
            status, error = 403, f"This key may only {key.role}. Signing in needs a key that may do all."
        return visit.show("sign_in.html", {"error": error, "message": None}, status)
    with house.store.writing() as connection:
        token = visitors.sign_in(connection, key)
    response = go_to("/admin")
    signer = visit.page.signer
    put_cookie(response, visit.request, signer.admin, signer.sealed(token), is_admin=True)
    return response


@router.post("/sign-out")
def sign_out(admin: AnAdmin, form: AForm) -> Response:
    """Close the session."""
    admin.check(form)
    with admin.visit.page.house.store.writing() as connection:
        visitors.sign_out(connection, admin.token)
    response = go_to("/admin", said="signed-out")
    drop_cookie(response, admin.visit.page.signer.admin, is_admin=True)
    return response


# What administrators do ----------------------------------------------------------------------------------


@router.post("/{deed}")
def do(deed: str, admin: AnAdmin, form: AForm) -> Response:
    """Do something, and show the page again: with what was done, or with why not."""
    if deed not in _DEEDS:
        raise HTTPException(404, "There is no such address.")
    admin.check(form)
    try:
        return go_to("/admin", said=_DEEDS[deed](admin, form))
    except HTTPException as error:
        return _shown(admin, None, sentence(str(error.detail)), error.status_code)
    except jobs.Busy as error:
        return _shown(admin, None, sentence(error.message), 409)
    except (InvalidParameter, BadModelFile) as error:
        return _shown(admin, None, sentence(error.message), 422)


def _train(admin: AdminVisit, form: dict[str, str]) -> str:
    name = form.get("model", "")
    admin.visit.page.house.starter.start(checked_spec(name, {}) if name else None)
    return "started"


def _cancel(admin: AdminVisit, form: dict[str, str]) -> str:
    with admin.visit.page.house.store.writing() as connection:
        jobs.ask_to_cancel(connection, _number(form))
    return "stopping"


def _activate(admin: AdminVisit, form: dict[str, str]) -> str:
    activate_kept(admin.visit.page.house, _number(form))
    return "activated"


def _roll_back(admin: AdminVisit, form: dict[str, str]) -> str:
    with admin.visit.page.house.store.writing() as connection:
        model_store.roll_back(connection)
    return "rolled-back"


def _delete(admin: AdminVisit, form: dict[str, str]) -> str:
    delete_kept(admin.visit.page.house, _number(form))
    return "deleted"


def _audit(admin: AdminVisit, form: dict[str, str]) -> str:
    if not _auditing.acquire(blocking=False):
        raise HTTPException(409, "An audit is at work. It will be here in a moment.")
    try:
        admin_queries.audit_again(admin.visit.page.house.store)
    finally:
        _auditing.release()
    return "audited"


def _number(form: dict[str, str]) -> int:
    text = form.get("number", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise HTTPException(422, "The form names no number.")
    return int(text)


_DEEDS = {
    "train": _train, "cancel": _cancel, "activate": _activate, "roll-back": _roll_back,
    "delete": _delete, "audit": _audit,
}  # fmt: skip
