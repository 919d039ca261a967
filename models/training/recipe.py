"""Read recipe.toml, which contains all hyperparameters of the embedded models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

RECIPE = Path(__file__).with_name("recipe.toml")


def read(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def tables() -> dict[str, Any]:
    """The whole recipe."""
    return read(RECIPE)


def load_recipe(name: str) -> dict[str, Any]:
    """The table of one model, merged with the shared tables; exits if there is no such model."""
    shared = tables()
    models = shared.pop("models")
    if name not in models:
        sys.exit(f"no model `{name}` in {RECIPE}; choose from: {', '.join(models)}")
    return {**shared, **models[name]}
