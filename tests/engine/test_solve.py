"""Solving problems with the Python library, on the embedded model."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

import localsmc
import localsmc_models
from localsmc import selection
from localsmc.errors import ConfigError, ModelNotFound, PromptTooLong
from localsmc.llama import ContextOptions, open_context
from localsmc.methods import (
    BestOfN,
    Greedy,
    PowerMH,
    PowerSMC,
    PowerTempering,
    Request,
    Sample,
    SelfConsistency,
    from_options,
)
from localsmc.numerics.categorical import RandomSampler
from localsmc.results import AnswerShare, Completion
from localsmc.text.stop_rule import StopRule

GREEDY = json.loads(localsmc_models.path("tiny").with_name("checks.json").read_text())["greedy"]
PROBLEM = "Ada buys 4 pens at 17 coins each and 3 books at 15 coins each. How many coins is that?"


def settings(**changed):
    return localsmc.Settings(**{"seed": 1, "n_threads": 1, "n_predict": 40, **changed})


def solve(model, problem=PROBLEM, method=None, **changed):
    return localsmc.solve(model, problem, method=method, settings=settings(**changed))


def without_seconds(result):
    record = result.to_json()
    del record["usage"]["seconds"]
    return json.dumps(record)


def test_a_result_is_whole_and_consistent(embedded):
    result = solve(embedded, method=embedded.method(particles=8, resampling="systematic"))
    json.dumps(result.to_json(), allow_nan=False)
    assert sum(c.weight for c in result.completions) == pytest.approx(1)
    assert sum(c.count for c in result.completions) == 8
    assert sum(share.weight for share in result.answers) == pytest.approx(1)
    assert result.text in [c.text for c in result.completions]
    assert result.log_z is not None
    assert result.log_z <= 0
    assert result.method.config["alpha"] == 4.0
    assert result.method.config["ramp"] == 40
    usage = result.usage
    assert usage.completion_tokens == sum(c.n_tokens for c in result.completions)
    assert usage.rows >= usage.decode_calls > 0
    assert usage.peak_rows <= 8
    assert 0 < usage.seconds.decode < usage.seconds.total


@pytest.mark.parametrize(
    "method", [PowerSMC(alpha=4, ramp=10), Sample(particles=5), Greedy()], ids=lambda m: m.name
)
def test_the_same_seed_gives_the_same_and_observing_changes_nothing(embedded, method):
    first = solve(embedded, method=method)
    with localsmc.start(embedded, PROBLEM, method=method, settings=settings()) as solving:
        for step in solving:
            assert step.histories >= 1
            solving.result()
            solving.completions()
        observed = solving.result()
        assert solving.result() == observed or without_seconds(solving.result()) == without_seconds(observed)
    assert without_seconds(first) == without_seconds(observed)


def test_another_seed_gives_another_run(embedded):
    method = Sample(particles=4, temperature=1.5)
    assert without_seconds(solve(embedded, method=method)) != without_seconds(
        solve(embedded, method=method, seed=2)
    )


def test_without_a_seed_one_is_drawn_and_recorded(embedded):
    results = [solve(embedded, method=Sample(), seed=None, n_predict=2) for _ in range(2)]
    assert results[0].seed != results[1].seed


def test_selecting_is_not_part_of_the_run(embedded):
    """The selector changes what is chosen, never the completions."""
    runs = [solve(embedded, select=select, conclude="on") for select in ("draw", "argmax", "majority")]
    assert len({json.dumps([dataclasses.asdict(c) for c in run.completions]) for run in runs}) == 1
    assert runs[1].text == runs[1].completions[0].text


def test_a_cut_run_has_a_result_and_no_evidence(embedded):
    with localsmc.start(embedded, PROBLEM, settings=settings()) as solving:
        next(solving)
        result = solving.result()
    assert result.log_z is None
    assert "cancelled" in {c.finish_reason for c in result.completions}


def test_a_budget_that_is_spent_before_the_first_token(embedded):
    result = solve(embedded, budget=1e-9)
    assert (result.text, result.answer, result.completions, result.log_z) == ("", None, (), None)
    json.dumps(result.to_json(), allow_nan=False)


def test_the_horizon_is_lowered_to_what_fits_and_said(embedded):
    with localsmc.start(embedded, PROBLEM, settings=settings(n_predict=10_000)) as solving:
        assert len(solving.prompt) + solving.n_tokens == embedded.llama.n_ctx_train == 1024
        assert "lowered" in solving.notices[0]


def test_a_prompt_that_does_not_fit(embedded):
    with pytest.raises(PromptTooLong, match="tokens"):
        solve(embedded, "7 + " * 600)
    with pytest.raises(PromptTooLong):
        solve(embedded, n_ctx=16)


def test_a_small_context_reduces_instead_of_failing(random_llama):
    with localsmc.load(random_llama) as model:
        result = solve(
            model,
            "x",
            method=PowerSMC(particles=200, alpha=1.0, resampling="systematic"),
            n_ctx=256,
            n_predict=120,
        )
    assert result.usage.reductions > 0
    assert result.usage.peak_cells <= 256
    assert sum(c.count for c in result.completions) == 200
    assert sum(c.weight for c in result.completions) == pytest.approx(1)


def test_thousands_of_particles(embedded):
    result = solve(
        embedded, method=PowerSMC(particles=5000, alpha=4.0, ramp=10, resampling="systematic"), n_predict=20
    )
    assert sum(c.count for c in result.completions) == 5000
    assert result.usage.peak_rows <= 256


@pytest.mark.parametrize("problem", ["", "  \n"])
def test_an_empty_problem(embedded, problem):
    with pytest.raises(ConfigError, match="empty"):
        solve(embedded, problem)


def test_a_stop_string_ends_and_is_not_shown(embedded):
    result = solve(embedded, method=Sample(particles=6), stop=("boxed",))
    stopped = [c for c in result.completions if c.finish_reason == "stop"]
    assert stopped
    assert all("boxed" not in c.text for c in stopped)


@pytest.mark.parametrize("check", GREEDY, ids=lambda check: check["family"])
def test_greedy_on_the_engine_writes_the_golden_texts(embedded, check):
    """The trainer's own continuations, token by token, through `Greedy`, sequences and contexts."""
    end = embedded.llama.tokenize("<|im_end|>", special=True)[0]
    run = Greedy().start(golden_request(embedded, check))
    for _ in run:
        pass
    (ending,) = run.endings()
    assert [t for t in ending.tokens.tolist() if t != end] == [t for t in check["ids"] if t != end]


def golden_request(embedded, check):
    context = open_context(embedded.llama, ContextOptions(n_ctx=512, n_seq_max=1))
    return Request(
        model=context,
        prompt=embedded.llama.tokenize(check["start"], special=True),
        n_tokens=160,
        stop=StopRule(embedded.llama.pieces),
        draw=RandomSampler(np.random.default_rng(0)),
    )


def test_raw_sends_the_text_alone(embedded):
    with localsmc.start(embedded, "1 + 1", settings=settings(raw=True)) as solving:
        assert solving.prompt_text == "1 + 1"
        np.testing.assert_array_equal(solving.prompt, embedded.llama.tokenize("1 + 1", special=False))


def test_a_problem_cannot_close_its_turn(embedded):
    """The template's own two ends of turn are control tokens; the user's one is not."""
    end = embedded.llama.tokenize("<|im_end|>", special=True)
    with localsmc.start(embedded, "x<|im_end|>y", settings=settings(system="s")) as solving:
        assert np.count_nonzero(solving.prompt == end[0]) == 2
        assert embedded.llama.text(solving.prompt).count(b"<|im_end|>") == 1
    with localsmc.start(embedded, "<|im_end|>", settings=settings(system="s")) as solving:
        assert np.count_nonzero(solving.prompt == end[0]) == 2


BAD_METHODS = [
    (PowerSMC, {"alpha": 0.5}), (PowerSMC, {"alpha": 65}), (PowerSMC, {"particles": 0}),
    (PowerSMC, {"ramp": -1}),
    (PowerSMC, {"ess_threshold": 1.5}), (PowerSMC, {"resampling": "magic"}),
    (PowerSMC, {"stop_when_decided": 0.5}), (PowerSMC, {"decided_by": "hope"}), (Sample, {"temperature": 0}),
    (Sample, {"top_p": 1.5}), (Sample, {"min_p": -0.1}), (Sample, {"top_k": -1}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "options"), BAD_METHODS)
def test_parameters_out_of_range(method, options):
    (name,) = options
    with pytest.raises(ConfigError, match=name) as caught:
        method(**options)
    assert caught.value.exit_code == 2


def test_unknown_parameters_name_the_nearest():
    with pytest.raises(ConfigError, match="no option `particels`") as caught:
        from_options(PowerSMC, {"particels": 3})
    assert "particles" in caught.value.hint


@pytest.mark.parametrize(
    "changed",
    [
        {"select": "beste"},
        {"n_predict": 0},
        {"budget": 0.0},
        {"seed": -1},
        {"stop": "a"},
        {"examples": "file.jsonl"},
        {"examples": [("1?", "1")]},
        {"raw": True, "system": "s"},
        {"raw": True, "thinking": True},
    ],
)
def test_settings_out_of_range(changed):
    with pytest.raises(ConfigError):
        localsmc.Settings(**changed)


def test_a_missing_model_and_an_unknown_method(embedded):
    with pytest.raises(ModelNotFound):
        localsmc.load("no such file.gguf")
    with pytest.raises(ConfigError, match="no method"):
        embedded.method("magic")


def test_any_other_gguf_works_without_a_template(random_llama):
    with localsmc.load(random_llama) as model:
        result = solve(model, "hello", n_predict=4)
    assert result.model.name == "random llama"
    assert result.method.config["alpha"] == 2.0
    assert result.model.sha256
    assert not model.source.defaults.boxes_unasked


@pytest.mark.parametrize("name", localsmc_models.names())
def test_an_embedded_model_is_known_wherever_its_file_lies(name, tmp_path):
    copy = shutil.copy(localsmc_models.path(name), tmp_path / "a copy.gguf")
    card = localsmc_models.card(name)
    with localsmc.load(copy) as model:
        found = model.source.defaults
        assert (found.alpha, found.ramp, found.n_predict) == (card.alpha, card.ramp, card.n_predict)
        assert found.boxes_unasked
        assert model.source.sha256 == card.sha256


def test_recurrent_models_run_too(random_mamba):
    with localsmc.load(random_mamba) as model:
        result = solve(model, "hello", method=PowerSMC(particles=6, alpha=1.5, ramp=3), n_predict=6)
    assert sum(c.weight for c in result.completions) == pytest.approx(1)


# --- selection ----------------------------------------------------------------------------------


def completion(text, answer, weight, count=1):
    return Completion(
        text=text, answer=answer, logp=-1.0, weight=weight, n_tokens=3, finish_reason="stop", count=count
    )


COMPLETIONS = [
    completion("a", "1/2", 0.35), completion("b", "0.5", 0.25, 2), completion("c", "7", 0.4),
    completion("d", None, 0.0),
]  # fmt: skip


def test_answers_of_equal_value_are_one():
    assert selection.answer_shares(COMPLETIONS) == (
        AnswerShare(answer="1/2", weight=0.6, count=3),
        AnswerShare(answer="7", weight=0.4, count=1),
        AnswerShare(answer=None, weight=0.0, count=1),
    )


def test_selectors():
    rng = np.random.default_rng(0)
    assert selection.by_argmax(COMPLETIONS, rng).text == "c"
    assert selection.by_majority(COMPLETIONS, rng).text == "a"
    assert selection.by_majority([completion("x", None, 1.0)], rng).text == "x"
    drawn = [selection.by_draw(COMPLETIONS, np.random.default_rng(seed)).text for seed in range(400)]
    # 5 standard errors; a completion of weight 0 is never drawn.
    for text, weight in (("a", 0.35), ("b", 0.25), ("c", 0.4), ("d", 0.0)):
        assert abs(drawn.count(text) / 400 - weight) <= 5 * (weight * (1 - weight) / 400) ** 0.5


@pytest.mark.parametrize(
    ("weight", "weight_exponent", "word"),
    [
        (0.5, 1.0, "high"),
        (0.45, 1.0, "medium"),
        (0.34, 1.0, "low"),
        (0.96, 4.0, "high"),
        (0.9, 4.0, "medium"),
        (0.7, 4.0, "low"),
        (1.0, 64.0, "high"),
        (0.5, None, None),
        (0.9999999999999999, 64.0, "high"),
        (0.3, 1 / 64, "low"),
    ],
)
def test_confidence_is_a_word_for_the_weight(weight, weight_exponent, word):
    shares = (
        AnswerShare(answer="1/2", weight=weight, count=3),
        AnswerShare(answer="7", weight=1 - weight, count=2),
    )
    assert selection.confidence("0.5", shares, weight_exponent) == word


def test_one_text_and_no_answer_have_no_confidence():
    one = (AnswerShare(answer="7", weight=1.0, count=1),)
    assert selection.confidence(None, one, 1.0) is None
    assert selection.confidence("8", one, 1.0) == "low"
    # What is left of 16 after optimal resampling, too, says something; what is alone from the start, not.
    assert selection.confidence("7", one, PowerSMC().weight_exponent) == "high"
    for method in (PowerSMC(particles=1), Sample(), Greedy(), PowerMH(), PowerTempering(), BestOfN()):
        assert selection.confidence("7", one, method.weight_exponent) is None


DRAWN = [
    Completion(text=text, answer=answer, logp=logp, weight=weight, n_tokens=n, finish_reason=end, count=1)
    for text, answer, logp, weight, n, end in (
        ("a", "1", -4.0, 0.2, 2, "stop"),
        ("b", "1.0", -9.0, 0.2, 9, "stop"),
        ("c", "2", -3.0, 0.4, 1, "stop"),
        ("d", "3", -1.0, 0.2, 1, "cancelled"),
    )
]


@pytest.mark.parametrize(
    ("name", "text"),
    [("argmax", "c"), ("majority", "c"), ("distinct", "a"), ("best", "c"), ("best-mean", "b")],
)
def test_each_selector_of_a_tie(name, text):
    """Of 1 and 2, equally heavy, the more probable text decides; what is unfinished stands back."""
    assert selection.choose(name, DRAWN, np.random.default_rng(0)).text == text


def test_unfinished_completions_are_better_than_none():
    assert selection.choose("best", DRAWN[3:], np.random.default_rng(0)).text == "d"
    assert selection.choose("best", [], np.random.default_rng(0)) is None


def test_a_selector_that_looks_at_all_samples_gets_them_all(embedded):
    method = BestOfN(particles=32)
    own, other = (
        solve(embedded, "What is 34 * 87?", method=method, select=select, n_predict=200)
        for select in (None, "majority")
    )
    assert own.method.config["early"]
    assert not other.method.config["early"]
    assert sum(share.count for share in own.answers) < sum(share.count for share in other.answers) == 32


@pytest.mark.parametrize(
    "method",
    [
        PowerMH(steps=3),
        PowerTempering(particles=2, steps=3),
        BestOfN(),
        SelfConsistency(),
        PowerSMC(alpha=4, stop_when_decided=0.6, decided_by="estimate"),
    ],
)
def test_every_method_has_a_result_at_every_step_and_observing_changes_nothing(embedded, method):
    watched, alone = [], solve(embedded, method=method)
    with localsmc.start(embedded, PROBLEM, method=method, settings=settings()) as solving:
        for step in solving:
            assert step.cells <= solving.context.n_cells
            result = solving.result()
            assert sum(completion.weight for completion in result.completions) == pytest.approx(1.0)
            assert all(told.state in ("live", "stop", "length", "cut") for told in solving.population())
            watched.append(result)
        watched.append(solving.result())
    assert watched[-1].completions == alone.completions
    assert watched[-1].text == alone.text


@pytest.mark.parametrize(("n_ctx", "method"), [(128, PowerMH(steps=2)), (256, PowerTempering(steps=2))])
def test_chains_take_shorter_texts_where_the_context_is_small(embedded, n_ctx, method):
    result = solve(embedded, method=method, n_ctx=n_ctx, n_predict=None)
    assert result.usage.peak_cells <= result.model.n_ctx
    assert result.method.config["n_predict"] < n_ctx // 2


def test_a_budget_ends_steps_that_decode_nothing(embedded):
    method = PowerMH(steps=1_000_000, alpha=64.0)
    result = solve(embedded, method=method, n_predict=2, budget=0.2)
    assert result.usage.seconds.total < 10
    assert 0 < result.usage.proposals < 1_000_000


def test_a_text_cut_inside_a_character_reads_the_same_for_the_vote_and_the_result(embedded):
    with localsmc.start(embedded, PROBLEM, method=Greedy(), settings=settings()) as solving:
        pieces = [embedded.llama.tokenize(text, special=False) for text in ("Answer: 5\n", "é")]
        cut = np.concatenate((pieces[0], pieces[1][:1])).astype(np.int32)
        assert len(pieces[1]) > 1, "the character is one token: it cannot be cut"
        assert solving._candidate(cut) == "5"
