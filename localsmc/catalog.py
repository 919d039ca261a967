"""Which file a model's name stands for, and what is recommended for it.

No name at all is the embedded model. Knows paths and cards; never opens a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import localsmc_models
from localsmc.errors import ModelNotFound
from localsmc.prompts import BOX_INSTRUCTION

EMBEDDED, EMBEDDED_DRAFT = "tiny", "draft"

EMBEDDED_SURE = 0.85
"""The embedded model likes nearly everything above 0.5: of 60 problems (`tiny:seed=6`, N=4) ssr has 48 %
right with this, 32 % with 0.75, 52 % with 0.9, which keeps half as many of the draft's tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
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
class Source:
    """A model file with its defaults; `sha256` where it is known without reading the file."""

    path: Path
    defaults: Defaults
    is_embedded: bool = False
    sha256: str | None = None


def resolve(model: str | Path | None) -> Source:
    """The file of a model given by path, or of the embedded one; raises ModelNotFound."""
    if model is None:
        return embedded(EMBEDDED)
    path = Path(model).expanduser()
    if not path.exists():
        raise ModelNotFound(
            f"no model at `{path}`",
            hint="give the path of a GGUF file, or leave `-m` out for the embedded model",
        )
    # The Hugging Face cache names its blobs by their SHA-256.
    blob = path.resolve().name
    is_hash = len(blob) == 64 and all(c in "0123456789abcdef" for c in blob)
    return Source(path=path, defaults=Defaults(), sha256=blob if is_hash else None)


def embedded(name: str) -> Source:
    """One of the models that ship with the package."""
    card = localsmc_models.card(name)
    return Source(path=localsmc_models.path(name), defaults=_from(card), is_embedded=True, sha256=card.sha256)


def recommended(name: str | None) -> Defaults:
    """The defaults for a GGUF by its own name (`general.name`).

    The embedded models are known by theirs wherever the file lies, and so are copies of them
    in other quantizations, which keep it.
    """
    for embedded in localsmc_models.names():
        if name == localsmc_models.title(embedded):
            return _from(localsmc_models.card(embedded))
    return Defaults()


def _from(card: localsmc_models.Card) -> Defaults:
    return Defaults(
        alpha=card.alpha,
        ramp=card.ramp,
        n_predict=card.n_predict,
        instruction=None,
        pool=EMBEDDED,
        sure=EMBEDDED_SURE,
    )
