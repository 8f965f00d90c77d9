"""ASGI middleware, from outside to inside: security headers, access log, host check, limits."""
