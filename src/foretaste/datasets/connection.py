"""Answers of servers: redirects followed, proxies used, faults that may pass told from the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from foretaste.errors import NotFetched

TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 18
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 10
_MIRROR = "try again later, or FORETASTE_MIRROR=folder-or-address that has the archive"


class PassingFault(Exception):
    """A fault that may be over at the next attempt.

    Parameters
    ----------
    message : str
    pause : float, optional
        How many seconds the server wants one to wait.
    """

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


@contextmanager
def opened(url: str, headers: dict[str, str]) -> Iterator[Any]:
    """Ask for a file and give the answer (of urllib3), its body not read yet.

    A redirect from https to http is refused: what comes from there could be anybody's.

    Raises
    ------
    PassingFault
        If the connection fails in a way that may pass.
    NotFetched
        If it fails for good: an unknown host, a certificate that is not accepted, redirects in a circle.
    """
    response, asked = _ask(url, headers), url
    for _ in range(_MOST_REDIRECTS):
        if response.status not in _REDIRECTS or "Location" not in response.headers:
            break
        url, before = urljoin(url, response.headers["Location"]), url
        response.close()
        if urlsplit(before).scheme == "https" and urlsplit(url).scheme != "https":
            raise NotFetched(f"{asked} leads to {url}, which is not protected; refused", hint=_MIRROR)
        response = _ask(url, headers)
    else:
        raise NotFetched(f"{asked} leads on and on, at last to {url}", hint=_MIRROR)
    try:
        yield response
    finally:
        response.close()


def chunks(response: Any, url: str) -> Iterator[bytes]:
    """Yield the body of an answer from this address as it comes."""
    import urllib3

    try:
        # read1 gives what is there: what stream would hold back until a chunk is full, Ctrl-C would lose.
        while chunk := response.read1(CHUNK, decode_content=False):
            yield chunk
    except urllib3.exceptions.HTTPError as error:
        raise _fault(error, url) from None


def _ask(url: str, headers: dict[str, str]) -> Any:
    import urllib3

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotFetched(f"{url} is not an address that can be fetched", hint="https://..., or http://...")
    own = {"User-Agent": "foretaste", "Accept-Encoding": "identity"}
    try:
        return _pool(parts).request(
            "GET", url, headers=own | headers, redirect=False, retries=False, preload_content=False,
            timeout=urllib3.Timeout(connect=TIMEOUT, read=TIMEOUT),
        )  # fmt: skip
    except urllib3.exceptions.HTTPError as error:
        raise _fault(error, url) from None


def _pool(parts: SplitResult) -> Any:
    """Return what connects to a host: straight, or by the proxy that the environment names."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return urllib3.PoolManager()
    found = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    place = f"{found.scheme}://{found.netloc.rpartition('@')[2]}"
    if found.scheme not in ("http", "https"):
        raise NotFetched(
            f"the proxy {place} is of a kind that is not understood",
            hint=f"{parts.scheme}_proxy=http://host:port (in the environment)",
        )
    who = None
    if found.username is not None:
        who = f"{unquote(found.username)}:{unquote(found.password or '')}"
    return urllib3.ProxyManager(place, proxy_headers=urllib3.make_headers(proxy_basic_auth=who))


def _fault(error: Exception, url: str) -> Exception:
    """Return what a fault of urllib3 means, in words."""
    from urllib3 import exceptions

    host = urlsplit(url).hostname
    if isinstance(error, exceptions.NameResolutionError):
        return NotFetched(f"there is no address for {host}: no network, or a wrong name", hint=_MIRROR)
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        reason = str(error).partition("verify failed: ")[2].partition(" (_ssl")[0] or "it cannot be checked"
        return NotFetched(f"the certificate of {host} is not accepted: {reason}", hint=_MIRROR)
    if isinstance(error, exceptions.LocationParseError):
        return NotFetched(f"{url} is not an address that can be fetched", hint="https://..., or http://...")
    if isinstance(error, exceptions.ProxyError):
        return PassingFault(f"the proxy does not lead to {host}: {_last(error)}")
    if isinstance(error, exceptions.NewConnectionError):  # by its class a timeout, too
        return PassingFault(f"no connection to {host}: {_last(error)}")
    if isinstance(error, exceptions.TimeoutError):
        return PassingFault(f"no answer from {host} for {TIMEOUT:g} s")
    return PassingFault("the connection broke off")


def _last(error: Exception) -> str:
    """Return the last part of a message, where the reason stands."""
    return str(error).rpartition(": ")[2].strip(" '\")")
