"""Pairs of models with random weights, and the command that measures what a draft model saves."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

import localsmc
from localsmc.bench import PAIRS, SHAPES, FileSpec, ShapePair, cached, cached_pair
from localsmc.bench.synthetic.gguf_writer import write, write_draft
from localsmc_models.experiments import speculative_speed

TEST, PAIR = FileSpec("test"), PAIRS["test"]


@pytest.fixture
def files():
    return cached_pair(TEST)


def weights(path):
    """Every tensor of a file, as bytes."""
    return {tensor.name: tensor.data.tobytes() for tensor in gguf.GGUFReader(path).tensors}


# --- the files ------------------------------------------------------------------------------------


def test_the_draft_is_the_beginning_of_the_target(files):
    target, draft = map(weights, files)
    assert all(target[name] == data for name, data in draft.items())
    assert {name for name in target if name not in draft} == {name for name in target if "blk.1." in name}


def test_types_of_a_draft_are_the_targets(tmp_path):
    """Which layers have more bits is up to how many there are."""
    spec = FileSpec("test-256", "Q4_K_M")
    write(tmp_path / "target", spec, pair=ShapePair(n_layer=3))
    write_draft(tmp_path / "draft", spec, ShapePair(n_layer=3))
    target, draft = (weights(tmp_path / name) for name in ("target", "draft"))
    assert draft == {name: data for name, data in target.items() if "blk.3." not in name}


def test_later_layers_add_less_and_logits_are_sharper(files, tmp_path):
    write(tmp_path / "plain.gguf", TEST)
    plain, target = (gguf.GGUFReader(path).tensors for path in (tmp_path / "plain.gguf", files[0]))
    scaled = {}
    for before, after in zip(plain, target, strict=True):
        old, new = (gguf.dequantize(one.data, one.tensor_type).ravel() for one in (before, after))
        scaled[before.name] = float(old @ new) / max(float(old @ old), 1e-9)
    others = {name: 1.0 for name in scaled if not name.endswith(".bias")}
    changed = {"blk.1.attn_output.weight": PAIR.later, "blk.1.ffn_down.weight": PAIR.later}
    wanted = {**others, **changed, "output_norm.weight": PAIR.sharpness}
    assert {name: scaled[name] for name in wanted} == pytest.approx(wanted, rel=1e-3)


def test_they_are_written_once(files):
    stamps = [path.stat().st_mtime_ns for path in files]
    assert cached_pair(TEST) == files
    assert [path.stat().st_mtime_ns for path in files] == stamps
    assert files[0] != cached(TEST)


# --- the pair -------------------------------------------------------------------------------------


def test_one_drafts_for_the_other(files):
    target, draft = files
    with localsmc.load(target, draft=draft) as model:
        assert model.require_shared_tokens() == 512
        settings = localsmc.Settings(n_predict=24, seed=2, raw=True, n_threads=1)
        found = [
            localsmc.solve(model, "3 pens", method=model.method(name, **options), settings=settings)
            for name, options in (("greedy", {}), ("speculative", {"temperature": 0.0}))
        ]
    assert found[0].text == found[1].text
    assert found[1].usage.draft.kept > 0


@pytest.mark.parametrize("shape", PAIRS)
def test_the_names_are_known(shape):
    assert PAIRS[shape].n_layer < SHAPES[shape].n_layer


def test_calibration_ends_with_what_the_pair_has():
    *_, (later, found) = speculative_speed.calibrate("test", "Q4_0", 1, 1)
    assert later == PAIR.later
    assert found == pytest.approx(speculative_speed.OVERLAP, abs=speculative_speed.TOLERANCE)


def test_equal_laws_overlap_wholly():
    some, other = np.array([[0.5, 0.5, 0.0]]), np.array([[0.0, 0.25, 0.75]])
    assert (speculative_speed.overlap(some, some), speculative_speed.overlap(some, other)) == (1.0, 0.25)


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [["--shape", "test"], []])
def test_every_method_has_a_row(shape, capsys):
    speculative_speed.main([*shape, *"--tokens 12 --problems 2 --n-max 1,3 --threads 1".split()])
    lines = capsys.readouterr().out.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    assert [row[0].strip("`") for row in rows] == [
        label for alone, others in speculative_speed.ways((1, 3)).items() for label in (alone, *others)
    ]
    for row in rows:
        assert sum(float(cell.rstrip("%")) for cell in row[5:8]) == pytest.approx(100, abs=0.2)
    alone = [row for row in rows if not row[0].startswith("`speculative")]
    assert [(row[2], row[3], row[5], row[8]) for row in alone] == [("1.00", "–", "0.0%", "1.00")] * 2
    assert all(0 < float(row[3].rstrip("%")) <= 100 for row in rows if row not in alone)


def test_calibration_is_told_and_needs_a_shape(capsys):
    speculative_speed.main(["--shape", "test", "--calibrate", "--threads", "1"])
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"later={PAIR.later:g}: 0.")
    for wrong in (["--calibrate"], ["--problems", "0"]):
        with pytest.raises(SystemExit) as stopped:
            speculative_speed.main(wrong)
        assert stopped.value.code == 2
