"""HTTP requests: redirects, proxies, and transient errors distinguished from permanent ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from foretaste.errors import DownloadError

TIMEOUT_SECONDS = 30.0  # seconds without data
CHUNK_BYTES = 1 << 18
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 10
_MIRROR_HINT = "try again later, or FORETASTE_MIRROR=folder-or-URL that has the archive"


class TransientError(Exception):
    """An error that may not recur on the next attempt.

    Parameters
    ----------
    message : str
    retry_after : float, optional
        Seconds to wait, as the server requests.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@contextmanager
def open_url(url: str, headers: dict[str, str]) -> Iterator[Any]:
    """Request a file and yield the response (of urllib3), its body unread.

    A redirect from https to http is an error, since its content could be tampered with.

    Raises
    ------
    PassingFault
        If the connection fails temporarily.
    DownloadError
        If it fails permanently: unknown host, invalid certificate, redirect loop.
    """
    response, requested_url = _request(url, headers), url
    for _ in range(_MAX_REDIRECTS):
        if response.status not in _REDIRECTS or "Location" not in response.headers:
            break
        url, previous_url = urljoin(url, response.headers["Location"]), url
        response.close()
        if urlsplit(previous_url).scheme == "https" and urlsplit(url).scheme != "https":
            raise DownloadError(
                f"{requested_url} redirects to {url}, which is not encrypted", hint=_MIRROR_HINT
            )
        response = _request(url, headers)
    else:
        raise DownloadError(f"{requested_url} redirects too often, last to {url}", hint=_MIRROR_HINT)
    try:
        yield response
    finally:
        response.close()


def iter_chunks(response: Any, url: str) -> Iterator[bytes]:
    """Yield the body of a response as it arrives."""
    import urllib3

    try:
        # read1 returns what has arrived; stream() buffers a full chunk, which Ctrl-C would lose.
        while chunk := response.read1(CHUNK_BYTES, decode_content=False):
            yield chunk
    except urllib3.exceptions.HTTPError as error:
        raise _translate_error(error, url) from None


def _request(url: str, headers: dict[str, str]) -> Any:
    import urllib3

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadError(f"{url} is not an http(s) URL", hint="https://..., or http://...")
    default_headers = {"User-Agent": "foretaste", "Accept-Encoding": "identity"}
    try:
        return _connection_pool(parts).request(
            "GET", url, headers=default_headers | headers, redirect=False, retries=False,
            preload_content=False, timeout=urllib3.Timeout(connect=TIMEOUT_SECONDS, read=TIMEOUT_SECONDS),
        )  # fmt: skip
    except urllib3.exceptions.HTTPError as error:
        raise _translate_error(error, url) from None


def _connection_pool(parts: SplitResult) -> Any:
    """Return the connection pool for a host: direct, or through the proxy of the environment."""
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
            f"the proxy {proxy_url} has an unsupported scheme",
            hint=f"{parts.scheme}_proxy=http://host:port (in the environment)",
        )
    credentials = None
    if proxy_parts.username is not None:
        credentials = f"{unquote(proxy_parts.username)}:{unquote(proxy_parts.password or '')}"
    return urllib3.ProxyManager(proxy_url, proxy_headers=urllib3.make_headers(proxy_basic_auth=credentials))


def _translate_error(error: Exception, url: str) -> Exception:
    """Translate an exception of urllib3."""
    from urllib3 import exceptions

    host = urlsplit(url).hostname
    if isinstance(error, exceptions.NameResolutionError):
        return DownloadError(f"cannot resolve {host}: no network, or an unknown host", hint=_MIRROR_HINT)
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        reason = str(error).partition("verify failed: ")[2].partition(" (_ssl")[0] or "it cannot be verified"
        return DownloadError(f"the certificate of {host} is invalid: {reason}", hint=_MIRROR_HINT)
    if isinstance(error, exceptions.LocationParseError):
        return DownloadError(f"{url} is not an http(s) URL", hint="https://..., or http://...")
    if isinstance(error, exceptions.ProxyError):
        return TransientError(f"the proxy cannot reach {host}: {_error_reason(error)}")
    if isinstance(error, exceptions.NewConnectionError):  # also a subclass of TimeoutError
        return TransientError(f"no connection to {host}: {_error_reason(error)}")
    if isinstance(error, exceptions.TimeoutError):
        return TransientError(f"no response from {host} for {TIMEOUT_SECONDS:g} s")
    return TransientError("the connection was lost")


def _error_reason(error: Exception) -> str:
    """Return the last part of a message, which is the reason."""
    return str(error).rpartition(": ")[2].strip(" '\")")
