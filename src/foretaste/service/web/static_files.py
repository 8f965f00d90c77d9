"""Templates, static files and security headers of the web pages."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from starlette.responses import Response

BASE_DIR = Path(__file__).parent
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",  # with a stricter policy browsers send forms without Origin
}
_ERROR_TITLES = {
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
    507: "The disk is full",
}
_ERROR_MESSAGES = {
    "Not Found": "No page has this address.",
    "Method Not Allowed": "This address is for forms alone.",
}
_ERROR_ADVICE = {
    503: "Try again in a moment.",
    507: "Nothing was stored. Whoever runs this service must free disk space.",
}


class Templates:
    """Renders pages; templates are compiled once, static files are read once."""

    def __init__(self) -> None:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        self.static_files = {
            path.name: (path.read_bytes(), _MEDIA_TYPES[path.suffix])
            for path in (BASE_DIR / "static").iterdir()
        }
        self._environment = Environment(
            loader=FileSystemLoader(BASE_DIR / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        self._environment.filters["number"] = lambda value: f"{value:g}"
        content_hashes = {
            name: hashlib.sha256(body).hexdigest()[:12] for name, (body, _) in self.static_files.items()
        }
        self._environment.globals["static_url"] = lambda name: f"/static/{name}?{content_hashes[name]}"

    def render(self, template: str, context: dict[str, Any], status: int = 200) -> Response:
        """Return the response with a rendered template."""
        text = self._environment.get_template(template).render(context)
        return Response(text, status, _HEADERS, "text/html")

    def render_error(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        """Return an error page."""
        advice, retry_after = _ERROR_ADVICE.get(status, ""), (headers or {}).get("Retry-After")
        if retry_after and status == 429:
            advice = f"Try again in {retry_after} s."
        title = _ERROR_TITLES.get(status, "This did not work")
        context = {
            "title": title,
            "message": to_sentence(_ERROR_MESSAGES.get(message, message)),
            "advice": advice,
            "status": status,
        }
        response = self.render("error.html", context, status)
        response.headers.update(headers or {})
        return response

    def static_response(self, name: str) -> Response | None:
        """Return a static file, cacheable forever: its URL contains a hash of its content."""
        if name not in self.static_files:
            return None
        body, media_type = self.static_files[name]
        return Response(body, 200, {"Cache-Control": "public, max-age=31536000, immutable"}, media_type)


def to_sentence(text: str) -> str:
    """Return an error message as a sentence."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
