"""Numbers and lists as text for readers."""

from __future__ import annotations

from collections.abc import Sequence

_MAX_ENTRIES = 30  # entries of a list in a sentence


def format_sig(value: float) -> str:
    """Format a number with three significant digits: 4.52, 0.871, 1,230."""
    if abs(value) < 0.001:
        return "0"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#,.3g}"
    return format_minus(text.rstrip("."))


def format_minus(text: str) -> str:
    """Replace hyphens by minus signs."""
    return text.replace("-", "\N{MINUS SIGN}")


def format_seconds(seconds: float) -> str:
    """Format a duration: 3.2 ms, 0.5 s, 12 s, 5 minutes."""
    if seconds < 0.0005:
        return "under 1 ms"
    if seconds < 0.0995:
        return f"{1000 * seconds:.2g} ms"
    return f"{seconds:.2g} s" if seconds < 99.5 else f"{seconds / 60:.2g} minutes"


def format_share(fraction: float) -> str:
    """Format a fraction as a percentage: 9 %, 0.4 %, under 0.1 %."""
    if fraction == 0:
        return "none"
    if fraction < 0.001:
        return "under 0.1 %"
    return f"{100 * fraction:.2g} %" if fraction < 0.995 else f"{100 * fraction:.3g} %"


def truncate_list(entries: Sequence[str]) -> str:
    """Join entries by commas, with the number of those omitted."""
    n_omitted = len(entries) - _MAX_ENTRIES
    return ", ".join(entries[:_MAX_ENTRIES]) + (f" and {n_omitted} more" if n_omitted > 0 else "")


def join_words(entries: Sequence[str]) -> str:
    """Join entries for a sentence: ``a``, ``a and b``, ``a, b and c``."""
    return entries[0] if len(entries) == 1 else f"{', '.join(entries[:-1])} and {entries[-1]}"
