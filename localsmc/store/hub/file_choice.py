"""Choose the files of a repository: a quantization, with all parts of a split model, without side files.

The same rules apply to the hub's listing and to a cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath

from localsmc.store.hub.repo_name import HubName

DEFAULTS = ("Q4_K_M", "Q8_0")
"""Quantizations to prefer if none is named, as in llama.cpp."""

_LABEL = re.compile(
    r"(?<![a-z0-9])(?:UD-)?"
    r"(?:I?Q\d+(?:_(?:K|S|M|L|XL|XXL|XS|XXS|NL|P|\d))*|TQ\d_\d|BF16|FP?16|FP?32|MXFP4(?:_MOE)?|NVFP4)"
    r"(?![a-z0-9])",
    re.IGNORECASE,
)
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_NO_MODEL = re.compile(r"mmproj|imatrix", re.IGNORECASE)
_SIDE_FILE = re.compile(
    r"(?<![a-z])(?:adapter|control-?vector|dflash|draft|dspark|eagle\d?|lora|mtp|vocab)(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class GGUFFiles:
    """A model of a repository: its parts, usually one, and the quantization in its name, if any."""

    parts: tuple[str, ...]
    quantization: str | None

    @property
    def file(self) -> str:
        """The first part, by which llama.cpp finds the others."""
        return self.parts[0]


def candidates(files: Iterable[str]) -> list[GGUFFiles]:
    """The models among files, those in fewer folders first; incomplete split models are skipped.

    Drafts and adapters count as models only if a repository has nothing else.
    """
    known = set(files)
    found = [_candidate(file, known) for file in known]
    models = [one for one in found if one is not None and not _NO_MODEL.search(_basename(one.file))]
    main = [one for one in models if not _SIDE_FILE.search(_basename(one.file))]
    return sorted(main or models, key=lambda one: (one.file.count("/"), one.file.lower(), one.file))


def choose(name: HubName, files: Iterable[str]) -> GGUFFiles | None:
    """The model that a name selects, or None."""
    known = list(files)
    if name.file is not None:
        return _by_file(name.file, known)
    found = candidates(known)
    if name.quantization is not None:
        return _by_quantization(name.quantization, found)
    by_default = (_by_quantization(label, found) for label in DEFAULTS)
    return next((one for one in by_default if one is not None), found[0] if found else None)


def _by_file(file: str, known: list[str]) -> GGUFFiles | None:
    """The model of a given file, whatever its name; any part of a split model selects all parts."""
    same = [other for other in sorted(known) if other.lower() == file.lower()]
    path = file if file in same else next(iter(same), None)
    if path is None:
        return None
    part = _PART.fullmatch(path)
    first = f"{part['stem']}-00001-of-{part['count']}{path[-5:]}" if part else path
    return _candidate(first, set(known))


def _by_quantization(label: str, found: list[GGUFFiles]) -> GGUFFiles | None:
    """The first match: the label itself, then its UD- variant, then a file with that word in its name."""
    wanted = _plain(label)
    word = re.compile(rf"(?<![a-z0-9]){re.escape(label)}(?![a-z0-9])", re.IGNORECASE)
    exact = (one for one in found if one.quantization == wanted)
    mixed = (one for one in found if one.quantization == f"UD-{wanted}")
    named = (one for one in found if one.quantization is None and word.search(one.file))
    return next(chain(exact, mixed, named), None)


def _candidate(file: str, known: set[str]) -> GGUFFiles | None:
    """The model whose first part is this file; None for a later part, or if a part is missing."""
    if not file.lower().endswith(".gguf"):
        return None
    part = _PART.fullmatch(file)
    if part is None:
        return GGUFFiles((file,), _quantization(file[:-5]))
    count = int(part["count"])
    if int(part["number"]) != 1 or count > len(known):
        return None
    parts = tuple(f"{part['stem']}-{k:05}-of-{part['count']}{file[-5:]}" for k in range(1, count + 1))
    return GGUFFiles(parts, _quantization(part["stem"])) if known.issuperset(parts) else None


def _quantization(stem: str) -> str | None:
    """The last quantization label in the file's name, otherwise in the nearest folder's name that has one."""
    for text in reversed(PurePosixPath(stem).parts):
        if labels := _LABEL.findall(text):
            return _plain(labels[-1])
    return None


def _plain(label: str) -> str:
    return re.sub(r"^FP(?=16|32)", "F", label.upper())


def _basename(file: str) -> str:
    return file.rpartition("/")[2]
