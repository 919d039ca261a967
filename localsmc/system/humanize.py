"""Format byte counts and parameter counts for people."""

from __future__ import annotations


def format_bytes(n_bytes: float) -> str:
    """A size such as "4.6 GiB"."""
    return f"{n_bytes / 2**30:.1f} GiB" if n_bytes >= 2**30 else f"{n_bytes / 2**20:.1f} MiB"


def format_count(n: float) -> str:
    """A parameter count in the style of model names, e.g. "7.6B" or "494M"."""
    for unit, name in (1e9, "B"), (1e6, "M"), (1e3, "k"):
        if n >= unit:
            return f"{n / unit:.3g}{name}"
    return f"{n:.0f}"
