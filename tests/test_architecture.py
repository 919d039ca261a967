"""The code's shape: layers, cheap imports, public names, README's map of the files."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import localsmc

ROOT = Path(__file__).parents[1]
LAYERS = [
    {
        "errors",
        "folders",
        "machine",
        "memo",
        "numerics",
        "sizes",
        "stopwatch",
        "records",
        "answers",
        "thinking",
        "ggml",
        "statistics",
        "writing",
    },
    {
        "aliases",
        "inventory",
        "recommendations",
        "draws",
        "hub",
        "resampling",
        "model",
        "prompts",
        "catalog",
        "gguf",
        "gbnf",
        "genealogy",
        "memory",
        "strategies",
        "tasks",
        "tempered",
        "grading",
    },
    {"toy", "llama", "narrowed", "restricted", "placement", "kept", "transcript", "sequences", "probe"},
    {
        "branching",
        "deferral",
        "drafted",
        "histories",
        "particles",
        "questions",
        "rejuvenation",
        "rollouts",
        "speculation",
        "steps",
        "texts",
        "selection",
        "settings",
    },
    {"methods"},
    {"grammars", "loading", "layout", "solver", "wording", "conversation"},
    {"bench", "doctor", "evaluation", "report"},
]
"""Imports point down or sideways."""


def layer(module):
    (found,) = [i for i, names in enumerate(LAYERS) if module in names]
    return found


def imports(path):
    """Top-level module names imported anywhere in a file, type checking included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [alias.name for alias in node.names]


SOURCES = sorted((ROOT / "localsmc").rglob("*.py"))


def module_of(path):
    return path.relative_to(ROOT / "localsmc").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down_the_layers(path):
    module = module_of(path)
    if module == "__init__":
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "localsmc" and len(parts) > 1 and parts[1] not in ("__version__", module):
            assert layer(parts[1]) <= layer(module), f"{module} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "localsmc/methods").glob("*.py")), ids=lambda path: path.name)
def test_methods_import_what_is_shared_only(path):
    siblings = {name.split(".")[2] for name in imports(path) if name.startswith("localsmc.methods.")}
    # The table itself is what `spec` is about.
    if path.stem not in ("__init__", "base", "spec"):
        shared = {
            "base",
            "chains",
            "choosing",
            "drafting",
            "openings",
            "pairs",
            "runs",
            "sampling",
            "schemes",
            "settling",
            "sweep",
            "tracks",
        }
        # The sweep knows its method's parameters, as types.
        assert siblings <= shared | ({"power_smc"} if path.stem == "sweep" else set())


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("gguf", "localsmc/bench/synthetic.py"),
        ("llama_cpp", "localsmc/llama/binding.py"),
        ("platformdirs", "localsmc/folders.py"),
        ("psutil", "localsmc"),
    ],
)
def test_some_libraries_have_one_home(library, home):
    users = [
        str(path.relative_to(ROOT))
        for path in [*SOURCES, *(ROOT / "cli").glob("*.py")]
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
    assert 'version = { attr = "localsmc.__version__" }' in (ROOT / "pyproject.toml").read_text()


def test_every_package_is_installed():
    listed = set(
        re.findall(r'^    "(localsmc[\w.]*)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    )
    folders = {"localsmc": "localsmc", "cli": "localsmc_cli", "models": "localsmc_models"}
    for folder, name in folders.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / folder).parts
            assert ".".join((name, *parts)) in listed


def test_the_readme_maps_every_module():
    readme = (ROOT / "README.md").read_text()
    for path in [
        *(ROOT / "localsmc").glob("*"),
        *(ROOT / "localsmc/methods").glob("*.py"),
        *(ROOT / "cli").glob("*.py"),
    ]:
        if path.suffix == ".py" and path.stem != "__init__":
            assert f"`{path.stem}`" in readme, f"{path.name} is not in README's map"


def test_no_module_has_grown_out_of_one_noun():
    for path in [*SOURCES, *(ROOT / "cli").glob("*.py"), *(ROOT / "models").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 420, path
