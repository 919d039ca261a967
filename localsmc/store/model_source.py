"""Resolve a model's name to a file and its recommended settings.

A name is a path, an embedded model, a user's alias, a model of pip, ollama or LM Studio, or a repository on
the Hugging Face hub; no name means the embedded model. Works with paths and model cards; never opens a model.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import localsmc_models
from localsmc.errors import ModelError, ModelNotFound
from localsmc.store import aliases, hub, other_programs, pip_packages
from localsmc.store.local_model import LocalModel

EMBEDDED, EMBEDDED_DRAFT = "tiny", "draft"

EMBEDDED_SURE = 0.85
"""The embedded model rates nearly every step above 0.5. On 60 problems (`tiny:seed=6`, N=4) ssr solves 48 %
with this value, 32 % with 0.75, and 52 % with 0.9, which keeps half as many of the draft's tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDefaults:
    """Defaults of `solve` for a model: exponent, ramp, token limit, form of answers, refusals, strategies."""

    alpha: float = 2.0
    ramp: int = 50
    n_predict: int = 1024
    boxes_unasked: bool = False
    """Whether the model was trained to end with a box, so that no instruction is ever added."""
    refusals: tuple[str, ...] = ()
    """The openings of the replies with which the model was trained to refuse, see `text.refusal`."""
    pool: str | None = None
    """Name of the strategy pool, and of the prompt wording, that the model was trained on."""
    sure: float | None = None
    """Minimum probability of a good rating for a drafted step to be accepted."""

    def of_method(self, name: str) -> dict[str, float | str]:
        """The recommended values of a method's parameters."""
        known: dict[str, dict[str, float | str | None]] = {
            "power-smc": {"alpha": self.alpha, "ramp": self.ramp},
            "draft-smc": {"alpha": self.alpha, "ramp": self.ramp},
            "ssr": {"pool": self.pool, "words": self.pool, "sure": self.sure},
        }
        return {option: value for option, value in known.get(name, {}).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A model file with its defaults; `sha256` is set if it is known without reading the file."""

    path: Path
    defaults: ModelDefaults
    is_embedded: bool = False
    sha256: str | None = None
    title: str | None = None
    """A short name, if the file's own name says nothing."""
    notice: str | None = None
    """A warning for whoever uses the model."""

    @property
    def name(self) -> str:
        """A short name for tables."""
        return self.title or self.path.stem

    @property
    def file_name(self) -> str:
        """The name of the file; one made from the title if the file's own name says nothing."""
        return self.path.name if self.title is None else re.sub("[/:]", "-", self.title) + ".gguf"


def resolve(model: str | Path | None, access: hub.Access | None = None) -> ModelSource:
    """Find a model: a path, an embedded model, an alias, a model of another program or on the hub.

    A model that is not in the Hugging Face cache is downloaded into it. Raises ModelNotFound,
    ModelLoadFailed, DownloadFailed, ConfigError, or RunError if the disk is full.
    """
    meant = EMBEDDED if model is None else parse_name(model)
    return _source(_of_hub(meant, access) if isinstance(meant, hub.HubName) else meant)


def installed(model: str) -> ModelSource:
    """As `resolve`, but downloads nothing: raises ModelNotFound for a model that is not on this machine."""
    meant = parse_name(model)
    if isinstance(meant, hub.HubName):
        found = hub.cache.find(meant)
        if found is None:
            near = _of_program(model)
            raise ModelNotFound(
                f"`{meant}` is not downloaded yet",
                hint=f"did you mean `{near}`?" if near else f"run: localsmc models pull {meant}",
            )
        return _source(found.path)
    return _source(meant)


def parse_name(model: str | Path) -> Path | str | LocalModel | hub.HubName:
    """Resolve a name, following aliases, to the first of these that it names.

    A model of pip, ollama or LM Studio, by prefix; a path that exists; an embedded model, as its name; a
    model with a package of its own (`smollm2`); a name on the hub. Raises ModelNotFound, or ModelLoadFailed
    for a damaged model of another program. Downloads nothing.
    """
    if isinstance(model, Path):
        return _existing(model) or _missing(str(model))
    found = other_programs.find(model) or _existing(model)
    if found is not None:
        return found
    name = model if model in localsmc_models.names() else aliases.follow(model)
    if name in localsmc_models.names():
        return name
    if name in pip_packages.NAMED and _existing(name) is None:
        return pip_packages.find_named(name)
    return other_programs.find(name) or _existing(name) or hub.parse(name) or _missing(name)


def portable_name(model: str | None) -> str | None:
    """A form of the model's name that works from any working directory."""
    if model is None or other_programs.program_of(model):
        return model
    path = _existing(model)
    return model if path is None else str(path.absolute())


def is_embedded(model: str) -> bool:
    """Whether a name means a model that ships with the package; False for unknown names."""
    try:
        return isinstance(parse_name(model), str)
    except ModelError:
        return False


def _source(meant: Path | str | LocalModel) -> ModelSource:
    if isinstance(meant, str):
        return embedded(meant)
    if isinstance(meant, LocalModel):
        return ModelSource(
            path=meant.path,
            defaults=ModelDefaults(),
            sha256=meant.sha256,
            title=meant.title,
            notice=meant.notice,
        )
    # The Hugging Face cache names its blobs by their SHA-256.
    blob = meant.resolve().name
    is_hash = len(blob) == 64 and all(c in "0123456789abcdef" for c in blob)
    return ModelSource(path=meant, defaults=ModelDefaults(), sha256=blob if is_hash else None)


def _existing(model: str | Path) -> Path | None:
    # Not `Path.expanduser` and `Path.exists`: they raise for an unknown user's home and for overlong names.
    path = os.path.expanduser(model)
    return Path(path) if os.path.exists(path) else None


def _missing(name: str) -> NoReturn:
    """Raise ModelNotFound, suggesting a similar name."""
    known = [*aliases.read(), *localsmc_models.names(), *pip_packages.NAMED, *_ggufs_in_folder(name)]
    known += [str(model.name) for model in hub.cache.models()]
    others_have = [model.name for model in other_programs.models()]
    same = [other for other in others_have if other.partition(":")[2].lower() == name.lower()]
    same += [other for other in known if other.lower() == name.lower()]
    near = same or get_close_matches(name, [*known, *others_have], 1, 0.7)
    is_path = name.lower().endswith(".gguf") or "/" in name or os.sep in name
    others = "give a GGUF file or user/repo on the Hugging Face hub; `localsmc models` lists installed models"
    if re.fullmatch(r"[\w.-]+:[\w.-]+", name):
        others = f"if it is a model of ollama, write `ollama:{name}`; otherwise {others}"
    raise ModelNotFound(
        f"no model at `{name}`" if is_path else f"no model is called `{name}`",
        hint=f"did you mean `{near[0]}`?" if near else others,
    )


def _of_program(name: str) -> str | None:
    """The model that is meant by the name of its program, a slash and its name: `ollama/qwen3:4b`."""
    program, _, rest = name.partition("/")
    with contextlib.suppress(ModelError):
        found = other_programs.find(f"{program}:{rest}")
        return None if found is None else found.name
    return None


def _ggufs_in_folder(name: str) -> list[str]:
    """GGUF files in the folder of a path, written relative to the same folder."""
    folder = os.path.dirname(name)
    with contextlib.suppress(OSError, ValueError):  # the folder does not exist, or its name is invalid
        files = sorted(os.listdir(os.path.expanduser(folder) or "."))
        return [os.path.join(folder, file) for file in files if file.lower().endswith(".gguf")]
    return []


def _of_hub(name: hub.HubName, access: hub.Access | None) -> Path:
    try:
        return hub.find_model(name, access).path
    except hub.NoRepository as error:
        near = _of_program(str(name))
        elsewhere = f"did you mean `{near}`?" if near else f"there is no local file `{name}` either"
        error.hint = f"{error.hint}; {elsewhere}"
        raise


def embedded(name: str) -> ModelSource:
    """A model that ships with the package."""
    card = localsmc_models.card(name)
    return ModelSource(
        path=localsmc_models.path(name), defaults=_from(card), is_embedded=True, sha256=card.sha256
    )


def recommended(name: str | None) -> ModelDefaults:
    """The defaults for a GGUF, looked up by its `general.name`.

    This recognises the embedded models wherever the file is, and also copies in other quantizations,
    which keep the name.
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
        boxes_unasked=True,
        refusals=card.refusals,
        pool=EMBEDDED,
        sure=EMBEDDED_SURE,
    )
