"""The structure of the code: fast imports, public names, installed packages."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import localsmc

ROOT = Path(__file__).parents[1]
CHECKOUT_ONLY = ("localsmc_models.experiments", "localsmc_models.training")
"""Not in the wheel."""


def imports(path):
    """Top-level module names imported anywhere in a file, type checking included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [alias.name for alias in node.names]


SOURCES = sorted((ROOT / "localsmc").rglob("*.py"))


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("gguf", "localsmc/bench/synthetic/gguf_writer.py"),
        ("llama_cpp", "localsmc/llama/binding.py"),
        ("platformdirs", "localsmc/system/user_dirs.py"),
        ("psutil", "localsmc"),
    ],
)
def test_some_libraries_have_one_home(library, home):
    users = [
        str(path.relative_to(ROOT))
        for path in [*SOURCES, *(ROOT / "cli").rglob("*.py")]
        if any(name.split(".")[0] == library for name in imports(path))
    ]
    assert users
    assert all(user.startswith(home) for user in users)


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def test_importing_the_package_is_cheap():
    heavy = run_python(
        "import localsmc, sys;"
        "print(*[m for m in ('gguf', 'llama_cpp', 'numpy', 'jinja2') if m in sys.modules])"
    )
    assert heavy == []


def test_public_names_are_sorted_complete_and_real():
    assert localsmc.__all__ == sorted(localsmc.__all__)
    for name in localsmc.__all__:
        assert getattr(localsmc, name) is not None
    with pytest.raises(AttributeError, match="no attribute `solv`"):
        _ = localsmc.solv


def test_the_version_is_said_once():
    # The build reads it from the package; `.ci/release-check` compares the wheel's with the command's.
    assert 'version = { attr = "localsmc.version.__version__" }' in (ROOT / "pyproject.toml").read_text()


def test_every_package_is_installed():
    listed = set(
        re.findall(r'^    "(localsmc[\w.]*)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    )
    folders = {"localsmc": "localsmc", "cli": "localsmc_cli", "models": "localsmc_models"}
    for folder, name in folders.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / folder).parts
            if ".".join((name, *parts)) in CHECKOUT_ONLY:
                continue
            assert ".".join((name, *parts)) in listed


def test_no_module_has_grown_out_of_one_noun():
    for path in [*SOURCES, *(ROOT / "cli").glob("*.py"), *(ROOT / "models").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 420, path
