"""Which file a model's name stands for, and what is recommended for it.

A name is a path, an embedded model's, an alias of the user's, or a repository of the Hugging Face hub;
no name at all is the embedded model. Knows paths and cards; never opens a model.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import localsmc_models
from localsmc.errors import ModelNotFound
from localsmc.store import aliases, hub

BOX_INSTRUCTION = "Reason step by step, and put your final answer within \\boxed{}."
"""Asked of models that were not trained to end in a box."""

EMBEDDED, EMBEDDED_DRAFT = "tiny", "draft"

EMBEDDED_SURE = 0.85
"""The embedded model likes nearly everything above 0.5: of 60 problems (`tiny:seed=6`, N=4) ssr has 48 %
right with this, 32 % with 0.75, 52 % with 0.9, which keeps half as many of the draft's tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDefaults:
    """What `solve` uses where nothing is said: exponent, ramp, token limit, added instruction, strategies."""

    alpha: float = 2.0
    ramp: int = 100
    n_predict: int = 1024
    instruction: str | None = BOX_INSTRUCTION
    pool: str | None = None
    """Of strategies, with the words that the model was trained on."""
    sure: float | None = None
    """How probable a good rating of a drafted step must be."""

    def of_method(self, name: str) -> dict[str, float | str]:
        """A method's parameters for which something is recommended."""
        known: dict[str, dict[str, float | str | None]] = {
            "power-smc": {"alpha": self.alpha, "ramp": self.ramp},
            "draft-smc": {"alpha": self.alpha, "ramp": self.ramp},
            "ssr": {"pool": self.pool, "words": self.pool, "sure": self.sure},
        }
        return {option: value for option, value in known.get(name, {}).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A model file with its defaults; `sha256` where it is known without reading the file."""

    path: Path
    defaults: ModelDefaults
    is_embedded: bool = False
    sha256: str | None = None


def resolve(model: str | Path | None, access: hub.Access | None = None) -> ModelSource:
    """The file of a model: a path that exists, an embedded model, an alias, or one of the hub.

    What is not in the Hugging Face cache is downloaded into it. Raises ModelNotFound, DownloadFailed,
    ConfigError, or RunError where the disk is full.
    """
    meant = EMBEDDED if model is None else parse_name(model)
    if isinstance(meant, str):
        return embedded(meant)
    path = _of_hub(meant, access) if isinstance(meant, hub.HubName) else meant
    # The Hugging Face cache names its blobs by their SHA-256.
    blob = path.resolve().name
    is_hash = len(blob) == 64 and all(c in "0123456789abcdef" for c in blob)
    return ModelSource(path=path, defaults=ModelDefaults(), sha256=blob if is_hash else None)


def parse_name(model: str | Path) -> Path | str | hub.HubName:
    """What a name stands for, aliases followed: a file, one of the hub, or an embedded model, by its name.

    Raises ModelNotFound for a name that nothing has. Downloads nothing.
    """
    path = _existing(model)
    if path is not None or isinstance(model, Path):
        return path or _missing(str(model))
    name = model if model in localsmc_models.names() else aliases.follow(model)
    if name in localsmc_models.names():
        return name
    return _existing(name) or hub.parse(name) or _missing(name)


def portable_name(model: str | None) -> str | None:
    """A model's name as it is understood in other folders, too."""
    path = None if model is None else _existing(model)
    return model if path is None else str(path.absolute())


def is_embedded(model: str) -> bool:
    """Whether a name means a model that ships with the package; raises nothing for unknown ones."""
    try:
        return isinstance(parse_name(model), str)
    except ModelNotFound:
        return False


def _existing(model: str | Path) -> Path | None:
    # Not `Path.expanduser` and `Path.exists`: they raise for a stranger's home and a name that is too long.
    path = os.path.expanduser(model)
    return Path(path) if os.path.exists(path) else None


def _missing(name: str) -> NoReturn:
    """No model has this name: which one may have been meant."""
    known = [*aliases.read(), *localsmc_models.names(), *(str(model.name) for model in hub.cache.models())]
    near = get_close_matches(name, [*known, *_beside(name)], 1, 0.7)
    is_path = name.lower().endswith(".gguf") or "/" in name or os.sep in name
    others = "give a GGUF file or user/repo of the Hugging Face hub; `localsmc models` lists what is here"
    raise ModelNotFound(
        f"no model at `{name}`" if is_path else f"no model is called `{name}`",
        hint=f"did you mean `{near[0]}`?" if near else others,
    )


def _beside(name: str) -> list[str]:
    """GGUFs in the folder of a path, as they would be written instead."""
    folder = os.path.dirname(name)
    with contextlib.suppress(OSError, ValueError):  # no folder, or a name that none can have
        files = sorted(os.listdir(os.path.expanduser(folder) or "."))
        return [os.path.join(folder, file) for file in files if file.lower().endswith(".gguf")]
    return []


def _of_hub(name: hub.HubName, access: hub.Access | None) -> Path:
    try:
        return hub.find_model(name, access).path
    except hub.NoRepository as error:
        error.hint = f"{error.hint}; there is no file at `{name}`, either"
        raise


def embedded(name: str) -> ModelSource:
    """One of the models that ship with the package."""
    card = localsmc_models.card(name)
    return ModelSource(
        path=localsmc_models.path(name), defaults=_from(card), is_embedded=True, sha256=card.sha256
    )


def recommended(name: str | None) -> ModelDefaults:
    """The defaults for a GGUF by its own name (`general.name`).

    The embedded models are known by theirs wherever the file lies, and so are copies of them
    in other quantizations, which keep it.
    """
    for embedded in localsmc_models.names():
        if name == localsmc_models.title(embedded):
            return _from(localsmc_models.card(embedded))
    return ModelDefaults()


def _from(card: localsmc_models.Card) -> ModelDefaults:
    return ModelDefaults(
        alpha=card.alpha,
        ramp=card.ramp,
        n_predict=card.n_predict,
        instruction=None,
        pool=EMBEDDED,
        sure=EMBEDDED_SURE,
    )
