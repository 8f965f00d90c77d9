"""What the routes of the page share: who asks, what a form holds, and the answer with its cookie."""

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
from foretaste.service.middleware.guard import make_limiter
from foretaste.service.web.sessions import CookieSigner, is_local_request, load_secret, new_token, set_cookie
from foretaste.service.web.static_files import Templates
from foretaste.service.web.views import PageViews

_FORM_TYPE = "application/x-www-form-urlencoded"
_MAX_FIELDS = 30
_LOGIN_RATE = "10/minute"  # with a wrong key, from an address, to a worker


class LoginLimiter:
    """Counts wrong keys by the address that they came from."""

    def __init__(self) -> None:
        self._limiter, self._rate = make_limiter(_LOGIN_RATE)

    def check(self, address: str) -> None:
        """Refuse an address from which too many wrong keys came.

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
        """Count a wrong key."""
        self._limiter.hit(self._rate, address)


class WebState:
    """All that a worker holds for the page.

    Parameters
    ----------
    app_state : House
    """

    def __init__(self, app_state: AppState) -> None:
        self.app_state, self.templates = app_state, Templates()
        self.views = PageViews(app_state.model_server, app_state.settings.excluded_items)
        self.login_limiter = LoginLimiter()
        self._signer: CookieSigner | None = None
        self._signer_lock = threading.Lock()

    @property
    def signer(self) -> CookieSigner:
        """What signs cookies; its secret is read once."""
        signer = self._signer
        return self._read_signer() if signer is None else signer

    async def load_signer(self) -> CookieSigner:
        """Return ``signer``; another thread reads the secret, if it has to be read."""
        signer = self._signer
        return await run_in_threadpool(self._read_signer) if signer is None else signer

    def _read_signer(self) -> CookieSigner:
        with self._signer_lock:
            signer = self._signer or CookieSigner(load_secret(self.app_state.database))
            self._signer = signer
        return signer

    def base_context(self) -> dict[str, Any]:
        """Return what every template shows."""
        return {"scale": self.views.scale, "name": self.views.name}


@dataclass(frozen=True)
class PageRequest:
    """A request of a visitor.

    Parameters
    ----------
    request : Request
    web : Page
    token : str
        What the visitor's cookie holds, or will hold.
    is_new : bool
        Whether there was no good cookie.
    """

    request: Request
    web: WebState
    token: str
    is_new: bool

    @property
    def csrf_token(self) -> str:
        """What forms must hold."""
        return self.web.signer.csrf_token(self.token)

    def render(self, template: str, context: dict[str, Any], status: int = 200) -> Response:
        """Return a page, with the cookie if the visitor has none."""
        full_context = self.web.base_context() | {"form_token": self.csrf_token} | context
        response = self.web.templates.render(template, full_context, status)
        if self.is_new:
            signer = self.web.signer
            set_cookie(response, self.request, signer.visitor_cookie, signer.sign(self.token), is_admin=False)
        return response

    def check_csrf(self, form: dict[str, str]) -> None:
        """Refuse a form that no page of ours has made; see ``Signer.check_form``."""
        token = None if self.is_new else self.token
        self.web.signer.check_csrf(self.request, token, form.get("form_token", ""))


def get_web(request: Request) -> WebState:
    """Return the page behind a request.

    Raises
    ------
    HTTPException
        404 if it is not for those who ask.
    """
    web: WebState = request.app.state.page
    if web.app_state.settings.web == "local" and not is_local_request(request):
        raise HTTPException(404, "This page is for people at the machine that serves it.")
    return web


async def get_page_request(request: Request) -> PageRequest:
    """Return who asks."""
    web = get_web(request)
    signer = await web.load_signer()
    token = signer.unsign(request.cookies.get(signer.visitor_cookie))
    return PageRequest(request, web, token or new_token(), token is None)


async def parse_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of those with the same name, the last.

    Raises
    ------
    HTTPException
        415 if it is sent in another way, 422 if it cannot be read.
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
    """Return the answer that sends a browser to another page by GET."""
    parameters = {name: value for name, value in query.items() if value is not None}
    return RedirectResponse(path + ("?" + urlencode(parameters) if parameters else ""), 303)


PageRequestDep = Annotated[PageRequest, Depends(get_page_request)]
FormDep = Annotated[dict[str, str], Depends(parse_form)]
