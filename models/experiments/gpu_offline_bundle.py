"""Pack and use a folder with everything needed to run this checkout on an offline GPU machine.

The folder contains wheels of all requirements in `pyproject.toml`, the Python files of the binding
(`llama_cpp`), and llama.cpp's libraries as a `.tgz`. NumPy is left out, because PyTorch provides it.
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
"""Minor glibc versions to request from pip, which accepts only exact platform tags for another Python."""

LEAST = ("libggml-base", "libggml-cpu", "libggml", "libllama")
"""The libraries that llama.cpp needs to start."""


def pack(folder: Path, libraries: Path | None, python: str | None) -> None:
    """Fill a new folder; raises ConfigError if it is not empty or a download fails."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"`{folder}` is not empty", hint="delete it, or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(_binding(), folder / "llama_cpp", ignore=shutil.ignore_patterns("lib", "__pycache__"))
    if libraries is not None:
        shutil.copy(libraries, folder)
    command = [sys.executable, "-m", "pip", "download", "-qq", "--dest", str(folder)]
    done = subprocess.run([*command, *_for_python(python), *sorted(requirements())], check=False)
    if done.returncode:
        raise ConfigError("pip could not download the wheels", hint="see pip's output above")
    for wheel in folder.glob("*.whl"):
        if _name(wheel.name.split("-")[0]) in LEFT_BEHIND:
            wheel.unlink()


def requirements() -> set[str]:
    """The requirements of the project, its tests and the binding, in pip's format, without LEFT_BEHIND."""
    from localsmc_models.training.recipe import read  # needs tomli on Python 3.10, only for packing

    project = read(ROOT / "pyproject.toml")["project"]
    asked = {*project["dependencies"], *project["optional-dependencies"]["test"]}
    asked |= {line for line in metadata.requires(BINDING) or () if "extra ==" not in line}
    return {line for line in asked if _name(re.split(r"[^\w.-]", line)[0]) not in LEFT_BEHIND}


def _name(written: str) -> str:
    return re.sub(r"[-_.]+", "-", written).lower()


def _for_python(version: str | None) -> Iterator[str]:
    """pip's options for binary wheels, and for another Python version on x86-64 Linux."""
    yield "--only-binary=:all:"
    if version is not None:
        yield from ("--python-version", version, "--implementation", "cp")
        yield from (f"--platform=manylinux_2_{minor}_x86_64" for minor in MANYLINUX)
        yield from ("--platform=manylinux2014_x86_64", "--platform=manylinux1_x86_64")


def _binding() -> Path:
    found = util.find_spec("llama_cpp")
    if found is None or not found.submodule_search_locations:
        raise ConfigError(f"`{BINDING}` is not installed", hint="pack on a machine where `localsmc` runs")
    return Path(next(iter(found.submodule_search_locations)))


# --- unpacking ------------------------------------------------------------------------------------


def unpack(packed: Path, site: Path) -> list[Path]:
    """Unzip the wheels into `site`; returns the folders to prepend to Python's path."""
    if not (packed / "llama_cpp").is_dir():
        raise ConfigError(f"`{packed}` was not packed: it has no folder `llama_cpp`", hint="run --pack first")
    for wheel in sorted(packed.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    # A wheel can have its modules in a separate data folder, which installers merge.
    for part in [*site.glob("*.data/purelib"), *site.glob("*.data/platlib")]:
        shutil.copytree(part, site, dirs_exist_ok=True)
    return [site, packed.resolve()]


def packed_libraries(packed: Path) -> Path | None:
    """The `.tgz` of a packed folder, or None."""
    found = sorted(packed.glob("*.tgz"))
    return found[0] if found else None


def place_libraries(source: Path, folder: Path) -> Path:
    """Put llama.cpp's libraries from a folder or a `.tgz` into `folder`, under all names that are needed.

    The binding opens `libllama.so`; llama.cpp's libraries load one another as `libggml.so.0`.
    """
    if not source.exists():
        raise ConfigError(f"`{source}` does not exist", hint="use a `.tgz` or a folder of `lib*.so.0` files")
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
            f"`{source}` has no {', '.join(missing)}", hint="build llama.cpp with shared libraries"
        )
    return folder


def _extract(source: Path, folder: Path) -> None:
    try:
        with tarfile.open(source) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and re.fullmatch(r"lib[\w.-]+", Path(member.name).name):
                    # Use only the last part of the name, so that an archive cannot write elsewhere.
                    with file, (folder / Path(member.name).name).open("wb") as copy:
                        shutil.copyfileobj(file, copy)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ConfigError(
            f"`{source}` cannot be unpacked: {error}", hint="use a `.tgz` of libraries"
        ) from error


def cuda_folders(path: Iterable[str]) -> list[Path]:
    """The folders on Python's path where PyTorch's packages keep cuBLAS and the CUDA runtime."""
    found = (folder for entry in path if entry for folder in sorted(Path(entry).glob("nvidia/*/lib")))
    return [folder for folder in dict.fromkeys(found) if any(folder.glob("lib*.so*"))]


def environment(libraries: Path | None, packages: Sequence[Path]) -> dict[str, str]:
    """Environment variables for child processes to find this checkout, the packages and the libraries.

    This process cannot use them itself: its loader reads LD_LIBRARY_PATH only at the start.
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
