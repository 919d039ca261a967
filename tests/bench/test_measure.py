"""The benchmark replays the run it measures, its time shares add up, and no measurement is lost."""

import contextlib
import csv
import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import localsmc
from localsmc import Settings
from localsmc.bench import cached, parse
from localsmc.bench.case_summary import summaries
from localsmc.bench.cases import Case, cases
from localsmc.bench.measure import Bench, Timing, _n_written
from localsmc.bench.replay import Endless, Replay
from localsmc.bench.speed_table import FORMATS
from localsmc.engine.solve import Generation
from localsmc.errors import ConfigError, ContextFull
from localsmc.llama import ContextOptions, open_context
from localsmc.lm.kv_slots import KVSlots
from localsmc.methods.spec import parse_method
from localsmc.numerics.timing import Timer

PROBLEM = "What is 17 * 23?"
SETTINGS = Settings(n_threads=1)
SHAPE = "test:vocab=1024"


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    """A model of random weights with a vocabulary larger than the embedded one's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSMC_CACHE", str(tmp_path_factory.mktemp("shapes")))
        path = cached(parse(SHAPE))
        with localsmc.load(path) as model:
            yield model


def context_of(model, n_seq=24):
    return open_context(model.llama, ContextOptions(n_ctx=2048, n_seq_max=n_seq, n_threads=1))


def specs(*texts):
    return [parse_method(text) for text in texts]


# --- replays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["power-smc:N=16", "power-smc:N=8,resampling=systematic", "best-of-n:N=8"])
def test_a_replay_has_the_rows_the_forks_and_the_tokens_of_the_models_own_run(embedded, synthetic, method):
    (spec,) = specs(method)
    settings = replace(SETTINGS, seed=3, n_predict=40)
    found = []
    for on in (None, synthetic):
        own = context_of(embedded)
        front = own if on is None else Replay(context_of(on), own)
        chosen = embedded.method(spec.name, **spec.options)
        with Generation(embedded, PROBLEM, chosen, settings, context=front) as solving:
            steps = [(step.rows, step.forks, step.histories, step.cells) for step in solving]
            texts = [(ending.tokens.tolist(), ending.count) for ending in solving.run.endings()]
        found.append((steps, texts))
    assert found[0] == found[1]
    assert max(rows for rows, *_ in found[0][0]) > 1


def test_a_replay_hands_out_the_small_models_law(embedded, synthetic):
    own, behind = context_of(embedded), context_of(synthetic)
    tokens, positions, seqs = np.array([5, 9, 2]), np.arange(3), np.zeros(3, dtype=np.int64)
    expected = own.decode(tokens, positions, seqs).astype(np.float64)
    own.clear()
    told = Replay(behind, own).decode(tokens, positions, seqs).astype(np.float64)
    p = np.exp(told - told.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    q = np.exp(expected - expected.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    assert p.shape == (3, 1024)
    np.testing.assert_allclose(p[:, : q.shape[1]], q, rtol=1e-4, atol=1e-9)
    assert p[:, q.shape[1] :].sum() < 1e-9


def test_a_replay_needs_a_vocabulary_that_holds_the_small_models(embedded, synthetic):
    with pytest.raises(ConfigError, match="but the replayed model has 1024"):
        Replay(context_of(embedded), context_of(synthetic))


def test_endless_texts_have_the_length_asked_for(embedded):
    front = Endless(context_of(embedded))
    with Generation(
        embedded, PROBLEM, embedded.method("sample"), replace(SETTINGS, seed=0, n_predict=300), context=front
    ) as solving:
        list(solving)
        assert [len(ending.tokens) for ending in solving.run.endings()] == [300]


# --- cases --------------------------------------------------------------------------------------


def labels(*given, **options):
    return [f"{case.kind} {case.label} {case.n_tokens}" for case in cases(*given, **options)]


def test_every_list_is_gone_through(embedded):
    found = labels(
        embedded,
        specs("power-smc:ramp=5", "sample", "greedy"),
        particles=(1, 4, 512),
        alphas=(2.0, 4.0),
        n_tokens=(8, 16),
        has_peers=True,
    )
    eight = [label[:-2] for label in found if label.endswith(" 8")]
    assert eight == [
        "plain plain decoding",
        "raw llama_decode, rows=1",
        "raw llama_decode, rows=4",
        *(f"method power-smc:ramp=5,N={n},alpha={a}" for n in (1, 4, 512) for a in (2, 4)),
        *(f"method sample:N={n}" for n in (1, 4, 512)),
        "method greedy",
        "rows power-smc, rows=4",
        "peer Llama, one completion",
        "peer Llama, 4 in turn",
        "peer Llama, best of 4",
    ]
    assert len(found) == 2 * len(eight)


def test_without_lists_methods_are_as_they_are(embedded):
    assert labels(embedded, specs("power-smc:N=8"), n_tokens=(8,)) == [
        "plain plain decoding 8",
        "raw llama_decode, rows=8 8",
        "method power-smc:N=8 8",
        "rows power-smc, rows=8 8",
    ]


def test_equal_cases_are_one(embedded):
    found = labels(embedded, specs("power-smc", "power-smc:N=4"), particles=(4,), n_tokens=(8,))
    assert [label for label in found if label.startswith("method")] == ["method power-smc:N=4 8"]


@pytest.mark.parametrize(
    ("method", "given", "message"),
    [
        ("greedy", {"alphas": (2.0,)}, "`--alpha` applies to none"),
        ("power-smc:alpha=2", {"alphas": (2.0,)}, "`--alpha` applies to none"),
        ("power-smc:N=2", {"particles": (4,)}, "`-N` applies to none"),
        ("speculative", {"is_synthetic": True}, "`speculative` uses two models"),
    ],
)
def test_cases_that_make_no_sense_are_refused(embedded, method, given, message):
    with pytest.raises(ConfigError, match=message):
        cases(embedded, specs(method), n_tokens=(8,), **given)


# --- samples ------------------------------------------------------------------------------------


def bench_of(model, chosen, **given):
    return Bench(model, chosen, SETTINGS, problems=[PROBLEM], **{"repetitions": 1, **given})


def test_every_case_is_measured_in_every_repetition_and_its_parts_add_up(embedded, synthetic):
    chosen = cases(
        embedded, specs("power-smc"), particles=(1, 3), n_tokens=(10,), has_peers=True, is_synthetic=True
    )
    bench = bench_of(synthetic, chosen, repetitions=2, donor=embedded)
    samples = list(bench)
    assert len(samples) == len(bench) == 2 * len(chosen)
    assert {(sample.case.label, sample.repetition) for sample in samples} == {
        (case.label, repetition) for case in chosen for repetition in (0, 1)
    }
    for sample in samples:
        parts = sample.decode_seconds + sample.logits_seconds + sample.numerics_seconds
        assert 0 <= parts <= sample.seconds
        assert sample.steps == 10
        assert sample.memory > 0
    for sample in samples:
        if sample.case.kind in ("raw", "rows"):
            assert sample.peak_rows == sample.case.rows
        if sample.case.kind == "raw":
            assert (sample.rows, sample.calls) == (9 * sample.case.rows, 9)
        if sample.case.kind == "rows":
            assert 0 < sample.numerics_seconds


class _Ended:
    """A run whose surviving texts have these lengths."""

    def __init__(self, sequences, *lengths):
        self.sequences, self._lengths = sequences, lengths

    def endings(self):
        return [SimpleNamespace(tokens=range(length)) for length in self._lengths]


def test_a_text_that_was_thinned_away_counts_as_written(embedded):
    with contextlib.closing(context_of(embedded, 4)) as context:
        slots = KVSlots(context, 10)
        root, _ = slots.prefill(np.array([1, 2, 3], np.int32))
        long, short = slots.fork(root), slots.fork(root)
        slots.decode(np.array([long, short]), np.array([5, 6]))
        slots.decode(np.array([long]), np.array([7]))
        slots.release(long)
        slots.decode(np.array([short]), np.array([7]))
        assert slots.n_longest == 2
        # Its last token is drawn, but not decoded.
        assert _n_written(_Ended(slots, 2, 1), 10) == 3
        assert _n_written(_Ended(slots, 2, 1), 2) == 2
        assert _n_written(_Ended(slots, 6, 1), 10) == 6


def test_more_rows_than_a_batch_takes_are_refused(embedded):
    case = Case(kind="raw", label="", n_tokens=4, rows=8)
    with pytest.raises(ContextFull, match="8 tokens per step do not fit in a batch of 4"):
        Bench(embedded, [case], replace(SETTINGS, n_batch=4), problems=[PROBLEM], repetitions=1)


def test_what_is_stopped_in_its_middle_is_left_out(embedded):
    chosen = cases(embedded, specs("sample"), n_tokens=(30,))
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > 40

    samples = list(bench_of(embedded, chosen, repetitions=5, should_stop=should_stop))
    assert 1 <= len(samples) <= 3


def test_a_stopwatch_counts_nested_calls_once_and_calls_that_fail():
    watch = Timer()

    @watch
    def outer(depth):
        if depth:
            outer(depth - 1)
        raise ValueError("at the bottom")

    @watch
    def quick():
        return sum(range(20_000))

    with pytest.raises(ValueError, match="bottom"):
        outer(3)
    before = watch.seconds
    assert quick() == sum(range(20_000))
    assert 0 < before
    assert before < watch.seconds


# --- accounts and tables ------------------------------------------------------------------------

PLAIN = Case(kind="plain", label="plain decoding", n_tokens=10)
METHOD = Case(kind="method", label="power-smc:N=4", n_tokens=10)
PEER = Case(kind="peer", label="Llama, one completion", n_tokens=10)


def sample(case, repetition, seconds, *, steps=10, **given):
    passed = tuple(seconds * (k + 1) / steps for k in range(steps)) if case is PLAIN else ()
    return Timing(case=case, repetition=repetition, steps=steps, seconds=seconds, passed=passed, **given)


def test_ratios_are_taken_within_a_repetition():
    """The second repetition is three times as slow, and the method twice as slow as plain in both."""
    samples = [
        sample(PLAIN, 0, 1.0),
        sample(PLAIN, 1, 3.0),
        sample(
            METHOD, 1, 6.0, decode_seconds=3.0, numerics_seconds=1.0, logits_seconds=0.5, rows=30, calls=9
        ),
        sample(METHOD, 0, 2.0, decode_seconds=1.0, numerics_seconds=0.5, rows=10, calls=9, reused=9),
        sample(METHOD, 2, 2.0, decode_seconds=1.0),  # its plain run was not reached
    ]
    plain, method = summaries("m", [PLAIN, METHOD, PEER], samples)
    assert (method.ratio, method.ratio_sd, plain.ratio) == (2.0, 0.0, 1.0)
    assert method.tokens_per_second == pytest.approx((5 + 10 / 6 + 5) / 3)
    assert method.tokens_per_second_sd == pytest.approx(np.std([5, 10 / 6, 5], ddof=1))
    assert method.step_ms == pytest.approx(1000 * 10 / 30)
    assert method.decode_share == pytest.approx(0.5)
    assert method.bookkeeping_ms == pytest.approx(1000 * (10 - 5 - 1.5 - 0.5) / 30)
    assert method.rows_per_step == pytest.approx(40 / 30)
    assert method.reused_share == pytest.approx(0.5)


def test_a_text_that_ends_early_is_compared_with_as_much_of_plain_decoding():
    """Later tokens cost plain decoding more; a text of 4 tokens has nothing to do with them."""
    plain = replace(sample(PLAIN, 0, 1.0), passed=(0.01, 0.02, 0.03, 0.04, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0))
    _, method = summaries("m", [PLAIN, METHOD], [plain, sample(METHOD, 0, 0.08, steps=4)])
    assert (method.ratio, method.steps, method.n_tokens) == (2.0, 4, 10)


def test_a_peers_parts_are_not_known():
    (peer,) = summaries("m", [PEER], [sample(PEER, 0, 1.0, rows=10, calls=10)])
    assert (peer.decode_share, peer.numerics_ms, peer.reused_share, peer.ratio) == (None,) * 4


@pytest.fixture
def two_accounts():
    samples = [sample(PLAIN, 0, 1.0, decode_seconds=0.5, rows=9, calls=9), sample(PEER, 0, 2.0)]
    return summaries("a model, of two", [PLAIN, PEER], samples)


def test_tables_say_the_same(two_accounts):
    told = [account.to_json() for account in two_accounts]
    assert json.loads(FORMATS["json"](two_accounts)) == told
    assert [json.loads(line) for line in FORMATS["jsonl"](two_accounts).splitlines()] == told
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](two_accounts))))
    assert [row["test"] for row in rows] == ["plain decoding", "Llama, one completion"]
    assert [row["model"] for row in rows] == ["a model, of two"] * 2
    assert (rows[0]["decode_share"], rows[1]["decode_share"]) == ("0.5", "")
    heads, rule, *lines = FORMATS["md"](two_accounts).splitlines()
    assert len({line.count("|") for line in (heads, rule, *lines)}) == 1
    assert "10.0 ± 0.0" in lines[0]
    assert "2.00 ± 0.00" in lines[1]


def test_rules_of_markdown_have_three_characters():
    _, rule, *_ = FORMATS["md"](summaries("m", [PEER], [sample(PEER, 0, 1.0)])).splitlines()
    assert all(len(part.strip()) >= 3 for part in rule.strip("|").split("|"))
