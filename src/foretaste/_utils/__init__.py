"""Helpers that several packages share; one module a purpose."""
