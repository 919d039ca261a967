"""The measuring command: the random model, one small run of all."""

from __future__ import annotations

import json
import math
from pathlib import Path

import gguf
import numpy as np
import pytest

import localsmc
from localsmc.gguf import read_header
from localsmc.llama import ContextOptions, LlamaModel
from localsmc_models import figures, settling, synthetic

# The model with random weights


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "test.gguf"
    synthetic.write(path, "test", "Q4_0", seed=1)
    return path


# What the safetensors of Qwen2.5-0.5B and Qwen2.5-1.5B add up to.
@pytest.mark.parametrize(
    ("shape", "n_params"), [("qwen2.5-0.5b", 494_032_768), ("qwen2.5-1.5b", 1_543_714_304)]
)
def test_the_shape_is_the_real_one(shape: str, n_params: int) -> None:
    tensors = synthetic._tensors(synthetic.SHAPES[shape], "Q4_0", synthetic.Pair(n_layer=1))
    assert sum(tensor.n_out * tensor.n_in for tensor in tensors) == n_params


def test_header(written: Path) -> None:
    header, shape = read_header(written), synthetic.SHAPES["test"]
    assert (header.architecture, header.file_type) == ("qwen2", "Q4_0")
    types = {tensor.name: tensor.type for tensor in header.tensors}
    assert types["token_embd.weight"] == synthetic.EMBEDDING
    assert types["blk.0.ffn_down.weight"] == "Q4_0"
    assert "output.weight" not in types
    assert len(types) == 2 + 12 * shape.n_layer


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0"])
def test_blocks_are_what_ggml_reads(kind: str) -> None:
    tensor = synthetic.Tensor("weight", 500, 896, kind)
    data = synthetic._data(tensor, np.random.default_rng(3))
    values = gguf.dequantize(data, gguf.GGMLQuantizationType[kind])
    assert values.shape == (500, 896)
    # 448,000 values: five standard errors of the mean and of the spread are below a hundredth.
    assert abs(values.mean()) * math.sqrt(896) < 0.01
    assert values.std() * math.sqrt(896) == pytest.approx(1.0, abs=0.01)


def test_it_decodes(written: Path) -> None:
    with LlamaModel(written) as model:
        assert model.n_vocab == 512
        assert list(np.flatnonzero(model.is_eog)) == [257]
        text = "3 pens, ½ kg\n"
        tokens = model.tokenize(text, special=False)
        assert model.text(tokens) == text.encode()
        context = model.context(ContextOptions(n_ctx=256, n_seq_max=1, n_threads=1))
        n = len(tokens)
        logits = context.decode(tokens.astype(np.int64), np.arange(n), np.zeros(n, dtype=np.int64))
        assert np.isfinite(logits).all()
        assert 0.5 < logits.std() < 2.0


def test_the_seed_decides(written: Path, tmp_path: Path) -> None:
    for name, seed in ("same", 1), ("other", 2):
        synthetic.write(tmp_path / name, "test", "Q4_0", seed=seed)
    assert (tmp_path / "same").read_bytes() == written.read_bytes()
    assert (tmp_path / "other").read_bytes() != written.read_bytes()


def test_the_cache_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSMC_CACHE", str(tmp_path))
    path = synthetic.cached("test")
    stamp = path.stat().st_mtime_ns
    assert synthetic.cached("test") == path
    assert path.stat().st_mtime_ns == stamp
    assert list(path.parent.iterdir()) == [path]
    assert path.is_relative_to(tmp_path)


# The command


def test_prompts_are_those_of_solve() -> None:
    question = "Ada buys 3 pens at 12 coins each. How many coins is that?"
    with localsmc.load() as model:
        bench = figures.Bench(model, [question], n_predict=4, n_threads=1)
        settings = localsmc.Settings(n_predict=4, n_threads=1)
        with localsmc.start(model, question, method=localsmc.Greedy(), settings=settings) as solving:
            np.testing.assert_array_equal(bench.prompts[0], solving.prompt)


def test_runs_repeat_and_endless_ones_go_on() -> None:
    spec = figures.Spec("some", localsmc.PowerSMC(particles=4, alpha=4.0, ramp=4), ("draw", "majority"))
    with localsmc.load() as model:
        bench = figures.Bench(model, ["What is 7 * 8?", "Compute 12 + 9."], n_predict=30, n_threads=1)
        first, between, again = (bench.run(spec, problem, "56", seed=5) for problem in (0, 1, 0))
        assert (first.rows, first.steps, first.ess) == (again.rows, again.steps, again.ess)
        assert first.right.keys() == {"draw", "majority"}
        assert between.problem == 1
        assert 0 < first.decode_seconds < first.step_seconds < first.seconds
        plain = figures.Spec("plain", localsmc.Greedy(), endless=True)
        # A terse answer has fewer than 29 tokens, and a sample of one row decodes all but its last token.
        assert (bench.run(plain, 0, n_tokens=30).steps, bench.run(plain, 0, n_tokens=30).rows) == (30, 29)


def test_all_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCALSMC_CACHE", str(tmp_path))
    sizes = "--problems 2 --rounds 1 --particles 2,4 --predict 10 --threads 1 --shape test --tokens 4"
    figures.main(["all", *sizes.split(), "--json", str(tmp_path / "figures.json")])
    printed = capsys.readouterr().out
    assert printed.count("\n## ") == 5
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith("| Power-SMC N=4 α=4 |")]
    assert [row[1] for row in rows[:3]] == ["draw", "argmax", "majority"]
    saved = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert saved.keys() == {"environment", "accuracy", "sharing", "latency", "share"}
    assert len(saved["accuracy"]) == 11
    assert all(len(runs) == 2 for runs in saved["accuracy"].values())
    assert {run["reductions"] for runs in saved["accuracy"].values() for run in runs} == {0}
    one, many = (saved["latency"][name][0]["steps"] for name in ("one sample", "Power-SMC N=4 α=4"))
    assert one == many
    assert all(0 < value < 1 for kind in saved["share"].values() for value in kind["shares"].values())


# What settling saves


def test_settling_is_compared_on_the_same_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    settling.main(["--problems", "4", "--ess-threshold", "0", "--threads", "1"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0].removeprefix("| ") for row in rows] == list(settling.WAYS)
    assert rows[0][3:8] == ["0", "0", "0.0%", "0.0%", "0.0% |"]
    # Without resampling the bound is certain: no answer is another one.
    settled = {row[0].removeprefix("| "): int(row[3]) for row in rows}
    assert 0 < settled["0.9"] <= settled["0.6"]
    assert [row[4] for row in rows[1:3]] == ["0", "0"]


def test_settling_without_problems_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        settling.main(["--problems", "0"])
    assert stopped.value.code == 2
    assert "at least 1" in capsys.readouterr().err
