"""The experiment on α per problem: signs and walks by hand, made-up runs, and a small real run."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import run_folder

from localsmc.errors import RunError
from localsmc.evals.run_folder import read_run
from localsmc.results import Completion
from localsmc_models.experiments import alpha_per_problem

ALPHAS = (1.5, 2.0, 4.0)


def completion(answer, logp, weight, finish="stop"):
    return Completion(
        text=f"{answer} {logp}", answer=answer, logp=logp, weight=weight, n_tokens=3,
        finish_reason=finish, count=1,
    )  # fmt: skip


# The sign


def test_the_covariance_by_hand():
    # a = (0.7, 0.3, 0.7), its mean 0.58; the mean of log p is −1.8.
    texts = alpha_per_problem.cloud(
        [completion("4", -1, 0.5), completion("5", -3, 0.3), completion("4.0", -2, 0.2)]
    )
    np.testing.assert_allclose(texts.a, [0.7, 0.3, 0.7])
    assert texts.agreement == pytest.approx(0.58)
    assert texts.covariance == pytest.approx(0.5 * 0.12 * 0.8 + 0.3 * 0.28 * 1.2 - 0.2 * 0.12 * 0.2)
    assert (texts.sign(), texts.sign(sure=0.59), texts.sign(sure=0.58)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("rows", "sign"),
    [
        pytest.param([("4", -1, 0.6), ("5", -2, 0.4)], 1, id="the common answer is the likely one"),
        pytest.param([("4", -3, 0.6), ("5", -2, 0.4)], -1, id="the common answer is the unlikely one"),
        pytest.param([("4", -3, 0.3), ("4", -4, 0.3), ("5", -2, 0.4)], -1, id="common by two texts"),
        pytest.param([(None, -1, 0.6), ("5", -2, 0.4)], -1, id="no answer agrees with nothing"),
        pytest.param([("4", -1, 0.5), ("5", -2, 0.5)], 0, id="as common as each other"),
        pytest.param([("4", -2, 0.6), ("5", -2, 0.4)], 0, id="as likely as each other"),
        pytest.param([(None, -1, 0.6), (None, -2, 0.4)], 0, id="no answer at all"),
        pytest.param([("4", -80.3, 0.1), ("4", -7.7, 0.2), ("4", -31.1, 0.7)], 0, id="one answer"),
        # Its weights add up to 1 − 10⁻¹⁶, and its covariance to −3·10⁻³¹.
        pytest.param(
            [("4", -3.0, 0.7), ("4", -85.6, 0.4), ("4", -40.0, 0.2), ("4", -44.4, 0.8)], 0, id="round-off"
        ),
        pytest.param([("4", -1, 1.0)], 0, id="one text"),
        pytest.param([("4", -1, 0.6), ("5", -2, 0.4), ("5", -2, 0.9, "cancelled")], 1, id="one cut short"),
    ],
)
def test_signs(rows, sign):
    texts = alpha_per_problem.cloud([completion(*row) for row in rows])
    assert texts.weights.sum() == pytest.approx(1)
    assert texts.sign() == sign


def test_nothing_with_weight_has_no_sign():
    assert alpha_per_problem.cloud([]) is None
    assert alpha_per_problem.cloud([completion("4", -1, 0.0)]) is None


def test_agreement_moves_with_alpha_as_the_covariance_says():
    """Row 20 of every answer at once: d(Σ_k π_α(k)²)/dα = 2·Cov(a, log p), on a law that is known."""
    rng = np.random.default_rng(3)
    logp = np.log(rng.dirichlet(np.ones(12)))
    names = [None if k == 0 else str(k % 5) for k in range(12)]

    def at(alpha):
        power = np.exp(alpha * logp)
        rows = zip(names, logp.tolist(), (power / power.sum()).tolist(), strict=True)
        return alpha_per_problem.cloud([completion(*row) for row in rows])

    step = 1e-4
    for alpha in (1.0, 1.7, 4.0):
        slope = (at(alpha + step).agreement - at(alpha - step).agreement) / (2 * step)
        assert slope == pytest.approx(2 * at(alpha).covariance, abs=1e-7)
        assert abs(slope) > 1e-3


@pytest.mark.parametrize(
    ("signs", "start", "seen"),
    [
        ([1, 1, 1, 1], 1, [1, 2, 3]),
        ([-1, -1, -1, -1], 2, [2, 1, 0]),
        ([1, 1, -1, 1], 0, [0, 1, 2]),
        ([1, 1, 0, 1], 0, [0, 1, 2]),
        ([1, -1, 1], 1, [1, 0]),
        ([1, 0, -1], 1, [1]),
        ([1, 1], 1, [1]),
    ],
)
def test_walks_go_on_until_the_sign_turns(signs, start, seen):
    assert alpha_per_problem.walk(signs, start) == seen


# A run folder


def label(alpha):
    return f"power-smc:N=2,alpha={alpha:g}"


def about(n_problems, labels=None, **shape):
    """The manifest of a run at these exponents."""
    labels = labels or {label(alpha): alpha for alpha in ALPHAS}
    methods = {name: ("power-smc", 2, 0.5, "draw") for name in labels}
    made = run_folder.manifest(n_problems=n_problems, methods=methods, models={"tiny": 0.0}, **shape)
    for method in made["methods"]:
        method["config"]["alpha"] = labels[method["label"]]
    return made


def line(problem, alpha, sign, is_right, rows, seed=0, model="tiny"):
    """A line whose sign, verdict and cost are these: two texts, the first of which was drawn."""
    methods = {label(alpha): ("power-smc", 2, 0.5, "draw")}
    rng = np.random.default_rng(0)
    made = run_folder.line(rng, problem, label(alpha), model, seed, methods=methods, models={model: 0.0})
    answer = str(40 + problem) if is_right else "7"
    texts = [run_folder.completion(answer, [], 0.6, 1), run_folder.completion("8", [], 0.4, 1)]
    texts[1]["logp"] = texts[0]["logp"] - sign
    made["result"] |= {"completions": texts, "answers": run_folder.shares(texts)}
    made["result"]["usage"] |= {"rows": rows}
    verdict = "right" if is_right else "wrong"
    return made | {"answer": answer, "verdict": verdict, "verdicts": {answer: verdict, "8": "wrong"}}


WALKED = [
    # signs, rights and rows at the three exponents: from the middle the first goes up, the second down
    ((1, 1, 1), (False, False, True), (10, 20, 40)),
    ((-1, -1, 1), (False, True, True), (11, 22, 44)),
    ((1, 0, -1), (True, False, False), (12, 24, 48)),
]


def walked(seed=0):
    return [
        line(problem, alpha, *values, seed=seed)
        for problem, rows in enumerate(WALKED)
        for alpha, *values in zip(ALPHAS, *rows, strict=True)
    ]


def rows_of(table, *keys):
    return {tuple(row[key] for key in keys): row for row in table.to_json()}


def test_walks_are_scored_and_cost_what_they_saw(tmp_path):
    [grid] = alpha_per_problem.grids(
        read_run(run_folder.write(tmp_path / "run", walked(), about(3, seeds=[0])))
    )
    assert (grid.exponents, grid.n_left_out, grid.n_seeds) == (ALPHAS, 0, 1)
    rows = rows_of(alpha_per_problem.accuracies(grid, 2.0), "exponent")
    right = {name: round(3 * row["accuracy"]) for (name,), row in rows.items()}
    assert right == {"1.5": 1, "2": 1, "4": 2, "walk from 2": 1, "oracle": 3}
    # The first two walks saw two runs, up and down; the third stayed.
    assert rows["walk from 2",]["rows"] == pytest.approx((20 + 40 + 22 + 11 + 24) / 3)
    assert rows["walk from 2",]["runs"] == pytest.approx(5 / 3)
    assert (rows["4",]["rows"], rows["4",]["runs"]) == (pytest.approx(44), 1)
    assert rows["4",]["difference"] == pytest.approx(-1 / 3)
    assert [rows[name,]["ends"] for name in ("1.5", "2", "4")] == pytest.approx([1 / 3] * 3)
    seconds = [visits[k].seconds for visits, k in zip(grid.visits.values(), (2, 0, 1), strict=True)]
    assert rows["walk from 2",]["seconds"] > np.mean(seconds)


def test_signs_are_right_where_the_proposed_move_helps(tmp_path):
    [grid] = alpha_per_problem.grids(
        read_run(run_folder.write(tmp_path / "run", walked(), about(3, seeds=[0])))
    )
    rows = rows_of(alpha_per_problem.signs(grid), "exponent", "proposed")
    # From 2 up helps the first problem, down harms the second; the third stays.
    found = {key: (row["moves"], row["changing"], row["accuracy"]) for key, row in rows.items()}
    assert found["2", "up"] == (1, 1, 1.0)
    assert found["2", "down"] == (1, 1, 0.0)
    assert found["2", "stay"] == (0, 0, None)
    # From 1.5 two go up, which harms the third; from 4 the third goes down, which changes nothing.
    assert found["1.5", "up"] == (2, 1, 0.0)
    assert found["1.5", "down"] == (0, 0, None)
    assert found["4", "down"] == (1, 0, None)
    assert found["any", "up"] == (3, 2, 0.5)
    assert rows["2", "up"]["agreement"] == pytest.approx(0.52)


def test_what_lacks_an_exponent_is_left_out_and_said(tmp_path):
    made = walked(0) + walked(1)
    made[1] = run_folder.failed(made[1])
    del made[-1]
    [grid] = alpha_per_problem.grids(read_run(run_folder.write(tmp_path / "run", made, about(3))))
    assert (len(grid.visits), grid.n_left_out, grid.n_seeds) == (4, 2, 2)
    assert alpha_per_problem.accuracies(grid, 2.0).note.endswith("failed at some α: 2.")


def test_each_model_and_each_configuration_is_told_apart(tmp_path):
    wide = {f"{label(alpha)},ramp=0": alpha for alpha in ALPHAS[:2]}
    manifest = about(3, {**{label(alpha): alpha for alpha in ALPHAS}, **wide}, seeds=[0])
    for method in manifest["methods"][3:]:
        method["config"]["ramp"] = 0
    made = walked() + [
        one | {"method": f"{one['method']},ramp=0"} for one in walked() if "=4" not in one["method"]
    ]
    first, second = alpha_per_problem.grids(read_run(run_folder.write(tmp_path / "run", made, manifest)))
    assert (first.exponents, second.exponents) == (ALPHAS, ALPHAS[:2])
    assert (first.title, second.title) == (
        "tiny, tiny, power-smc:particles=2, draw",
        "tiny, tiny, power-smc:particles=2,ramp=0, draw",
    )


def test_another_selector_takes_another_answer(tmp_path):
    made = walked()
    for one in made:  # "8" was drawn, though it weighs less
        one |= {"answer": "8", "verdict": "wrong"}
    source = read_run(run_folder.write(tmp_path / "run", made, about(3, seeds=[0])))
    found = [alpha_per_problem.grids(source, select)[0].visits.values() for select in (None, "majority")]
    rights = [sum(visit.right for visits in some for visit in visits) for some in found]
    assert rights == [0, 4]


@pytest.mark.parametrize("kept", ["one exponent", "nothing graded", "another method"])
def test_a_run_without_exponents_is_refused(kept, tmp_path):
    manifest, made = about(3, seeds=[0]), walked()
    if kept == "one exponent":
        made = made[::3]
    elif kept == "nothing graded":
        made = [one | {"gold": None, "verdict": "ungraded"} for one in made]
    else:
        for method in manifest["methods"]:
            method["name"] = "sample"
    with pytest.raises(RunError, match="no graded problem under `power-smc` at two exponents"):
        alpha_per_problem.grids(read_run(run_folder.write(tmp_path / "run", made, manifest)))


# The command


def command(*arguments):
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)


def test_the_command_on_a_small_run(tmp_path):
    methods = [part for alpha in ("1.5", "4") for part in ("--method", f"power-smc:N=4,alpha={alpha}")]
    asked = ["--task", "tiny", "--limit", "3", "-t", "1", "-q", "-o", str(tmp_path / "run")]
    assert command("localsmc_cli.main", "eval", *asked, *methods).returncode == 0
    done = command("localsmc_models.experiments.alpha_per_problem", str(tmp_path / "run"), "--start", "1.5")
    assert (done.returncode, done.stderr) == (0, "")
    assert "## tiny, tiny, power-smc:particles=4, draw: problems 3, seeds 1" in done.stdout
    names = [text.split("|")[1].strip() for text in done.stdout.splitlines() if text.startswith("| ")]
    assert names == ["α", "-----" + "-" * 8, "1.5", "4", "walk from 1.5", "oracle", "from α", "------",
                     *["1.5"] * 3, *["4"] * 3, *["any"] * 3]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "the following arguments are required: run"),
        (["{}/none"], 7, "error: `{}/none` is not a run folder: it has no manifest.json"),
        (["{}"], 7, "error: `{}` is not a run folder: it has no manifest.json"),
        (["{}/sample"], 7, "error: `{}/sample` has no graded problem under `power-smc` at two exponents"),
        (["{}/run", "--start", "3"], 2, "error: `--start` is 3, which is not an exponent of the run"),
        (["{}/run", "--sure", "1.5"], 2, "--sure must be above 0 and at most 1"),
    ],
)
def test_bad_input_is_one_sentence(arguments, code, message, tmp_path):
    run_folder.write(tmp_path / "run", walked(), about(3, seeds=[0]))
    run_folder.write(tmp_path / "sample", n_problems=2)
    done = command(
        "localsmc_models.experiments.alpha_per_problem", *(one.format(tmp_path) for one in arguments)
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert message.format(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
