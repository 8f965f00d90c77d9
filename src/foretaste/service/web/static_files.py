"""The page's templates and files, which the package brings along, and the headers they are sent with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from starlette.responses import Response

FOLDER = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",  # with less, browsers send forms without their origin
}
_TITLES = {
    400: "This cannot be read",
    401: "Sign in first",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This is not the way",
    409: "Not now",
    413: "This is too large",
    422: "This could not be used",
    429: "Too many requests",
    500: "Something broke",
    503: "Not ready",
    507: "There is no room left",
}
_WORDS = {"Not Found": "No page has this address.", "Method Not Allowed": "This address is for forms alone."}
_MENDS = {
    503: "Try again in a moment.",
    507: "Nothing was stored. Whoever runs this service must make room.",
}


class Looks:
    """Renders the page; templates are compiled once, files are read once."""

    def __init__(self) -> None:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        self.files = {
            path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in (FOLDER / "static").iterdir()
        }
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        self._environment.filters["plain"] = lambda value: f"{value:g}"
        tags = {name: hashlib.sha256(body).hexdigest()[:12] for name, (body, _) in self.files.items()}
        self._environment.globals["file"] = lambda name: f"/static/{name}?{tags[name]}"

    def page(self, template: str, context: dict[str, Any], status: int = 200) -> Response:
        """Return a page."""
        text = self._environment.get_template(template).render(context)
        return Response(text, status, _HEADERS, "text/html")

    def problem(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        """Return a page that says what went wrong."""
        wait = (headers or {}).get("Retry-After")
        mend = f"Try again in {wait} s." if wait and status == 429 else _MENDS.get(status, "")
        title = _TITLES.get(status, "This did not work")
        context = {
            "title": title,
            "message": sentence(_WORDS.get(message, message)),
            "mend": mend,
            "status": status,
        }
        response = self.page("problem.html", context, status)
        response.headers.update(headers or {})
        return response

    def file(self, name: str) -> Response | None:
        """Return a file; its address changes when it does."""
        if name not in self.files:
            return None
        body, kind = self.files[name]
        return Response(body, 200, {"Cache-Control": "public, max-age=31536000, immutable"}, kind)


def sentence(text: str) -> str:
    """Return what an error says as a sentence."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
