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

from foretaste.service.api.dependencies import House
from foretaste.service.middleware.guard import limiter
from foretaste.service.web.sessions import Signer, is_local, new_token, put_cookie, secret_of
from foretaste.service.web.static_files import Looks
from foretaste.service.web.views import Views

_FORM = "application/x-www-form-urlencoded"
_FIELDS = 30
_ATTEMPTS = "10/minute"  # with a wrong key, from an address, to a worker


class Attempts:
    """Counts wrong keys by the address that they came from."""

    def __init__(self) -> None:
        self._limiter, self._rate = limiter(_ATTEMPTS)

    def check(self, address: str) -> None:
        """Refuse an address from which too many wrong keys came.

        Raises
        ------
        HTTPException
            429, with the seconds to wait.
        """
        if not self._limiter.test(self._rate, address):
            left = self._limiter.get_window_stats(self._rate, address).reset_time - time.time()
            wait = str(max(1, int(left)))
            raise HTTPException(429, "There were too many wrong keys.", {"Retry-After": wait})

    def count(self, address: str) -> None:
        """Count a wrong key."""
        self._limiter.hit(self._rate, address)


class Page:
    """All that a worker holds for the page.

    Parameters
    ----------
    house : House
    """

    def __init__(self, house: House) -> None:
        self.house, self.looks = house, Looks()
        self.views = Views(house.serving, house.settings.hidden)
        self.attempts = Attempts()
        self._signer: Signer | None = None
        self._making = threading.Lock()

    @property
    def signer(self) -> Signer:
        """What signs cookies; its secret is read once."""
        signer = self._signer
        return self._read_signer() if signer is None else signer

    async def signer_elsewhere(self) -> Signer:
        """Return ``signer``; another thread reads the secret, if it has to be read."""
        signer = self._signer
        return await run_in_threadpool(self._read_signer) if signer is None else signer

    def _read_signer(self) -> Signer:
        with self._making:
            signer = self._signer or Signer(secret_of(self.house.store))
            self._signer = signer
        return signer

    def facts(self) -> dict[str, Any]:
        """Return what every template shows."""
        return {"scale": self.views.scale, "name": self.views.name}


@dataclass(frozen=True)
class Visit:
    """A request of a visitor.

    Parameters
    ----------
    request : Request
    page : Page
    token : str
        What the visitor's cookie holds, or will hold.
    is_new : bool
        Whether there was no good cookie.
    """

    request: Request
    page: Page
    token: str
    is_new: bool

    @property
    def form_token(self) -> str:
        """What forms must hold."""
        return self.page.signer.form_token(self.token)

    def show(self, template: str, context: dict[str, Any], status: int = 200) -> Response:
        """Return a page, with the cookie if the visitor has none."""
        everything = self.page.facts() | {"form_token": self.form_token} | context
        response = self.page.looks.page(template, everything, status)
        if self.is_new:
            signer = self.page.signer
            put_cookie(response, self.request, signer.visitor, signer.sealed(self.token), is_admin=False)
        return response

    def check(self, form: dict[str, str]) -> None:
        """Refuse a form that no page of ours has made; see ``Signer.check_form``."""
        token = None if self.is_new else self.token
        self.page.signer.check_form(self.request, token, form.get("form_token", ""))


def page_behind(request: Request) -> Page:
    """Return the page behind a request.

    Raises
    ------
    HTTPException
        404 if it is not for those who ask.
    """
    page: Page = request.app.state.page
    if page.house.settings.page == "local" and not is_local(request):
        raise HTTPException(404, "This page is for people at the machine that serves it.")
    return page


async def visit_of(request: Request) -> Visit:
    """Return who asks."""
    page = page_behind(request)
    signer = await page.signer_elsewhere()
    token = signer.opened(request.cookies.get(signer.visitor))
    return Visit(request, page, token or new_token(), token is None)


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form; of those with the same name, the last.

    Raises
    ------
    HTTPException
        415 if it is sent in another way, 422 if it cannot be read.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise HTTPException(415, f"A form comes as {_FORM}.")
    try:
        text = (await request.body()).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError:
        raise HTTPException(422, "The form cannot be read.") from None
    return dict(pairs)


def go_to(path: str, **query: str | None) -> RedirectResponse:
    """Return the answer that sends a browser to another page by GET."""
    given = {name: value for name, value in query.items() if value is not None}
    return RedirectResponse(path + ("?" + urlencode(given) if given else ""), 303)


AVisit = Annotated[Visit, Depends(visit_of)]
AForm = Annotated[dict[str, str], Depends(form_of)]
