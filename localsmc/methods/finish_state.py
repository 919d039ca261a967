"""How far a token history has come: live, stopped, out of length, or pruned."""

from __future__ import annotations

LIVE, STOPPED, OUT_OF_LENGTH, PRUNED = 0, 1, 2, 3
"""How a history stands: not finished, ended by itself, at the last token allowed, given up."""
