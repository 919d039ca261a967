"""What a machine without a network needs to run this checkout on its GPU: one folder, packed and used.

The folder holds wheels of all that `pyproject.toml` asks for, the binding's Python files (`llama_cpp`)
and llama.cpp's own libraries as a `.tgz`. NumPy stays behind: it is there where PyTorch is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata, util
from pathlib import Path

from localsmc.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
BINDING = "llama-cpp-python"
LEFT_BEHIND = (BINDING, "numpy")

MANYLINUX = (39, 35, 34, 31, 28, 27, 24, 17)
"""Wheels for another Python are asked for by the C library they need, and pip takes these exactly."""

LEAST = ("libggml-base", "libggml-cpu", "libggml", "libllama")
"""Without one of these llama.cpp does not start."""


def pack(folder: Path, libraries: Path | None, python: str | None) -> None:
    """Fill a new folder; ConfigError where it holds something, or a download fails."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"`{folder}` is not empty", hint="delete it, or name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(_binding(), folder / "llama_cpp", ignore=shutil.ignore_patterns("lib", "__pycache__"))
    if libraries is not None:
        shutil.copy(libraries, folder)
    command = [sys.executable, "-m", "pip", "download", "-qq", "--dest", str(folder)]
    done = subprocess.run([*command, *_for_python(python), *sorted(requirements())], check=False)
    if done.returncode:
        raise ConfigError("pip could not download the wheels", hint="its own words are above")
    for wheel in folder.glob("*.whl"):
        if _name(wheel.name.split("-")[0]) in LEFT_BEHIND:
            wheel.unlink()


def requirements() -> set[str]:
    """What the project, its tests and the binding ask for, as `pip` reads it, less what stays behind."""
    from localsmc_models.training.recipe import (
        read,  # needs tomli on Python 3.10, which only packing asks for
    )

    project = read(ROOT / "pyproject.toml")["project"]
    asked = {*project["dependencies"], *project["optional-dependencies"]["test"]}
    asked |= {line for line in metadata.requires(BINDING) or () if "extra ==" not in line}
    return {line for line in asked if _name(re.split(r"[^\w.-]", line)[0]) not in LEFT_BEHIND}


def _name(written: str) -> str:
    return re.sub(r"[-_.]+", "-", written).lower()


def _for_python(version: str | None) -> Iterator[str]:
    """pip's options for wheels, and for another Python than this one, on an x86-64 Linux."""
    yield "--only-binary=:all:"
    if version is not None:
        yield from ("--python-version", version, "--implementation", "cp")
        yield from (f"--platform=manylinux_2_{minor}_x86_64" for minor in MANYLINUX)
        yield from ("--platform=manylinux2014_x86_64", "--platform=manylinux1_x86_64")


def _binding() -> Path:
    found = util.find_spec("llama_cpp")
    if found is None or not found.submodule_search_locations:
        raise ConfigError(f"`{BINDING}` is not installed here", hint="pack where `localsmc` runs")
    return Path(next(iter(found.submodule_search_locations)))


# --- using it -------------------------------------------------------------------------------------


def unpack(packed: Path, site: Path) -> list[Path]:
    """Unzip the wheels into `site`; returns the folders to put in front of Python's path."""
    if not (packed / "llama_cpp").is_dir():
        raise ConfigError(f"`{packed}` was not packed: it has no folder `llama_cpp`", hint="see --pack")
    for wheel in sorted(packed.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    # A wheel's modules may lie in a folder of their own, which installers merge.
    for part in [*site.glob("*.data/purelib"), *site.glob("*.data/platlib")]:
        shutil.copytree(part, site, dirs_exist_ok=True)
    return [site, packed.resolve()]


def packed_libraries(packed: Path) -> Path | None:
    """The `.tgz` of a packed folder, or None where it has none."""
    found = sorted(packed.glob("*.tgz"))
    return found[0] if found else None


def place_libraries(source: Path, folder: Path) -> Path:
    """The folder with llama.cpp's libraries from a folder or a `.tgz`, each under the name that is asked for.

    The binding opens `libllama.so`; llama.cpp's libraries ask for one another as `libggml.so.0`.
    """
    if not source.exists():
        raise ConfigError(
            f"`{source}` does not exist", hint="it is a `.tgz` of `lib*.so.0`, or a folder of them"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        for file in source.glob("lib*.so*"):
            (folder / file.name).symlink_to(file.resolve())
    else:
        _extract(source, folder)
    for file in sorted(folder.glob("lib*.so.*")):
        plain = folder / f"{file.name.split('.so.')[0]}.so"
        if not plain.exists():
            plain.symlink_to(file.name)
    missing = [f"{name}.so" for name in LEAST if not (folder / f"{name}.so").exists()]
    if missing:
        raise ConfigError(
            f"`{source}` has no {', '.join(missing)}", hint="see `shared/gpu` or build llama.cpp"
        )
    return folder


def _extract(source: Path, folder: Path) -> None:
    try:
        with tarfile.open(source) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and re.fullmatch(r"lib[\w.-]+", Path(member.name).name):
                    # By its last name only: an archive cannot write elsewhere.
                    with file, (folder / Path(member.name).name).open("wb") as copy:
                        shutil.copyfileobj(file, copy)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ConfigError(
            f"`{source}` cannot be unpacked: {error}", hint="it is a `.tgz` of libraries"
        ) from error


def cuda_folders(path: Iterable[str]) -> list[Path]:
    """Where PyTorch's packages keep cuBLAS and the CUDA runtime, for every folder of Python's path."""
    found = (folder for entry in path if entry for folder in sorted(Path(entry).glob("nvidia/*/lib")))
    return [folder for folder in dict.fromkeys(found) if any(folder.glob("lib*.so*"))]


def environment(libraries: Path | None, packages: Sequence[Path]) -> dict[str, str]:
    """The environment in which a child finds this checkout, the packages and llama.cpp's libraries.

    Children get it rather than this process, whose loader has read LD_LIBRARY_PATH when it began.
    """
    path = [os.path.abspath(entry) for entry in sys.path]
    own = {"PYTHONPATH": _joined([*packages, *dict.fromkeys(path)]), "PYTHONUNBUFFERED": "1"}
    if libraries is not None:
        before = [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if part]
        own["LLAMA_CPP_LIB_PATH"] = str(libraries)
        own["LD_LIBRARY_PATH"] = _joined([libraries, *cuda_folders(path), *before])
    return {**os.environ, **own}


def _joined(parts: Iterable[Path | str]) -> str:
    return os.pathsep.join(map(str, parts))
