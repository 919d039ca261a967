"""The model `localsmc` of lm-evaluation-harness (`lm_eval`), whose tasks then run on it.

lm-eval finds only models that are registered in its process: `python -m localsmc.harness` does that and then
is its command line; a program calls `register` first.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from localsmc.errors import ConfigError

NAME = "localsmc"
"""What `--model` calls it."""


def register() -> None:
    """Make lm-eval know the model; raises ConfigError if lm-eval is not installed."""
    if find_spec("lm_eval") is None:
        raise ConfigError(
            "lm-evaluation-harness is not installed", hint="install it: pip install 'localsmc[lm-eval]'"
        )
    # First its own models: it looks for them only while it knows none.
    importlib.import_module("lm_eval.models")
    importlib.import_module("localsmc.harness.plug_in")
