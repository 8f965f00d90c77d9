"""Routes of the admin page: sign in with a key, audit, train, and manage models."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from foretaste.errors import InvalidParameterError, ModelFileError
from foretaste.service import model_admin
from foretaste.service.api.dependencies import UnauthorizedError
from foretaste.service.db import model_store
from foretaste.service.db.database import ConflictError
from foretaste.service.training import jobs
from foretaste.service.web import admin_queries, sessions
from foretaste.service.web.dependencies import FormDep, PageRequest, PageRequestDep, redirect_to
from foretaste.service.web.sessions import check_same_origin, delete_cookie, set_cookie
from foretaste.service.web.static_files import to_sentence

router = APIRouter(prefix="/admin", include_in_schema=False, dependencies=[Depends(check_same_origin)])

_audit_lock = threading.Lock()


class SignedOutError(UnauthorizedError):
    """Nobody is signed in."""


@dataclass(frozen=True)
class AdminRequest:
    """A request with an administrator session.

    Parameters
    ----------
    page_request : PageRequest
    token : str
        Session token.
    key_name : str
        Name of the API key used to sign in.
    """

    page_request: PageRequest
    token: str
    key_name: str


def _admin_session(page_request: PageRequest) -> AdminRequest | None:
    signer = page_request.web.signer
    token = signer.unsign(page_request.request.cookies.get(signer.admin_cookie))
    if token is None:
        return None
    with page_request.web.app_state.database.read_connection() as connection:
        key_name = sessions.session_key_name(connection, token)
    return None if key_name is None else AdminRequest(page_request, token, key_name)


def require_admin(page_request: PageRequestDep) -> AdminRequest:
    """Return the request with its administrator session.

    Raises
    ------
    SignedOutError
        If there is no session, or it has expired.
    """
    admin = _admin_session(page_request)
    if admin is None:
        raise SignedOutError("You are not signed in, or were signed out. Nothing was changed.")
    return admin


AdminDep = Annotated[AdminRequest, Depends(require_admin)]


@router.get("")
def admin_page(page_request: PageRequestDep, notice: str = "") -> Response:
    """Show the audit, models and jobs, or the sign-in form."""
    admin = _admin_session(page_request)
    if admin is None:
        message = "You are signed out." if notice == "signed-out" else None
        return page_request.render("sign_in.html", {"error": None, "message": message})
    return _render_admin_page(admin, _NOTICES.get(notice))


_NOTICES = {
    "started": "The training has started. The active model stays meanwhile.",
    "stopping": "The training is being stopped; this takes a second or two.",
    "activated": "The model is active now.",
    "rolled-back": "The previous model is active again.",
    "deleted": "The model is deleted.",
    "audited": "The ratings were audited just now.",
}


def _render_admin_page(
    admin: AdminRequest, message: str | None, error: str | None = None, status: int = 200
) -> Response:
    page_request = admin.page_request
    database = page_request.web.app_state.database
    with database.read_connection() as connection:
        n_visitors = sessions.count_visitors(connection)
    context = {
        "audit": admin_queries.load_audit(database), "models": admin_queries.model_rows(database),
        "n_visitors": n_visitors, "jobs": admin_queries.job_rows(database),
        "model_names": admin_queries.model_names(), "key_name": admin.key_name, "message": message,
        "error": error,
    }  # fmt: skip
    return page_request.render("admin.html", context, status)


@router.get("/jobs")
def jobs_fragment(admin: AdminDep) -> Response:
    """Return the jobs section of the page, which its script polls while a job is running."""
    database = admin.page_request.web.app_state.database
    context = {"jobs": admin_queries.job_rows(database), "model_names": admin_queries.model_names()}
    return admin.page_request.web.templates.render("jobs.html", context)


# Signing in and out ---------------------------------------------------------------------------------------


@router.post("/sign-in")
def sign_in(page_request: PageRequestDep, form: FormDep) -> Response:
    """Create a session for the owner of an admin key."""
    app_state, login_limiter = page_request.web.app_state, page_request.web.login_limiter
    address = page_request.request.client.host if page_request.request.client else ""
    login_limiter.check(address)
    key = app_state.keyring.lookup(form.get("key", "").strip())
    if key is None or not key.allows("admin"):
        login_limiter.record_failure(address)
        if key is None:
            status, error = 401, "This key is unknown or revoked."
        else:
            status, error = 403, f"This key has the role {key.role}. Signing in needs an admin key."
        return page_request.render("sign_in.html", {"error": error, "message": None}, status)
    with app_state.database.write_transaction() as connection:
        token = sessions.create_session(connection, key)
    response = redirect_to("/admin")
    signer = page_request.web.signer
    set_cookie(response, page_request.request, signer.admin_cookie, signer.sign(token), is_admin=True)
    return response


@router.post("/sign-out")
def sign_out(admin: AdminDep) -> Response:
    """Delete the session."""
    with admin.page_request.web.app_state.database.write_transaction() as connection:
        sessions.delete_session(connection, admin.token)
    response = redirect_to("/admin", notice="signed-out")
    delete_cookie(response, admin.page_request.web.signer.admin_cookie, is_admin=True)
    return response


# Actions -------------------------------------------------------------------------------------------------


@router.post("/{action}")
def run_action(action: str, admin: AdminDep, form: FormDep) -> Response:
    """Run an action, then show the page with a notice or an error."""
    if action not in _ACTIONS:
        raise HTTPException(404, "There is no such address.")
    try:
        return redirect_to("/admin", notice=_ACTIONS[action](admin, form))
    except HTTPException as error:
        return _render_admin_page(admin, None, to_sentence(str(error.detail)), error.status_code)
    except ConflictError as error:
        return _render_admin_page(admin, None, to_sentence(error.message), 409)
    except (InvalidParameterError, ModelFileError) as error:
        return _render_admin_page(admin, None, to_sentence(error.message), 422)


def _train(admin: AdminRequest, form: dict[str, str]) -> str:
    name = form.get("model", "")
    admin.page_request.web.app_state.job_runner.start(jobs.validate_spec(name, {}) if name else None)
    return "started"


def _cancel(admin: AdminRequest, form: dict[str, str]) -> str:
    with admin.page_request.web.app_state.database.write_transaction() as connection:
        jobs.request_cancel(connection, _parse_id(form))
    return "stopping"


def _activate(admin: AdminRequest, form: dict[str, str]) -> str:
    app_state = admin.page_request.web.app_state
    model_admin.activate_model(app_state.settings, app_state.database, _parse_id(form))
    return "activated"


def _roll_back(admin: AdminRequest, form: dict[str, str]) -> str:
    with admin.page_request.web.app_state.database.write_transaction() as connection:
        model_store.roll_back(connection)
    return "rolled-back"


def _delete(admin: AdminRequest, form: dict[str, str]) -> str:
    app_state = admin.page_request.web.app_state
    model_admin.delete_model(app_state.settings, app_state.database, _parse_id(form))
    return "deleted"


def _audit(admin: AdminRequest, form: dict[str, str]) -> str:
    if not _audit_lock.acquire(blocking=False):
        raise HTTPException(409, "An audit is running. It will be here in a moment.")
    try:
        admin_queries.rerun_audit(admin.page_request.web.app_state.database)
    finally:
        _audit_lock.release()
    return "audited"


def _parse_id(form: dict[str, str]) -> int:
    text = form.get("id", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise HTTPException(422, "The form contains no valid id.")
    return int(text)


_ACTIONS = {
    "train": _train, "cancel": _cancel, "activate": _activate, "roll-back": _roll_back,
    "delete": _delete, "audit": _audit,
}  # fmt: skip
