"""Models that ollama has downloaded: `ollama:qwen3:4b`. ollama need not run.

manifests/HOST/NAMESPACE/MODEL/TAG    JSON: the layers of a model, by media type and SHA-256
blobs/sha256-...                      a layer; that of the model is a GGUF file
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from localsmc.errors import ModelError, ModelLoadFailed, ModelNotFound
from localsmc.store.local_model import LocalModel

PREFIX = "ollama:"

LOCKED_HINT = "if ollama runs as a service: sudo usermod -aG ollama $USER, then log in again"

_HOST, _NAMESPACE, _TAG = "registry.ollama.ai", "library", "latest"
_PART = re.compile(r"\w[\w.-]*", re.ASCII)
_SERVER = re.compile(r"\w[\w.:-]*", re.ASCII)
_DIGEST = re.compile(r"sha256[:-](?P<hash>[0-9a-fA-F]{64})")
_LAYER = "application/vnd.ollama.image."
_ELSEWHERE = "use a GGUF file of this model, e.g. from the Hugging Face hub"
_SERVICE = Path("/usr/share/ollama/.ollama/models")
"""Where ollama keeps its models if it runs as a system service on Linux."""


@dataclass(frozen=True, slots=True)
class _Name:
    host: str
    namespace: str
    model: str
    tag: str

    def __str__(self) -> str:
        """As `ollama list` prints it."""
        if (self.host, self.namespace) == (_HOST, _NAMESPACE):
            return f"{self.model}:{self.tag}"
        host = "" if self.host == _HOST else f"{self.host}/"
        return f"{host}{self.namespace}/{self.model}:{self.tag}"


class _NotHere(ModelLoadFailed):
    """The model has no GGUF file on this machine, and nothing is wrong with that."""


def folders() -> list[Path]:
    """The folders of models: `OLLAMA_MODELS`, or those of the user and of the system service."""
    if value := os.environ.get("OLLAMA_MODELS"):
        return [Path(os.path.expanduser(value))]
    return [Path(os.path.expanduser("~/.ollama/models")), _SERVICE]


def find(name: str) -> LocalModel:
    """The model of a name as ollama writes it; raises ModelNotFound, or ModelLoadFailed if it is unusable.

    As in ollama, the tag is `latest` if there is none, and case does not matter.
    """
    wanted = _parse(name)
    if wanted is None:
        raise ModelNotFound(f"`{PREFIX}{name}` is not a name of ollama", hint="write it as ollama:qwen3:4b")
    same = [one for one in _manifests() if str(one[1]).lower() == str(wanted).lower()]
    for folder, found, manifest in sorted(same, key=lambda one: one[1] != wanted):
        return _model(folder, found, manifest)
    raise _unknown(wanted)


def models() -> list[LocalModel]:
    """The models of ollama, in alphabetical order; those that are damaged have an `error`."""
    found: dict[str, LocalModel] = {}
    for folder, name, manifest in _manifests():
        try:
            model = _model(folder, name, manifest)
        except _NotHere:
            continue
        except ModelError as error:
            model = LocalModel(
                name=f"{PREFIX}{name}", paths=(manifest,), removal=_removal(name), error=str(error)
            )
        found.setdefault(model.name, model)
    return [model for _, model in sorted(found.items())]


def unreadable() -> list[Path]:
    """The folders of models that exist but that this user must not read."""
    return [folder for folder in folders() if not _is_readable(folder / "manifests")]


def _is_readable(folder: Path) -> bool:
    try:
        os.scandir(folder).close()
    except PermissionError:
        return False
    except OSError:  # it does not exist
        return True
    return True


def _parse(name: str) -> _Name | None:
    """The name with ollama's defaults; None if it is not one."""
    path, tag = name, _TAG
    if name.rfind(":") > name.rfind("/"):
        path, _, tag = name.rpartition(":")
    parts = path.split("/")
    if len(parts) > 3:
        return None
    host, namespace, model = [*(_HOST, _NAMESPACE)[: 3 - len(parts)], *parts]
    if not _SERVER.fullmatch(host) or not all(map(_PART.fullmatch, (namespace, model, tag))):
        return None
    return _Name(host, namespace, model, tag)


def _manifests() -> Iterator[tuple[Path, _Name, Path]]:
    """Each manifest with the folder of models it belongs to and the name of its model."""
    for folder in folders():
        # Not `Path.glob`, which raises for a folder that must not be read.
        for path in sorted(glob.glob(os.path.join(glob.escape(str(folder)), "manifests", *"****"))):
            manifest = Path(path)
            name = _parse("{}/{}/{}:{}".format(*manifest.parts[-4:]))
            if name is not None and os.path.isfile(path):
                yield folder, name, manifest


def _model(folder: Path, name: _Name, manifest: Path) -> LocalModel:
    """Read a manifest; raises ModelLoadFailed if it is damaged or its model has no GGUF file."""
    typed, layers = f"{PREFIX}{name}", _layers(name, manifest)
    digests = [digest for kind, digest in layers if kind == "model"]
    kinds, notice = {kind for kind, _ in layers}, None
    if "adapter" in kinds:
        notice = f"the adapter of `{typed}` is not used: its base model answers"
    if not digests:
        raise _without_file(name, kinds)
    if len(digests) > 1:
        raise ModelLoadFailed(
            f"`{typed}` consists of {len(digests)} files, which only ollama can put together",
            hint=_ELSEWHERE,
        )
    return LocalModel(
        name=typed,
        paths=(_blob(folder, name, digests[0]),),
        removal=_removal(name),
        sha256=digests[0],
        title=str(name),
        notice=notice,
    )


def _layers(name: _Name, manifest: Path) -> list[tuple[str, str]]:
    """The kind and the digest of each layer."""
    try:
        layers = json.loads(manifest.read_text(encoding="utf-8"))["layers"] or []
        return [_layer(layer) for layer in layers]
    except OSError as error:
        raise ModelLoadFailed(
            f"the manifest of `{PREFIX}{name}` cannot be read: {error.strerror}",
            hint=f"check the permissions of {manifest}",
        ) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelLoadFailed(
            f"the manifest of `{PREFIX}{name}` is damaged", hint=f"run: ollama pull {name}"
        ) from error


def _layer(layer: dict[str, Any]) -> tuple[str, str]:
    kind, digest = layer["mediaType"].partition(";")[0], _DIGEST.fullmatch(layer["digest"])
    if digest is None:
        raise ValueError("the digest is not a SHA-256")
    return kind.removeprefix(_LAYER), digest["hash"].lower()


def _blob(folder: Path, name: _Name, digest: str) -> Path:
    blob = folder / "blobs" / f"sha256-{digest}"
    if not os.path.exists(blob):
        raise ModelLoadFailed(
            f"the file of `{PREFIX}{name}` is missing in `{blob.parent}`", hint=f"run: ollama pull {name}"
        )
    return blob


def _without_file(name: _Name, kinds: set[str]) -> ModelLoadFailed:
    if "tensor" in kinds:
        what = "is not a GGUF file: ollama keeps its tensors one by one, for MLX"
        return _NotHere(f"`{PREFIX}{name}` {what}", hint=_ELSEWHERE)
    for kind, what in ("adapter", "an adapter"), ("projector", "a projector for images"):
        if kind in kinds:
            return ModelLoadFailed(
                f"`{PREFIX}{name}` has only {what}, and no language model", hint=f"run: ollama pull {name}"
            )
    what = "has no model file: ollama runs it on another machine, or its manifest is incomplete"
    return _NotHere(f"`{PREFIX}{name}` {what}", hint=_ELSEWHERE)


def _removal(name: _Name) -> str:
    return f"run: ollama rm {name}"


def _unknown(wanted: _Name) -> ModelNotFound:
    """The error for a model that ollama does not have, with other tags or similar names."""
    for folder in unreadable():
        return ModelNotFound(
            f"`{PREFIX}{wanted}` is not found, and the models of ollama in `{folder}` cannot be read",
            hint=LOCKED_HINT,
        )
    known = {str(name): name.model.lower() for _, name, _ in _manifests()}
    near = get_close_matches(wanted.model.lower(), known.values(), 1, 0.6)
    hint = f"run: ollama pull {wanted}"
    if near:
        names = [PREFIX + text for text, model in known.items() if model == near[0]]
        hint = f"choose from: {', '.join(names)}; or {hint}"
    elif not known:
        hint += "; if ollama keeps its models in another folder, set OLLAMA_MODELS"
    return ModelNotFound(f"ollama has no model `{wanted}`", hint=hint)
