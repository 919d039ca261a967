"""The experiment on the skills of the embedded pair: statistics by hand, and one small run."""

from __future__ import annotations

import itertools
import random
import re
import subprocess
import sys

import numpy as np
import pytest

import localsmc
from localsmc.methods import Greedy, Sample
from localsmc_models import path
from localsmc_models.corpus import problems
from localsmc_models.corpus.ratings import rated_step
from localsmc_models.corpus.template import prompt_text
from localsmc_models.experiments import pair_skills


@pytest.fixture(scope="module")
def target():
    with localsmc.load() as model:
        yield pair_skills.ModelReader(model, 64)


@pytest.fixture(scope="module")
def draft():
    with localsmc.load(path("draft")) as model:
        yield pair_skills.ModelReader(model, 64)


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ([0.9, 0.8], [0.1, 0.2], 1.0),
        ([0.1], [0.9], 0.0),
        ([0.5, 0.5], [0.5], 0.5),
        ([0.9, 0.3], [0.5, 0.1], 0.75),
        ([0.5, 0.9], [0.5, 0.2], 0.875),
    ],
)
def test_auc_counts_the_pairs_in_the_right_order(right, wrong, expected):
    assert pair_skills.auc(np.array(right), np.array(wrong)) == pytest.approx(expected)


def test_auc_without_one_side_is_no_number():
    assert np.isnan(pair_skills.auc(np.array([]), np.array([0.5])))


def test_log_probabilities_are_those_of_the_next_token(target):
    ids = target.tokens(prompt_text("What is 47 * 6 + 112?"))
    logp = target.logp(ids)
    assert logp.shape == (len(ids), target.model.llama.n_vocab)
    np.testing.assert_allclose(np.exp(logp).sum(axis=1), 1.0, rtol=1e-12)
    reply = target.reply(prompt_text("What is 47 * 6 + 112?"), Greedy(), (1,))
    whole = target.logp(np.concatenate([ids, reply]))
    assert whole[len(ids) - 1 : -1].argmax(axis=1).tolist() == reply.tolist()


def test_replies_follow_their_seed(target):
    prompt = prompt_text("Ada has 200 coins and buys 5 bags at 12 coins each and 2 cups at 9 coins each. "
                         "How many coins are left?")  # fmt: skip
    replies = [target.reply(prompt, Sample(), (seed,)).tolist() for seed in (1, 1, 2, 3, 4)]
    assert replies[0] == replies[1]
    assert any(reply != replies[0] for reply in replies)


def test_a_model_agrees_with_itself(target, capsys):
    drawn = list(itertools.islice(problems(2, "held-out"), 3))
    pair_skills.agreement(target, target, drawn, seed=1)
    assert "temperature 1: 1.000 (1.000 to 1.000)" in capsys.readouterr().out


def test_agreement_is_the_overlap_of_the_two_laws(target, draft, capsys):
    [problem] = itertools.islice(problems(2, "held-out"), 1)
    pair_skills.agreement(target, draft, [problem], seed=1)
    [printed] = re.findall(r"temperature 1: (\d\.\d+)", capsys.readouterr().out)
    ids = target.tokens(prompt_text(problem.question))
    reply = target.reply(prompt_text(problem.question), Sample(), (1, 0))
    overlaps = []
    for n in range(len(reply)):
        so_far = np.concatenate([ids, reply[:n]])
        p, q = (np.exp(reader.logp(so_far)[-1]) for reader in (target, draft))
        overlaps.append(1 - 0.5 * np.abs(p - q).sum())  # one minus the total variation
    assert float(printed) == pytest.approx(np.mean(overlaps), abs=2e-3)


def test_ratings_tell_right_steps_from_nonsense(target):
    rng, found = random.Random(1), {"right": [], "slip": [], "nonsense": []}
    drawn = list(itertools.islice(problems(3, "held-out"), 61))
    for problem, other in itertools.pairwise(drawn):
        step = rated_step(problem, "brief", other, rng)
        found[step.kind].append(pair_skills.p_accepted(target, problem, step))
    assert min(map(len, found.values())) >= 5
    assert np.mean(found["right"]) > np.mean(found["slip"]) + 0.2 > np.mean(found["nonsense"]) + 0.3


def test_the_command(capsys):
    pair_skills.main(["all", "--problems", "4"])
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("## ")] == [
        "## Agreement on 4 held-out problems",
        "## Ratings of tiny: one step of 4 problems in each style",
        "## Ratings of draft: one step of 4 problems in each style",
        "## Strategies, 4 held-out problems, one reply at temperature 1",
    ]
    assert printed.count("| slip or nonsense |") == 2
    assert re.search(r"chosen minus random, percentage points: [+-]\d+\.\d \(", printed)


@pytest.mark.parametrize(
    ("arguments", "message"), [([], "skill"), (["all", "--problems", "1"], "must be at least 2")]
)
def test_bad_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        pair_skills.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_model_is_one_sentence(tmp_path):
    missing = str(tmp_path / "no such.gguf")
    run = [
        sys.executable,
        "-m",
        "localsmc_models.experiments.pair_skills",
        "agreement",
        "--problems",
        "2",
        "--model",
        missing,
    ]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    first, hint = done.stderr.splitlines()
    assert first == f"error: no model at `{missing}`"
    assert hint.startswith("give a GGUF file")


def test_a_reader_that_goes_away_ends_the_command_quietly(tmp_path):
    run = [
        sys.executable,
        "-m",
        "localsmc_models.experiments.cost_growth",
        "--quick",
        "-r",
        "1",
        "--output",
        str(tmp_path / "curves"),
    ]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 141
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors
