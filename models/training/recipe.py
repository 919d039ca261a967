"""Reading recipe.toml, which holds every number behind the embedded models."""

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
    """A TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def tables() -> dict[str, Any]:
    """The whole recipe."""
    return read(RECIPE)


def load_recipe(name: str) -> dict[str, Any]:
    """One model's table, with the tables that all models share; exits where there is none."""
    shared = tables()
    models = shared.pop("models")
    if name not in models:
        sys.exit(f"no model `{name}` in {RECIPE}; there is: {', '.join(models)}")
    return {**shared, **models[name]}
