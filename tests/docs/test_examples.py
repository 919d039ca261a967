"""Each example of the documentation runs in a process of its own."""

import importlib.util
import math
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from enumeration import outcomes

import localsmc

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs/examples").glob("*.py"))
PROMPT = (1, 2)


def run(path, folder, *arguments, **variables):
    environment = os.environ | {"MPLCONFIGDIR": str(folder / "matplotlib"), **variables}
    command = [sys.executable, str(path), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def three_lines(output, _):
    assert output == "391\n"


def custom_method(output, _):
    """Two methods with one target: the same answer, and nearly the same evidence."""
    ours, theirs = output.splitlines()
    assert ours.startswith("importance-sampling: 391, log Z ")
    assert theirs.startswith("power-smc: 391, log Z ")
    assert float(ours.split()[-1]) == pytest.approx(float(theirs.split()[-1]), abs=0.3)


def read_run_folder(output, _):
    assert [line.split(":")[0] for line in output.splitlines()] == ["tiny, sample", "tiny, power-smc"]
    assert output.count(" of 10 right (95 % interval ") == 2


def plot_weights(output, folder):
    assert "answer 120" in output
    assert (folder / "weights.png").read_bytes().startswith(b"\x89PNG")


CHECKS = {check.__name__: check for check in (three_lines, custom_method, read_run_folder, plot_weights)}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_does_what_it_says(path, tmp_path):
    if path.stem == "plot_weights":
        pytest.importorskip("matplotlib")
    child = run(path, tmp_path)
    assert child.returncode == 0, child.stderr
    CHECKS[path.stem](child.stdout, tmp_path)


def test_every_example_is_shown():
    shown = (ROOT / "docs/examples/index.md").read_text(encoding="utf-8")
    assert {path.stem for path in EXAMPLES} == set(CHECKS)
    assert all(f"```{{literalinclude}} {path.name}\n" in shown for path in EXAMPLES)


def test_a_plot_without_matplotlib_is_one_sentence(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    child = run(ROOT / "docs/examples/plot_weights.py", tmp_path, PYTHONPATH=path)
    assert (child.returncode, child.stderr) == (1, "This example needs matplotlib: pip install matplotlib\n")


def test_a_run_folder_that_is_given_is_read(tmp_path):
    lines = [
        f'{{"model": "m", "method": "greedy", "correct": {right}}}' for right in ("true", "false", "null")
    ]
    (tmp_path / "results.jsonl").write_text("\n".join(lines) + "\n")
    child = run(ROOT / "docs/examples/read_run_folder.py", tmp_path, str(tmp_path))
    # Wilson's interval for 1 of 3.
    assert child.stdout == "m, greedy: 33% of 3 right (95 % interval 6% to 79%)\n"


def test_the_method_of_the_example_is_properly_weighted():
    """Over all random outcomes E[Ẑ] = Z and, for every completion, E[Ẑ · weight] = p^alpha."""
    from localsmc.text.stop_rule import StopRule

    spec = importlib.util.spec_from_file_location("custom_method", ROOT / "docs/examples/custom_method.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    method = module.ImportanceSampling(particles=2, alpha=2.5)

    def program(draw):
        model = localsmc.ToyModel(3, seed=5)
        request = module.Request(
            model=model,
            prompt=np.array(PROMPT, dtype=np.int32),
            n_tokens=3,
            stop=StopRule(model.pieces, ()),
            draw=draw,
        )
        run = method.start(request)
        assert run.log_z is None
        for _ in run:
            pass
        assert run.ess >= 1 - 1e-12
        return run.log_z, run.endings()

    measure, evidence = defaultdict(float), 0.0
    for probability, (log_z, endings) in outcomes(program):
        evidence += probability * math.exp(log_z)
        for ending in endings:
            measure[tuple(ending.tokens)] += probability * math.exp(log_z) * ending.weight
    texts = localsmc.ToyModel(3, seed=5).texts(PROMPT, 3)
    law = {tokens: math.exp(2.5 * logp) for tokens, logp in texts}
    assert evidence == pytest.approx(sum(law.values()), rel=1e-12)
    assert measure == pytest.approx(law, rel=1e-12)
