"""Completions without an answer are asked for one: exactly on the toy model, and on the embedded model."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from enumeration import outcomes
from test_toy_laws import PROMPT, request

import localsmc
from localsmc.engine import conclusion
from localsmc.engine.conclusion import MAX_TOKENS, UnansweredText, conclude, in_box
from localsmc.errors import ConfigError, PromptTooLong
from localsmc.lm.kv_slots import KVSlots
from localsmc.lm.toy import ToyModel
from localsmc.methods import BestOfN, Greedy, PowerMH, PowerSMC, Sample, SelfConsistency
from localsmc.numerics.categorical import RandomSampler
from localsmc.text import reasoning
from localsmc.text.thought_marks import AT_START, TEXT_MARKS, THOUGHT, ThoughtState

PROBLEM = "What is 34 * 87?"


@pytest.mark.parametrize(
    ("written", "content"),
    [
        (b"5}", "5"),
        (b"5} is it", "5"),
        (b"\\frac{1}{2}} and", r"\frac{1}{2}"),
        (b"\\{1, 2\\}}", r"\{1, 2\}"),
        (b" 5 apples }", "5 apples"),
        (b"5\nSo", "5"),
        (b"}", ""),
        (b"\n", ""),
        (b"5", None),
        (b"", None),
        (b"\\frac{1}{2}", None),
    ],
)
def test_the_answer_ends_with_its_brace_or_its_line(written, content):
    assert in_box(written) == content


@pytest.mark.parametrize(
    ("text", "end_tag", "closing"),
    [
        ("no thought", "", ""),
        ("<think>a", "", "</think>"),
        ("<think>a</think>b", "", ""),
        ("a</think>b", "</think>", ""),
        ("a", "</think>", "</think>"),
        ("a</think>b<think>c", "</think>", "</think>"),
        ("[THINK]a", "", "[/THINK]"),
        ("<think></think>" * 60_000 + "<thought>", "", "</thought>"),
    ],
)
def test_a_thought_that_a_text_leaves_open_is_closed_first(text, end_tag, closing):
    begin = ThoughtState(THOUGHT, reasoning.CLOSINGS[end_tag]) if end_tag else AT_START
    assert TEXT_MARKS.completing(text.encode(), begin) == (f"\n{closing}" if closing else "")


# --- on the toy model: token 0 ends, 1 closes the box, others are letters ----------------------------------


def toy(**options):
    model = ToyModel(4, **{"seed": 3, "scale": 2.0, **options})
    model.pieces = [b"", b"}", b"c", b"d"]
    return model


def asked(tokens):
    """The text without its end token, and a request of two tokens."""
    return np.array([*(token for token in tokens.tolist() if token), 2, 3], dtype=np.int32)


def greedy_answer(model, tokens):
    history, written = [*PROMPT, *asked(tokens).tolist()], b""
    for _ in range(MAX_TOKENS):
        token = int(model.logits(history).argmax())
        written += b"\n" if token == 0 else model.pieces[token]
        if (content := in_box(written)) is not None:
            return content or None
        history.append(token)
    return None


def finished(method, model, draw, *, n_concluding, n_tokens=4, answer=lambda _: None):
    run = method.start(replace(request(model, n_tokens, draw), n_concluding=n_concluding, answer=answer))
    for _ in run:
        pass
    return run


ROOM = {
    "room": {},
    "few cells": {"n_cells": len(PROMPT) + MAX_TOKENS + 9},
    "few sequences": {"n_seq_max": 3},
    "recurrent": {"can_forget": False},
}


@pytest.mark.parametrize("room", ROOM)
@pytest.mark.parametrize(
    "method",
    [
        Sample(particles=5),
        Greedy(),
        BestOfN(particles=4),
        PowerSMC(particles=6, alpha=2.0, ramp=1),
        PowerSMC(particles=6, alpha=2.0, ramp=2, resampling="systematic"),
        PowerMH(particles=2, steps=4),
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", range(6))
def test_every_answer_is_the_greedy_continuation_of_its_text(method, room, seed):
    def run(n_concluding):
        model = toy(**ROOM[room])
        return finished(method, model, RandomSampler(np.random.default_rng(seed)), n_concluding=n_concluding)

    plain, concluded = run(0), run(2 + MAX_TOKENS)
    texts = [UnansweredText(ending.tokens, asked(ending.tokens)) for ending in concluded.endings()]
    assert [(e.tokens.tolist(), e.weight, e.logp) for e in plain.endings()] == [
        (e.tokens.tolist(), e.weight, e.logp) for e in concluded.endings()
    ]
    found = conclude(concluded.sequences, np.array(PROMPT, dtype=np.int32), texts, lambda: None)
    for text in texts:
        assert found.of(text.completion) == greedy_answer(toy(), text.completion)
    assert found.usage.texts == len(texts)
    assert found.usage.rows > 0


@pytest.mark.parametrize("n_cells", [1024, len(PROMPT) + 8])
@pytest.mark.parametrize(
    "method",
    [Sample(particles=3), PowerSMC(particles=2, alpha=2.0, ramp=2, resampling="systematic")],
    ids=str,
)
def test_the_law_is_that_of_runs_without_conclusions(method, n_cells):
    """Every outcome of every random choice has the same probability, texts, weights and evidence."""

    def law(n_concluding):
        def program(draw):
            model = ToyModel(3, seed=5, scale=1.3, n_cells=n_cells)
            run = finished(method, model, draw, n_concluding=n_concluding, n_tokens=3)
            weighted = [(e.tokens.tolist(), e.weight, e.logp, e.count) for e in run.endings()]
            return weighted, run.log_z, run.reductions

        return [*outcomes(program)]

    plain = law(0)
    assert law(3) == plain
    assert len(plain) > 10


def test_slots_of_finished_texts_are_continued_instead_of_decoded_again():
    model = toy()
    run = finished(Sample(particles=6), model, RandomSampler(np.random.default_rng(1)), n_concluding=40)
    texts = [UnansweredText(ending.tokens, asked(ending.tokens)) for ending in run.endings()]
    usage = conclude(run.sequences, np.array(PROMPT, dtype=np.int32), texts, lambda: None).usage
    assert usage.prompt_tokens == 0
    n_written = usage.rows - sum(2 + (text.completion[-1] != 0) for text in texts)
    assert 0 <= n_written <= len(texts) * MAX_TOKENS


def test_a_check_that_raises_stops_before_the_next_batch():
    model = toy()
    run = finished(Sample(particles=2), model, RandomSampler(np.random.default_rng(1)), n_concluding=40)
    texts = [UnansweredText(ending.tokens, asked(ending.tokens)) for ending in run.endings()]

    def check():
        raise KeyError("stop")

    before = run.sequences.counts
    with pytest.raises(KeyError):
        conclude(run.sequences, np.array(PROMPT, dtype=np.int32), texts, check)
    assert run.sequences.counts == before


def test_the_counters_of_a_run_do_not_count_conclusions():
    """Two texts that differ in their last token share a slot, which is forked for one of them."""
    n_forks, plain_fork = 0, KVSlots.fork

    def fork(*arguments, **options):
        nonlocal n_forks
        n_forks += 1
        return plain_fork(*arguments, **options)

    for seed in range(8):
        run = finished(
            Sample(particles=8), toy(), RandomSampler(np.random.default_rng(seed)), n_concluding=40
        )
        texts = [UnansweredText(ending.tokens, asked(ending.tokens)) for ending in run.endings()]
        before = run.sequences.counts
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(KVSlots, "fork", fork)
            conclude(run.sequences, np.array(PROMPT, dtype=np.int32), texts, lambda: None)
        assert run.sequences.counts == before
    assert n_forks


def test_texts_are_decoded_in_portions():
    assert [*conclusion._portions([5, 600, 5, 500, 8, 504])] == [
        slice(0, 1), slice(1, 2), slice(2, 4), slice(4, 6),
    ]  # fmt: skip
    assert [*conclusion._portions([1])] == [slice(0, 1)]


def test_a_text_too_long_for_the_context_is_left_out():
    model = toy(n_cells=40)
    slots = KVSlots(model, 10)
    text = np.full(20, 2, dtype=np.int32)
    found = conclude(slots, np.array(PROMPT, dtype=np.int32), [UnansweredText(text, text)], lambda: None)
    assert found.texts == {}


# --- slots that are set aside --------------------------------------------------------------------


class TwoSlots:
    """The same random forks, decodes and releases with two models: one sets slots aside, one frees them."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.models = [toy(n_cells=24, n_seq_max=6) for _ in range(2)]
        self.both = [KVSlots(model, 12) for model in self.models]
        self.freeing, self.keeping = self.both
        prompt = np.array(PROMPT, dtype=np.int32)
        self.live = {(): [one.prefill(prompt)[0] for one in self.both]}

    def fits(self, n):
        found = {one.can_decode(n) for one in self.both}
        assert len(found) == 1
        assert self.freeing.cells_used == self.keeping.cells_used
        return found == {True}

    def step(self):
        history = list(self.live)[self.rng.integers(len(self.live))]
        token = int(self.rng.integers(1, 4))
        is_new = (*history, token) not in self.live and len(history) < 11
        action = self.rng.choice(["decode", "fork", "release"], p=[0.5, 0.25, 0.25])
        if action == "release" and len(self.live) > 1:
            plain, kept = self.live.pop(history)
            self.freeing.release(plain)
            self.keeping.set_aside(kept, np.array(history, dtype=np.int32))
        if action == "fork" and is_new and self.fits(len(self.live) + 1):
            forks = [one.fork(slot) for one, slot in zip(self.both, self.live[history], strict=True)]
            self.decode(forks, history, token)
        if action == "decode" and is_new and self.fits(len(self.live)):
            self.decode(self.live.pop(history), history, token)

    def decode(self, held, history, token):
        rows = [
            one.decode(np.array([slot]), np.array([token])) for one, slot in zip(self.both, held, strict=True)
        ]
        assert np.array_equal(*rows)
        self.live[(*history, token)] = held


@pytest.mark.parametrize("seed", range(20))
def test_slots_set_aside_hold_their_history_and_take_no_room(seed):
    slots = TwoSlots(seed)
    for _ in range(60):
        slots.step()
    keeping = slots.keeping
    histories = [np.frombuffer(key, dtype=np.int32) for key in keeping._aside]
    for history in histories:
        if (slot := keeping.find_aside(history)) is None or not keeping.can_decode(len(slots.live) + 1):
            continue
        keeping.take_back(slot)
        keeping.truncate(slot, len(history))
        logits = keeping.decode(np.array([slot]), np.array([2]))
        assert np.array_equal(logits[0], slots.models[1].logits([*PROMPT, *history.tolist(), 2]))
        keeping.release(slot)
        assert keeping.cells_used == slots.freeing.cells_used


# --- votes ---------------------------------------------------------------------------------------


def test_an_early_vote_is_not_decided_by_texts_that_are_still_to_be_concluded():
    answers = {0: None, 1: "a", 2: "b"}

    def answer(tokens):
        return answers[int(tokens[0])]

    def program(draw):
        model = ToyModel(3, seed=5, scale=1.3)
        return finished(SelfConsistency(particles=4), model, draw, n_concluding=40, n_tokens=3, answer=answer)

    n_early = 0
    for _, run in outcomes(program):
        endings = run.endings()
        votes = {None: 0, "a": 0, "b": 0}
        for ending in endings:
            votes[answer(ending.tokens)] += ending.count
        n_dropped = 4 - sum(votes.values())
        n_early += n_dropped > 0
        if n_dropped:
            assert abs(votes["a"] - votes["b"]) > n_dropped + votes[None]
    assert n_early


# --- on the embedded model -----------------------------------------------------------------------


def settings(**changed):
    return localsmc.Settings(**{"seed": 1, "n_threads": 1, "n_predict": 20, **changed})


def texts_of(result):
    return [(c.text, c.weight, c.logp, c.finish_reason, c.count) for c in result.completions]


@pytest.mark.parametrize(
    ("name", "options"),
    [("power-smc", {"particles": 8}), ("sample", {"particles": 6}), ("greedy", {}), ("power-mh", {})],
)
def test_conclusions_change_no_text_and_no_weight(embedded, name, options):
    method = embedded.method(name, **options)
    plain = localsmc.solve(embedded, PROBLEM, method=method, settings=settings(conclude="off"))
    asked_for = localsmc.solve(embedded, PROBLEM, method=method, settings=settings(conclude="on"))
    assert texts_of(plain) == texts_of(asked_for)
    assert plain.log_z == asked_for.log_z
    assert plain.usage.concluded is None
    assert plain.usage.rows == asked_for.usage.rows
    sources = {completion.source for completion in asked_for.completions}
    assert "concluded" in sources
    assert asked_for.usage.concluded.texts == sum(c.answer is None for c in plain.completions)
    again = localsmc.solve(embedded, PROBLEM, method=method, settings=settings(conclude="on"))
    assert [c.answer for c in again.completions] == [c.answer for c in asked_for.completions]
    json.dumps(asked_for.to_json(), allow_nan=False)


def test_asking_for_a_result_early_concludes_nothing(embedded):
    with localsmc.start(
        embedded, PROBLEM, method=embedded.method(particles=4), settings=settings(conclude="on")
    ) as solving:
        for _ in itertools.islice(solving, 5):
            assert solving.result().usage.concluded is None
        for _ in solving:
            pass
        assert solving.result().usage.concluded is not None
        assert solving.result().answers == solving.result().answers


@pytest.mark.parametrize(
    ("method", "select", "problem", "is_on"),
    [
        ("power-smc", None, PROBLEM, False),
        ("power-smc", "majority", PROBLEM, True),
        ("power-smc", "distinct", PROBLEM, True),
        ("self-consistency", None, PROBLEM, True),
        ("self-consistency", None, "Write a poem about the sea.", False),
    ],
)
def test_auto_is_on_for_selectors_that_vote_on_a_problem(embedded, method, select, problem, is_on):
    found = conclusion.resolved(settings(select=select), embedded.method(method), problem)
    assert found.conclude == ("on" if is_on else "off")


@pytest.mark.parametrize("changed", [{"raw": True}, {"grammar": 'root ::= "a"'}])
def test_auto_is_off_where_no_answer_is_asked_for(embedded, changed):
    found = conclusion.resolved(settings(select="majority", **changed), embedded.method(), PROBLEM)
    assert found.conclude == "off"


def test_a_grammar_cannot_be_concluded():
    with pytest.raises(ConfigError, match="grammar"):
        settings(conclude="on", grammar='root ::= "a"')
    with pytest.raises(ConfigError, match="conclude"):
        settings(conclude="sometimes")


def test_the_context_has_room_for_the_request(embedded):
    with localsmc.start(
        embedded, PROBLEM, method=Greedy(), settings=settings(conclude="on", n_ctx=256, n_predict=500)
    ) as solving:
        reserved = conclusion.n_reserved(embedded, solving.settings)
        assert len(solving.prompt) + solving.n_tokens + reserved == 256
        for _ in solving:
            pass
    n_prompt = len(solving.prompt)
    with pytest.raises(PromptTooLong, match="conclude"):
        localsmc.start(
            embedded,
            PROBLEM + " Again: " + PROBLEM * 30,
            method=Greedy(),
            settings=settings(conclude="on", n_ctx=256),
        )
    assert n_prompt < 256


def test_every_request_fits_in_what_is_reserved(embedded):
    reserved = conclusion.n_reserved(embedded, settings(conclude="on"))
    for tag in ("", *reasoning.CLOSINGS):
        completing = f"\n{tag}" if tag else ""
        assert len(conclusion.request_tokens(embedded, completing)) + MAX_TOKENS <= reserved


@pytest.mark.parametrize("stop", ["budget", "caller"])
def test_an_interrupted_conclusion_leaves_the_run_as_it_was(embedded, stop):
    asked_to_stop = False
    method = embedded.method("sample", particles=8)
    given = settings(conclude="on", budget=3600.0 if stop == "budget" else None)
    with localsmc.start(
        embedded, PROBLEM, method=method, settings=given, is_stopped=lambda: asked_to_stop
    ) as solving:
        for _ in solving:
            if solving.run.is_done:
                before = solving.result()
                asked_to_stop = stop == "caller"
                if stop == "budget":
                    solving._began -= 4000
        after = solving.result()
    assert (solving.was_cut, solving.was_stopped) == (stop == "budget", stop == "caller")
    assert after.completions == before.completions
    assert after.usage.rows == before.usage.rows
    assert after.usage.concluded is None
    assert after.usage.seconds.sample == pytest.approx(before.usage.seconds.sample, abs=1e-3)


def test_a_box_that_ends_within_a_brace_is_no_answer(embedded):
    with localsmc.start(
        embedded, PROBLEM, method=Greedy(), settings=settings(conclude="on", n_predict=3)
    ) as solving:
        solving.reader.kind = "numeric"
        for _ in solving:
            pass
        (ending,) = solving.endings()
        for content, answer in (("\\frac{1}{2", None), ("5", "5"), ("5 pens", "5 pens"), ("pens", None)):
            solving.reader.conclusions.texts = {ending.tokens.tobytes(): content}
            found = solving.reader._concluded(ending.tokens)
            assert (None if found is None else found.text) == answer


def test_a_stop_string_is_not_part_of_the_text_that_is_concluded(embedded):
    plain = localsmc.solve(
        embedded, PROBLEM, method=Greedy(), settings=settings(n_predict=60, conclude="off")
    )
    needle = plain.text[8:11]
    with localsmc.start(
        embedded, PROBLEM, method=Greedy(), settings=settings(stop=(needle,), conclude="on")
    ) as solving:
        for _ in solving:
            pass
        (ending,) = solving.endings()
        tokens = solving.reader.request(ending.tokens)
    asked_text = embedded.llama.text(tokens).decode()
    shown = plain.text[: plain.text.index(needle)]
    assert asked_text == shown + "\n\n" + conclusion.REQUEST
