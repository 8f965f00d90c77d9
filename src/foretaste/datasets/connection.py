"""Answers of servers: redirects followed, proxies used, faults that may pass told from the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from foretaste.errors import DownloadError

TIMEOUT_SECONDS = 30.0  # seconds without a byte
CHUNK_BYTES = 1 << 18
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 10
_MIRROR_HINT = "try again later, or FORETASTE_MIRROR=folder-or-address that has the archive"


class TransientError(Exception):
    """A fault that may be over at the next attempt.

    Parameters
    ----------
    message : str
    retry_after : float, optional
        How many seconds the server wants one to wait.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@contextmanager
def open_url(url: str, headers: dict[str, str]) -> Iterator[Any]:
    """Ask for a file and give the answer (of urllib3), its body not read yet.

    A redirect from https to http is refused: what comes from there could be anybody's.

    Raises
    ------
    PassingFault
        If the connection fails in a way that may pass.
    DownloadError
        If it fails for good: an unknown host, a certificate that is not accepted, redirects in a circle.
    """
    response, requested_url = _request(url, headers), url
    for _ in range(_MAX_REDIRECTS):
        if response.status not in _REDIRECTS or "Location" not in response.headers:
            break
        url, previous_url = urljoin(url, response.headers["Location"]), url
        response.close()
        if urlsplit(previous_url).scheme == "https" and urlsplit(url).scheme != "https":
            raise DownloadError(
                f"{requested_url} leads to {url}, which is not protected; refused", hint=_MIRROR_HINT
            )
        response = _request(url, headers)
    else:
        raise DownloadError(f"{requested_url} leads on and on, at last to {url}", hint=_MIRROR_HINT)
    try:
        yield response
    finally:
        response.close()


def iter_chunks(response: Any, url: str) -> Iterator[bytes]:
    """Yield the body of an answer from this address as it comes."""
    import urllib3

    try:
        # read1 gives what is there: what stream would hold back until a chunk is full, Ctrl-C would lose.
        while chunk := response.read1(CHUNK_BYTES, decode_content=False):
            yield chunk
    except urllib3.exceptions.HTTPError as error:
        raise _translate_error(error, url) from None


def _request(url: str, headers: dict[str, str]) -> Any:
    import urllib3

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadError(f"{url} is not an address that can be fetched", hint="https://..., or http://...")
    default_headers = {"User-Agent": "foretaste", "Accept-Encoding": "identity"}
    try:
        return _connection_pool(parts).request(
            "GET", url, headers=default_headers | headers, redirect=False, retries=False, preload_content=False,
            timeout=urllib3.Timeout(connect=TIMEOUT_SECONDS, read=TIMEOUT_SECONDS),
        )  # fmt: skip
    except urllib3.exceptions.HTTPError as error:
        raise _translate_error(error, url) from None


def _connection_pool(parts: SplitResult) -> Any:
    """Return what connects to a host: straight, or by the proxy that the environment names."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return urllib3.PoolManager()
    proxy_parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    proxy_url = f"{proxy_parts.scheme}://{proxy_parts.netloc.rpartition('@')[2]}"
    if proxy_parts.scheme not in ("http", "https"):
        raise DownloadError(
            f"the proxy {proxy_url} is of a kind that is not understood",
            hint=f"{parts.scheme}_proxy=http://host:port (in the environment)",
        )
    credentials = None
    if proxy_parts.username is not None:
        credentials = f"{unquote(proxy_parts.username)}:{unquote(proxy_parts.password or '')}"
    return urllib3.ProxyManager(proxy_url, proxy_headers=urllib3.make_headers(proxy_basic_auth=credentials))


def _translate_error(error: Exception, url: str) -> Exception:
    """Return what a fault of urllib3 means, in words."""
    from urllib3 import exceptions

    host = urlsplit(url).hostname
    if isinstance(error, exceptions.NameResolutionError):
        return DownloadError(
            f"there is no address for {host}: no network, or a wrong name", hint=_MIRROR_HINT
        )
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        reason = str(error).partition("verify failed: ")[2].partition(" (_ssl")[0] or "it cannot be checked"
        return DownloadError(f"the certificate of {host} is not accepted: {reason}", hint=_MIRROR_HINT)
    if isinstance(error, exceptions.LocationParseError):
        return DownloadError(
            f"{url} is not an address that can be fetched", hint="https://..., or http://..."
        )
    if isinstance(error, exceptions.ProxyError):
        return TransientError(f"the proxy does not lead to {host}: {_error_reason(error)}")
    if isinstance(error, exceptions.NewConnectionError):  # by its class a timeout, too
        return TransientError(f"no connection to {host}: {_error_reason(error)}")
    if isinstance(error, exceptions.TimeoutError):
        return TransientError(f"no answer from {host} for {TIMEOUT_SECONDS:g} s")
    return TransientError("the connection broke off")


def _error_reason(error: Exception) -> str:
    """Return the last part of a message, where the reason stands."""
    return str(error).rpartition(": ")[2].strip(" '\")")
