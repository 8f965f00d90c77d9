"""Shared dependencies of the web routes: visitor sessions, form parsing, rendering with cookies."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from foretaste.service.api.dependencies import AppState
from foretaste.service.middleware.limits import make_limiter
from foretaste.service.web.sessions import (
    CookieSigner,
    CsrfError,
    is_local_request,
    load_secret,
    new_token,
    set_cookie,
)
from foretaste.service.web.static_files import Templates
from foretaste.service.web.views import PageViews

_FORM_TYPE = "application/x-www-form-urlencoded"
_MAX_FIELDS = 30
_LOGIN_RATE = "10/minute"  # failed sign-ins per address and worker


class LoginLimiter:
    """Limits failed sign-ins per client address."""

    def __init__(self) -> None:
        self._limiter, self._rate = make_limiter(_LOGIN_RATE)

    def check(self, address: str) -> None:
        """Reject an address with too many failed sign-ins.

        Raises
        ------
        HTTPException
            429, with the seconds to wait.
        """
        if not self._limiter.test(self._rate, address):
            seconds_left = self._limiter.get_window_stats(self._rate, address).reset_time - time.time()
            retry_after = str(max(1, int(seconds_left)))
            raise HTTPException(429, "There were too many wrong keys.", {"Retry-After": retry_after})

    def record_failure(self, address: str) -> None:
        """Count a failed sign-in."""
        self._limiter.hit(self._rate, address)


class WebState:
    """Shared state of the web pages in one worker.

    Parameters
    ----------
    app_state : AppState
    """

    def __init__(self, app_state: AppState) -> None:
        self.app_state, self.templates = app_state, Templates()
        self.views = PageViews(app_state.model_server, app_state.settings.excluded_items)
        self.login_limiter = LoginLimiter()
        self._signer: CookieSigner | None = None
        self._signer_lock = threading.Lock()

    @property
    def signer(self) -> CookieSigner:
        """Signer of cookies; its secret is read once."""
        signer = self._signer
        return self._read_signer() if signer is None else signer

    async def load_signer(self) -> CookieSigner:
        """Return ``signer``, reading the secret in the thread pool if needed."""
        signer = self._signer
        return await run_in_threadpool(self._read_signer) if signer is None else signer

    def _read_signer(self) -> CookieSigner:
        with self._signer_lock:
            signer = self._signer or CookieSigner(load_secret(self.app_state.database))
            self._signer = signer
        return signer

    def base_context(self) -> dict[str, Any]:
        """Return the context of every template."""
        return {"scale": self.views.scale, "name": self.views.name}


@dataclass(frozen=True)
class PageRequest:
    """A request of a visitor.

    Parameters
    ----------
    request : Request
    web : WebState
    token : str
        Session token, from the visitor's cookie or new.
    is_new : bool
        Whether there was no valid cookie.
    """

    request: Request
    web: WebState
    token: str
    is_new: bool

    def render(self, template: str, context: dict[str, Any], status: int = 200) -> Response:
        """Render a template; set the session cookie if the visitor has none."""
        full_context = self.web.base_context() | context
        response = self.web.templates.render(template, full_context, status)
        if self.is_new:
            signer = self.web.signer
            set_cookie(response, self.request, signer.visitor_cookie, signer.sign(self.token), is_admin=False)
        return response


def get_web(request: Request) -> WebState:
    """Return the state of the web pages.

    Raises
    ------
    HTTPException
        404 if the pages are local and the client is not.
    """
    web: WebState = request.app.state.web
    if web.app_state.settings.web == "local" and not is_local_request(request):
        raise HTTPException(404, "This page is for people at the machine that serves it.")
    return web


async def get_page_request(request: Request) -> PageRequest:
    """Return the request with its visitor's session."""
    web = get_web(request)
    signer = await web.load_signer()
    token = signer.unsign(request.cookies.get(signer.visitor_cookie))
    return PageRequest(request, web, token or new_token(), token is None)


PageRequestDep = Annotated[PageRequest, Depends(get_page_request)]


async def require_known_visitor(page_request: PageRequestDep) -> PageRequest:
    """Return the request of a visitor with a session cookie, without which a rating would be nobody's.

    Raises
    ------
    CsrfError
        If there is no cookie, or it is invalid.
    """
    if page_request.is_new:
        raise CsrfError(
            "This form is too old, or your browser keeps no cookies for this page. Nothing was changed."
        )
    return page_request


async def parse_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of repeated ones the last.

    Raises
    ------
    HTTPException
        415 for another media type, 422 for malformed content.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM_TYPE:
        raise HTTPException(415, f"A form comes as {_FORM_TYPE}.")
    try:
        text = (await request.body()).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise HTTPException(422, "The form cannot be read.") from None
    return dict(pairs)


def redirect_to(path: str, **query: str | None) -> RedirectResponse:
    """Return a 303 redirect: the browser continues with GET."""
    parameters = {name: value for name, value in query.items() if value is not None}
    return RedirectResponse(path + ("?" + urlencode(parameters) if parameters else ""), 303)


KnownVisitorDep = Annotated[PageRequest, Depends(require_known_visitor)]
FormDep = Annotated[dict[str, str], Depends(parse_form)]
