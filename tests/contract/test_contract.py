"""The contract of every `LanguageModel`: the toy, the embedded GGUF, a llama, a mamba, a hybrid, a window.

The GGUF contexts return guarded logits (they become NaN at the next decode), so a method that uses
a stale view fails here.
"""

import numpy as np
import pytest
from tolerances import ON_CPU

from localsmc.errors import ContextFull, SequenceError
from localsmc.llama import ContextOptions, LlamaModel, open_context
from localsmc.lm.cache_layout import CacheLayout
from localsmc.lm.kv_slots import KVSlots
from localsmc.lm.prefix_cache import PrefixCache
from localsmc.lm.toy import ToyModel
from localsmc.methods import PowerMH, PowerSMC, Request
from localsmc.numerics.categorical import RandomSampler
from localsmc.numerics.log_math import log_sum_exp
from localsmc.text.stop_rule import StopRule

PROMPT = [5, 7, 6, 8]
NO_SHARED_CELLS = ("mamba", "streams")


@pytest.fixture(params=list(ON_CPU), scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def open_model(kind, request, load_options, flash_attention):
    """A function of (n_cells, n_seq_max) that opens an empty model of this kind."""
    if kind == "toy":
        yield lambda n_cells=256, n_seq_max=8: ToyModel(
            9, seed=3, eog=(), n_cells=n_cells, n_seq_max=n_seq_max, n_batch=64
        )
        return
    file = {
        "random": "random_llama",
        "mamba": "random_mamba",
        "hybrid": "random_hybrid",
        "window": "random_window",
    }.get(kind)
    source = None if file else request.getfixturevalue("embedded").llama
    model = source or LlamaModel(request.getfixturevalue(file), load_options)

    def open_one(n_cells=256, n_seq_max=8):
        layout = CacheLayout.STREAMS if kind == "streams" else CacheLayout.UNIFIED
        options = ContextOptions(
            n_ctx=n_cells if layout.is_unified else 256 * n_seq_max,
            n_seq_max=n_seq_max,
            n_batch=64,
            n_threads=1,
            layout=layout,
            flash_attention=flash_attention,
            guard_views=True,
        )
        return open_context(model, options)

    yield open_one
    if source is None:
        model.close()


def request(model, n_tokens):
    return Request(
        model=model,
        prompt=np.array(PROMPT, dtype=np.int32),
        n_tokens=n_tokens,
        stop=StopRule(model.pieces),
        draw=RandomSampler(np.random.default_rng(1)),
    )


def feed(model, seq, tokens, start=0):
    """Decode tokens one by one; returns a copy of the last logits."""
    for i, token in enumerate(tokens):
        logits = model.decode(np.array([token]), np.array([start + i]), np.array([seq]))
    return logits[0].copy()


def test_a_batch_says_what_one_by_one_says(open_model, close_to):
    model = open_model()
    alone = [feed(model, seq, [*PROMPT, seq]) for seq in range(4)]
    model.clear()
    for seq in range(4):
        feed(model, seq, PROMPT)
    together = model.decode(np.arange(4), np.full(4, len(PROMPT)), np.arange(4))
    close_to(together, alone)


def test_a_prompt_at_once_says_what_token_by_token_says(open_model, close_to):
    model = open_model()
    one_by_one = feed(model, 0, PROMPT)
    tokens, positions = np.array(PROMPT), np.arange(len(PROMPT))
    close_to(model.decode(tokens, positions, np.full(4, 1), outputs=np.array([3])), [one_by_one])


def test_a_fork_goes_on_like_a_fresh_prefill(open_model, close_to):
    model = open_model()
    feed(model, 0, PROMPT)
    model.copy(0, 5)
    model.copy(5, 2)
    logits = model.decode(np.array([3, 4, 3]), np.full(3, len(PROMPT)), np.array([5, 0, 2])).copy()
    model.clear()
    close_to(logits, [feed(model, seq, [*PROMPT, token]) for seq, token in ((1, 3), (2, 4), (3, 3))])


def test_the_order_of_rows_is_irrelevant(open_model, close_to):
    model = open_model()
    for seq in range(3):
        feed(model, seq, [*PROMPT, seq])
    tokens, seqs = np.array([6, 7, 8]), np.array([0, 1, 2])
    forwards = model.decode(tokens, np.full(3, 5), seqs).copy()
    model.clear()
    for seq in range(3):
        feed(model, seq, [*PROMPT, seq])
    backwards = model.decode(tokens[::-1], np.full(3, 5), seqs[::-1])
    close_to(backwards[::-1], forwards)


def test_a_slot_that_was_freed_starts_clean(open_model, close_to):
    model = open_model()
    expected = feed(model, 3, [4, 4, 2])
    feed(model, 1, PROMPT)
    model.remove(1)
    close_to(feed(model, 1, [4, 4, 2]), expected)
    model.remove(1)
    model.copy(3, 1)
    close_to(feed(model, 1, [5], start=3), feed(model, 3, [5], start=3))


def test_cutting_back_restores_or_refuses(open_model, close_to):
    model = open_model()
    expected = feed(model, 0, [*PROMPT, 5])
    feed(model, 1, [*PROMPT, 6, 7])
    if not model.can_forget:
        with pytest.raises(SequenceError, match="recurrent"):
            model.remove(1, len(PROMPT))
        return
    model.remove(1, len(PROMPT))
    close_to(feed(model, 1, [5], start=len(PROMPT)), expected)


def test_a_kept_prompt_goes_on_like_a_fresh_prefill(open_model, close_to):
    model = open_model()
    kept = PrefixCache(model)
    for prompt in ([*PROMPT, 5], [*PROMPT, 5, 6, 7], [*PROMPT, 4, 3], [2, 1]):
        _, logits = KVSlots(kept, 4).prefill(np.array(prompt, dtype=np.int32))
        found = logits[0].copy()
        model.clear()
        expected = feed(model, 0, prompt)
        model.clear()
        kept = PrefixCache(model)
        KVSlots(kept, 4).prefill(np.array(prompt, dtype=np.int32))
        close_to(found, expected)


def test_a_full_memory_raises_and_changes_nothing(kind, open_model, close_to):
    if kind in NO_SHARED_CELLS:
        pytest.skip("its sequences share no cells")
    model = open_model(n_cells=256, n_seq_max=4)
    reference = feed(model, 0, PROMPT)
    model.remove(0)
    for start in range(0, 248, 62):
        model.decode(np.ones(62, int), np.arange(start, start + 62), np.full(62, 1))
    feed(model, 2, PROMPT)
    feed(model, 3, PROMPT)
    with pytest.raises(ContextFull):
        model.decode(np.array([1]), np.array([248]), np.array([1]))
    model.remove(1)
    close_to(feed(model, 0, PROMPT), reference)
    close_to(feed(model, 2, [1], start=4), feed(model, 3, [1], start=4))


BROKEN = {
    "too many rows": (np.ones(65, int), np.arange(65), np.zeros(65, int)),
    "no rows": (np.zeros(0, int), np.zeros(0, int), np.zeros(0, int)),
    "token too large": (np.array([10**9]), np.array([0]), np.array([0])),
    "negative token": (np.array([-1]), np.array([0]), np.array([0])),
    "sequence too large": (np.array([1]), np.array([0]), np.array([8])),
    "negative sequence": (np.array([1]), np.array([0]), np.array([-1])),
    "gap": (np.array([1]), np.array([5]), np.array([0])),
    "position held already": (np.array([1]), np.array([3]), np.array([0])),
    "same position twice in a batch": (np.array([1, 1]), np.array([4, 4]), np.array([0, 0])),
    "positions backwards": (np.array([1, 1]), np.array([5, 4]), np.array([0, 0])),
}


@pytest.mark.parametrize("name", BROKEN)
def test_batches_that_break_a_rule_are_refused(name, open_model, close_to):
    model = open_model()
    expected = feed(model, 0, [*PROMPT, 5])
    model.clear()
    feed(model, 0, PROMPT)
    with pytest.raises(SequenceError):
        model.decode(*BROKEN[name])
    close_to(feed(model, 0, [5], start=4), expected)


def test_a_copy_onto_a_used_sequence_is_refused(open_model):
    model = open_model()
    feed(model, 0, PROMPT)
    feed(model, 1, [3])
    with pytest.raises(SequenceError, match="in use"):
        model.copy(0, 1)


def test_stale_logits_are_caught(kind, open_model):
    if kind == "toy":
        pytest.skip("the toy hands out fresh arrays")
    model = open_model()
    stale = model.decode(np.array([1]), np.array([0]), np.array([0]))
    assert np.isfinite(stale).all()
    feed(model, 0, [2], start=1)
    assert np.isnan(stale).all()


def test_sequences_keep_the_same_book_as_the_memory(kind, open_model):
    """Random forks, appends and releases: the count of used cells is the model's own."""
    if kind in NO_SHARED_CELLS:
        pytest.skip("its sequences share no cells")
    model = open_model(n_cells=256, n_seq_max=8)
    rng = np.random.default_rng(8)
    sequences = KVSlots(model, 100)
    slot, _ = sequences.prefill(np.array(PROMPT, dtype=np.int32))
    slots = [slot]
    for _ in range(30):
        while len(slots) < 8 and rng.random() < 0.5:
            source = int(rng.choice(slots))
            is_shorter = rng.random() < 0.5 and model.can_forget
            length = int(rng.integers(sequences._length[source] + 1)) if is_shorter else None
            slots.append(sequences.fork(source, length))
        if rng.random() < 0.3 and sequences.cells_used + 5 <= model.n_cells:
            sequences.refill(slots[0], rng.integers(1, 9, size=5))
        while len(slots) > 1 and rng.random() < 0.4:
            sequences.release(slots.pop(int(rng.integers(len(slots)))))
        if not sequences.can_decode(len(slots)):
            break
        sequences.decode(np.array(slots), rng.integers(1, 9, size=len(slots)))
        if kind == "toy":
            assert sequences.cells_used == model.n_used
    # Exactly as many tokens as the book says are free can still be decoded, and not one more.
    spare = sequences.fork(slots[0]) if len(slots) < 8 else slots.pop()
    sequences.release(spare)
    free = model.n_cells - sequences.cells_used
    for start in range(0, free, 64):
        n = min(64, free - start)
        model.decode(np.ones(n, int), np.arange(start, start + n), np.full(n, spare))
    with pytest.raises(ContextFull):
        model.decode(np.array([1]), np.array([free]), np.array([spare]))


def test_the_beginning_of_a_history_goes_on_like_a_fresh_prefill(open_model, close_to):
    model, fresh = open_model(n_cells=256, n_seq_max=4), open_model(n_cells=256, n_seq_max=1)
    sequences = KVSlots(model, 100)
    slot, _ = sequences.prefill(np.array(PROMPT, dtype=np.int32))
    root = sequences.fork(slot)
    for token in (3, 4, 2, 7):
        sequences.decode(np.array([slot]), np.array([token]))
    if not model.can_forget:
        with pytest.raises(SequenceError, match="cannot forget"):
            sequences.fork(slot, 2)
        other = root
        sequences.refill(other, np.array([3, 4]))
    else:
        other = sequences.fork(slot, 2)
    logits = sequences.decode(np.array([other, slot]), np.array([5, 6])).copy()
    close_to(logits[0], feed(fresh, 0, [*PROMPT, 3, 4, 5]))
    fresh.clear()
    close_to(logits[1], feed(fresh, 0, [*PROMPT, 3, 4, 2, 7, 6]))


@pytest.mark.parametrize("retrace", [True, False], ids=["parting", "plain"])
def test_every_text_of_a_chain_has_the_probability_of_its_own_tokens(open_model, retrace, tolerance):
    """After cuts, forks and replays: log p and log Σ p^alpha of every token, against a fresh prefill."""
    model, fresh = open_model(n_cells=256, n_seq_max=8), open_model(n_cells=256, n_seq_max=1)
    run = PowerMH(particles=3, alpha=1.5, steps=96, block=4, retrace=retrace).start(request(model, 10))
    for _ in run:
        pass
    assert run.accepted > 5
    for chain in run.chains:
        fresh.clear()
        text = chain.text
        logits = feed(fresh, 0, PROMPT)
        for position, token in enumerate(text.tokens):
            logp = logits.astype(np.float64) - log_sum_exp(logits.astype(np.float64))
            assert text.logps[position] == pytest.approx(logp[token], abs=2 * tolerance)
            power = log_sum_exp(1.5 * logp)
            assert text.log_powers[position][0] == pytest.approx(power, abs=3 * tolerance)
            logits = feed(fresh, 0, [token], start=len(PROMPT) + position)


RUNS = {
    "shared": (4, {}),
    "unshared": (4, {"share": False}),
    "chopthin": (4, {"resampling": "chopthin"}),
    "optimal": (4, {"resampling": "fearnhead-clifford"}),
    "rollouts": (40, {"rollouts": 2, "block": 2, "particles": 10}),
    "moves": (13, {"rejuvenate": 2, "particles": 6}),
}
"""Sequences, and what the run has."""


@pytest.mark.parametrize("name", RUNS)
def test_every_history_of_a_run_stands_on_its_own_tokens(open_model, close_to, tolerance, name):
    """Row 10: after forks, deaths, reductions and moves the pending logits are those of a fresh replay."""
    n_seq_max, options = RUNS[name]
    model, fresh = open_model(n_cells=256, n_seq_max=n_seq_max), open_model(n_cells=256, n_seq_max=1)
    own = {} if name == "optimal" else {"resampling": "systematic", "ess_threshold": 0.9}
    options = {"particles": 40, "alpha": 1.2, "ramp": 3, **own, **options}
    run = PowerSMC(**options).start(request(model, 8))
    forks = 0
    for step in run:
        forks += step.forks
        histories = run.particles.histories
        # Within moves nothing is pending: the last tokens are not decoded yet.
        rows = () if run.particles._logits is None else run.particles._logits
        for row, i in zip(rows, histories.live, strict=False):
            fresh.clear()
            text = [*PROMPT, *run.particles.genealogy.tokens(int(histories.node[i])).tolist()]
            close_to(row, feed(fresh, 0, text))
    assert forks >= 3
    assert (run.reductions > 0) == (n_seq_max == 4)
    assert (run.accepted > 0) == (name == "moves")
    for ending in run.endings():
        fresh.clear()
        logits, logp = feed(fresh, 0, PROMPT), 0.0
        for position, token in enumerate(ending.tokens.tolist()):
            logp += logits[token] - log_sum_exp(logits.astype(np.float64))
            logits = feed(fresh, 0, [token], start=len(PROMPT) + position)
        assert ending.logp == pytest.approx(logp, abs=8 * tolerance)
