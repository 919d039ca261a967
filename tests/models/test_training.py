"""Training and exporting a model; runs only with the extra `localsmc[train]`."""

import json
import subprocess
import sys
from dataclasses import replace

import gguf
import numpy as np
import pytest

import localsmc
import localsmc_models
from localsmc.errors import ConfigError, ModelNotFound

pytest.importorskip("torch", reason="needs the extra localsmc[train]")
pytest.importorskip("tokenizers", reason="needs the extra localsmc[train]")
pytest.importorskip("matplotlib", reason="needs the extra localsmc[train]")


FOLDER = object()
"""Stands for the folder of a test among its arguments."""


def command(module, *arguments):
    run = [sys.executable, "-m", f"localsmc_models.training.{module}", *map(str, arguments)]
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


def started(name: str, folder):
    """A run of this model, with pools of a few trees and small batches."""
    from localsmc_models.training.recipe import load_recipe
    from localsmc_models.training.train import TrainingRun

    run = TrainingRun(load_recipe(name), folder, "cpu")
    run.training = replace(run.training, pool=16, tokens_per_step=512)
    return run


def test_a_run_can_begin_with_the_weights_of_an_exported_model(tmp_path):
    from localsmc_models.training.train import batches

    file = localsmc_models.path("tiny")
    run = started("tiny", tmp_path)
    batch = next(batches(run.tokenizer, run.training, run.curriculum, 0, seed=1))
    at_random = float(run.loss(batch).detach())
    run.start_from(file)
    stored = {one.name: one.data for one in gguf.GGUFReader(file).tensors}
    taken = {name.replace(".attn.", "."): tensor.numpy() for name, tensor in run.network.state_dict().items()}
    assert set(taken) == set(stored)
    for name, tensor in taken.items():
        np.testing.assert_array_equal(tensor, stored[name].astype(np.float32), err_msg=name)
    assert float(run.loss(batch).detach()) < 0.5 * at_random


def test_weights_that_do_not_exist_or_have_another_shape_are_refused(tmp_path):
    with pytest.raises(ModelNotFound, match=r"none\.gguf` does not exist"):
        started("draft", tmp_path).start_from(tmp_path / "none.gguf")
    with pytest.raises(ConfigError, match=r"tiny\.gguf` is of a model with another shape"):
        started("draft", tmp_path).start_from(localsmc_models.path("tiny"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "none-such", "--out", "x"), "no model `none-such`"),
        (("export", "draft", "--run", "no such folder"), "no checkpoint in `no such folder`"),
        (("train", "draft", "--out", "/proc/none/x"), "/proc/none"),
        (("train", "draft", "--out", FOLDER, "--from", __file__), "is not a GGUF file"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, message, tmp_path):
    done = command(*(tmp_path if one is FOLDER else one for one in arguments))
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
