"""The profiles that everybody has. The user's own of the same name takes the place of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    # What a first look needs: a step of four histories costs little more than one of plain decoding.
    "fast": {"particles": 4, "eval": {"method": ["power-smc:N=4", "sample"]}, "bench": {"particles": 4}},
    # The defaults, for once, where the file names another.
    "balanced": {},
    # More particles find what is light at first, and a vote is right more often than a draw.
    "careful": {
        "particles": 64,
        "select": "majority",
        "eval": {"method": ["power-smc:N=64,select=majority", "sample"]},
        "bench": {"particles": 64},
    },
}
"""Name to values, as `[profiles.NAME]` has them."""
