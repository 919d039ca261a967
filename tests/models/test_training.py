"""Training and exporting a model; runs only with the extra `localsmc[train]`."""

import json
import subprocess
import sys

import pytest

import localsmc
import localsmc_models

pytest.importorskip("torch", reason="needs the extra localsmc[train]")
pytest.importorskip("tokenizers", reason="needs the extra localsmc[train]")
pytest.importorskip("matplotlib", reason="needs the extra localsmc[train]")


def command(module, *arguments):
    run = [sys.executable, "-m", f"localsmc_models.{module}", *map(str, arguments)]
    return subprocess.run(run, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training") / "a run"
    done = command("train", "draft", "--out", folder, "--steps", 2)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_a_trained_model_is_exported_and_loads(folder, tmp_path, monkeypatch):
    from localsmc_models.training import export

    monkeypatch.setattr(export, "MOST_TRIED", 1)  # a model of two steps is never sure of itself
    export.export("draft", folder, tmp_path)
    checks = json.loads((tmp_path / "checks.json").read_text())
    assert checks["steps"] == 2
    assert json.loads((tmp_path / "card.json").read_text())["sha256"] == checks["sha256"]
    with localsmc.load(tmp_path / "draft.gguf") as model:
        assert model.source.sha256 == checks["sha256"] != localsmc_models.card("draft").sha256
        check = checks["texts"][0]
        assert model.llama.tokenize(check["text"], special=True).tolist() == check["ids"]


def test_a_run_goes_on_where_it_was(folder):
    done = command("train", "draft", "--out", folder, "--steps", 3)
    assert done.returncode == 0
    steps = [line.split(",")[0] for line in (folder / "loss.csv").read_text().splitlines()]
    assert steps == ["step", "0", "1", "2"]


def test_another_shape_is_refused(folder):
    done = command("train", "tiny", "--out", folder, "--steps", 3)
    assert done.returncode == 2
    assert "another shape" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "none-such", "--out", "x"), "no model `none-such`"),
        (("export", "draft", "--run", "no such folder"), "no checkpoint in `no such folder`"),
        (("train", "draft", "--out", "/proc/none/x"), "/proc/none"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, message):
    done = command(*arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
