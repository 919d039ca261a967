"""Models that LM Studio has downloaded: `lmstudio:publisher/repo:Q4_K_M`. LM Studio need not run.

models/PUBLISHER/REPO/FILE.gguf
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from localsmc.errors import ModelNotFound
from localsmc.store.hub.file_choice import GGUFFiles, candidates, choose
from localsmc.store.hub.repo_name import HubName
from localsmc.store.local_model import LocalModel

PREFIX = "lmstudio:"

_HOMES = ("~/.lmstudio", "~/.cache/lm-studio")
_POINTER = "~/.lmstudio-home-pointer"
"""A file with the path of LM Studio's folder, which it writes itself."""
_NONE = "LM Studio has no models here; download one in LM Studio, or give the path of a GGUF file"
_SHOWN = 8  # names in a hint


@dataclass(frozen=True, slots=True)
class _Found:
    """A model by its repository, which is `publisher/repo`, and its path below the repository."""

    root: Path
    repo: str
    files: GGUFFiles

    @property
    def path(self) -> str:
        """The path of the first part below the folder of models."""
        return self.of_part(self.files.file)

    def of_part(self, part: str) -> str:
        """The path of a part below the folder of models."""
        return f"{self.repo}/{part}" if self.repo else part


def folders() -> list[Path]:
    """The folders of models that exist, the one that LM Studio uses now first."""
    homes = [*_pointed(), *(Path(os.path.expanduser(home)) for home in _HOMES)]
    found = (folder for home in homes for folder in (*_chosen_by_user(home), home / "models"))
    return list(dict.fromkeys(Path(os.path.realpath(folder)) for folder in found if os.path.isdir(folder)))


def find(name: str) -> LocalModel:
    """The model of a name; raises ModelNotFound.

    The name is the path below LM Studio's folder of models, a repository with or without a quantization,
    chosen as on the hub, or a part of a path that only one repository has.
    """
    known = _all()
    stem, _, label = name.partition(":")
    if not stem:
        form = f"write it as {PREFIX}publisher/repo:Q4_K_M"
        raise ModelNotFound(f"`{PREFIX}{name}` names no model", hint=f"{form}; {_choose_from(known, known)}")
    for is_meant in _readings(stem):
        found = [one for one in known if any(is_meant(one.of_part(part).lower()) for part in one.files.parts)]
        if len({one.repo for one in found}) > 1:
            raise ModelNotFound(
                f"LM Studio has several models that match `{name}`", hint=_choose_from(found, known)
            )
        if found and (chosen := _chosen(found, label)) is not None:
            return _model(chosen, known)
        if found:
            raise ModelNotFound(
                f"LM Studio has no quantization `{label}` of `{stem}`", hint=_choose_from(found, known)
            )
    raise _unknown(name, known)


def models() -> list[LocalModel]:
    """The models of LM Studio, in alphabetical order."""
    known = _all()
    return sorted((_model(one, known) for one in known), key=lambda model: model.name.lower())


def _readings(stem: str) -> Iterable[Callable[[str], bool]]:
    """What a name can mean, the most literal first, as tests of a path."""
    text = stem.strip("/").lower()
    yield lambda path: path == text
    yield lambda path: path.startswith(f"{text}/")
    yield lambda path: text in path.split("/")
    yield lambda path: text in path


def _chosen(found: Sequence[_Found], label: str) -> _Found | None:
    """One of several models of a repository, by quantization, or by the hub's defaults."""
    parts = [part for one in found for part in one.files.parts]
    files = found[0].files if len(found) == 1 and not label else choose(HubName("", label or None), parts)
    return next((one for one in found if one.files == files), None)


def _pointed() -> list[Path]:
    try:
        text = Path(os.path.expanduser(_POINTER)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return []
    return [Path(os.path.expanduser("~")) / os.path.expanduser(text)] if text else []


def _chosen_by_user(home: Path) -> list[Path]:
    """The folder of models in LM Studio's settings, if the user has changed it."""
    try:
        settings = json.loads((home / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    folder = settings.get("downloadsFolder") if isinstance(settings, dict) else None
    return [Path(os.path.expanduser(folder))] if isinstance(folder, str) and folder else []


def _all() -> list[_Found]:
    """Every model; of two with the same path, the one of the first folder."""
    found: dict[str, _Found] = {}
    for root in folders():
        by_repo: dict[str, list[str]] = {}
        for path in _gguf_files(root):
            publisher, repo, *below = path.split("/") if path.count("/") > 1 else ("", "", path)
            by_repo.setdefault(f"{publisher}/{repo}".strip("/"), []).append("/".join(below))
        for repo, files in by_repo.items():
            for one in candidates(files):
                model = _Found(root, repo, one)
                found.setdefault(model.path.lower(), model)
    return list(found.values())


def _gguf_files(root: Path) -> list[str]:
    """The GGUF files below a folder, links to folders followed, each folder once."""
    found, seen = [], set()
    for folder, below, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        below[:] = [] if real in seen else sorted(below)
        if real not in seen:
            paths = (Path(folder, file) for file in sorted(files) if file.lower().endswith(".gguf"))
            found += [path.relative_to(root).as_posix() for path in paths if os.path.isfile(path)]
        seen.add(real)
    return found


def _model(one: _Found, known: Sequence[_Found]) -> LocalModel:
    """A model under the shortest name that selects it and goes on doing so."""
    same = [other for other in known if other.repo == one.repo]
    label = one.files.quantization
    is_short = one.repo and label is not None and _chosen(same, label) == one
    paths = tuple(one.root / one.repo / part for part in one.files.parts)
    return LocalModel(
        name=f"{PREFIX}{one.repo}:{label}" if is_short else PREFIX + one.path,
        paths=paths,
        removal="delete it in LM Studio, under My Models",
    )


def _choose_from(found: Sequence[_Found], known: Sequence[_Found]) -> str:
    if not found:
        return _NONE
    names = sorted((_model(one, known).name for one in found), key=str.lower)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"choose from: {', '.join(names[:_SHOWN])}{more}"


def _unknown(name: str, known: Sequence[_Found]) -> ModelNotFound:
    names = [_model(one, known).name.removeprefix(PREFIX) for one in known]
    near = get_close_matches(name, names, 1, 0.7)
    hint = f"did you mean `{PREFIX}{near[0]}`?" if near else _choose_from(known, known)
    return ModelNotFound(f"LM Studio has no model `{name}`", hint=hint)
