"""The page of administrators: sign in with a key, see the ratings and the models, train, activate."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from foretaste.errors import InvalidParameterError, ModelFileError
from foretaste.service.api.dependencies import UnauthorizedError
from foretaste.service.api.jobs import validate_spec
from foretaste.service.api.models import activate_stored_model, delete_stored_model
from foretaste.service.db import model_store
from foretaste.service.training import jobs
from foretaste.service.web import admin_queries, visitors
from foretaste.service.web.dependencies import FormDep, PageRequest, PageRequestDep, redirect_to
from foretaste.service.web.sessions import delete_cookie, set_cookie
from foretaste.service.web.static_files import to_sentence

router = APIRouter(prefix="/admin", include_in_schema=False)

_audit_lock = threading.Lock()


class SignedOutError(UnauthorizedError):
    """Nobody is signed in."""


@dataclass(frozen=True)
class AdminRequest:
    """A request of an administrator who has signed in.

    Parameters
    ----------
    page_request : Visit
    token : str
        Of the session.
    key_name : str
        Of the key.
    """

    page_request: PageRequest
    token: str
    key_name: str

    def check_csrf(self, form: dict[str, str]) -> None:
        """Refuse a form that no page of this session has made."""
        signer = self.page_request.web.signer
        signer.check_csrf(self.page_request.request, self.token, form.get("form_token", ""))


def _admin_session(page_request: PageRequest) -> AdminRequest | None:
    signer = page_request.web.signer
    token = signer.unsign(page_request.request.cookies.get(signer.admin_cookie))
    if token is None:
        return None
    with page_request.web.app_state.database.read_connection() as connection:
        key_name = visitors.session_key_name(connection, token)
    return None if key_name is None else AdminRequest(page_request, token, key_name)


def require_admin(page_request: PageRequestDep) -> AdminRequest:
    """Return who has signed in.

    Raises
    ------
    SignedOut
        If nobody has, or the session is over.
    """
    admin = _admin_session(page_request)
    if admin is None:
        raise SignedOutError("You are not signed in, or were signed out. Nothing was changed.")
    return admin


AdminDep = Annotated[AdminRequest, Depends(require_admin)]


@router.get("")
def admin_page(page_request: PageRequestDep, notice: str = "") -> Response:
    """Show the ratings, the models and the trainings, or the form to sign in with."""
    admin = _admin_session(page_request)
    if admin is None:
        message = "You are signed out." if notice == "signed-out" else None
        return page_request.render("sign_in.html", {"error": None, "message": message})
    return _render_admin_page(admin, _NOTICES.get(notice))


_NOTICES = {
    "started": "The training has begun. The active model goes on serving meanwhile.",
    "stopping": "The training is being stopped; this takes a second or two.",
    "activated": "The model is active now.",
    "rolled-back": "The model before is active again.",
    "deleted": "The model is deleted.",
    "audited": "The ratings were audited just now.",
}


def _render_admin_page(
    admin: AdminRequest, message: str | None, error: str | None = None, status: int = 200
) -> Response:
    page_request = admin.page_request
    database = page_request.web.app_state.database
    with database.read_connection() as connection:
        n_visitors = visitors.count_visitors(connection)
    context = {
        "audit": admin_queries.load_audit(database), "models": admin_queries.model_rows(database), "visitors": n_visitors,
        "trainings": admin_queries.job_rows(database), "names": admin_queries.model_names(), "key": admin.key_name,
        "message": message, "error": error, "form_token": page_request.web.signer.csrf_token(admin.token),
    }  # fmt: skip
    return page_request.render("admin.html", context, status)


@router.get("/trainings")
def trainings_fragment(admin: AdminDep) -> Response:
    """Show how far the training is: what the page asks for again and again while one is at work."""
    database = admin.page_request.web.app_state.database
    context = {
        "trainings": admin_queries.job_rows(database),
        "names": admin_queries.model_names(),
        "form_token": admin.page_request.web.signer.csrf_token(admin.token),
    }
    return admin.page_request.web.templates.render("jobs.html", context)


# Signing in and out ---------------------------------------------------------------------------------------


@router.post("/sign-in")
def sign_in(page_request: PageRequestDep, form: FormDep) -> Response:
    """Open a session for who has an admin key."""
    app_state, login_limiter = page_request.web.app_state, page_request.web.login_limiter
    address = page_request.request.client.host if page_request.request.client else ""
    login_limiter.check(address)
    page_request.check_csrf(form)
    key = app_state.keyring.lookup(form.get("key", "").strip())
    if key is None or not key.allows("admin"):
        login_limiter.record_failure(address)
        if key is None:
            status, error = 401, "This key is not known here, or was revoked."
        else:
            status, error = 403, f"This key may only {key.role}. Signing in needs a key that may do all."
        return page_request.render("sign_in.html", {"error": error, "message": None}, status)
    with app_state.database.write_transaction() as connection:
        token = visitors.create_session(connection, key)
    response = redirect_to("/admin")
    signer = page_request.web.signer
    set_cookie(response, page_request.request, signer.admin_cookie, signer.sign(token), is_admin=True)
    return response


@router.post("/sign-out")
def sign_out(admin: AdminDep, form: FormDep) -> Response:
    """Close the session."""
    admin.check_csrf(form)
    with admin.page_request.web.app_state.database.write_transaction() as connection:
        visitors.delete_session(connection, admin.token)
    response = redirect_to("/admin", said="signed-out")
    delete_cookie(response, admin.page_request.web.signer.admin_cookie, is_admin=True)
    return response


# What administrators do ----------------------------------------------------------------------------------


@router.post("/{deed}")
def run_action(action: str, admin: AdminDep, form: FormDep) -> Response:
    """Do something, and show the page again: with what was done, or with why not."""
    if action not in _ACTIONS:
        raise HTTPException(404, "There is no such address.")
    admin.check_csrf(form)
    try:
        return redirect_to("/admin", said=_ACTIONS[action](admin, form))
    except HTTPException as error:
        return _render_admin_page(admin, None, to_sentence(str(error.detail)), error.status_code)
    except jobs.JobRunningError as error:
        return _render_admin_page(admin, None, to_sentence(error.message), 409)
    except (InvalidParameterError, ModelFileError) as error:
        return _render_admin_page(admin, None, to_sentence(error.message), 422)


def _train(admin: AdminRequest, form: dict[str, str]) -> str:
    name = form.get("model", "")
    admin.page_request.web.app_state.job_runner.start(validate_spec(name, {}) if name else None)
    return "started"


def _cancel(admin: AdminRequest, form: dict[str, str]) -> str:
    with admin.page_request.web.app_state.database.write_transaction() as connection:
        jobs.request_cancel(connection, _parse_id(form))
    return "stopping"


def _activate(admin: AdminRequest, form: dict[str, str]) -> str:
    activate_stored_model(admin.page_request.web.app_state, _parse_id(form))
    return "activated"


def _roll_back(admin: AdminRequest, form: dict[str, str]) -> str:
    with admin.page_request.web.app_state.database.write_transaction() as connection:
        model_store.roll_back(connection)
    return "rolled-back"


def _delete(admin: AdminRequest, form: dict[str, str]) -> str:
    delete_stored_model(admin.page_request.web.app_state, _parse_id(form))
    return "deleted"


def _audit(admin: AdminRequest, form: dict[str, str]) -> str:
    if not _audit_lock.acquire(blocking=False):
        raise HTTPException(409, "An audit is at work. It will be here in a moment.")
    try:
        admin_queries.rerun_audit(admin.page_request.web.app_state.database)
    finally:
        _audit_lock.release()
    return "audited"


def _parse_id(form: dict[str, str]) -> int:
    text = form.get("number", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise HTTPException(422, "The form names no number.")
    return int(text)


_ACTIONS = {
    "train": _train, "cancel": _cancel, "activate": _activate, "roll-back": _roll_back,
    "delete": _delete, "audit": _audit,
}  # fmt: skip
