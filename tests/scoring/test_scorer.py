"""The scorer: exact log-probabilities of many sequences, each shared prefix decoded once, in any cache."""

import itertools

import numpy as np
import pytest

from localsmc.errors import PromptTooLong
from localsmc.lm.toy import ToyModel
from localsmc.scoring.rounds import ScoredTokens
from localsmc.scoring.scorer import Scorer, Stopped


def sequence(*tokens, first=1):
    return ScoredTokens(np.array(tokens, dtype=np.int32), first)


def expected(toy, tokens, first):
    return [toy.logp(tokens[:q])[tokens[q]] for q in range(first, len(tokens))]


def check(toy, sequences):
    scorer = Scorer(toy, sequences)
    found = dict(scorer)
    assert sorted(found) == list(range(len(sequences)))
    for i, one in enumerate(sequences):
        np.testing.assert_allclose(found[i].logps, expected(toy, one.tokens.tolist(), one.first), atol=1e-12)
        laws = [toy.logp(one.tokens[:q].tolist()) for q in range(one.first, len(one.tokens))]
        assert found[i].top_tokens.tolist() == [int(np.argmax(law)) for law in laws]
        np.testing.assert_allclose(found[i].top_logps, [law.max() for law in laws], atol=1e-12)
    return scorer


def n_distinct(sequences):
    return len({tuple(one.tokens[:n]) for one in sequences for n in range(1, len(one.tokens))})


def drawn(rng, n, longest, n_vocab=3):
    for _ in range(n):
        tokens = rng.integers(0, n_vocab, size=rng.integers(2, longest + 1))
        yield sequence(*tokens, first=int(rng.integers(1, len(tokens))))


@pytest.mark.parametrize("seed", range(60))
def test_any_sequences_in_any_cache(seed):
    rng = np.random.default_rng(seed)
    sequences = list(drawn(rng, int(rng.integers(1, 25)), int(rng.integers(2, 14))))
    longest = max(len(one.tokens) for one in sequences)
    toy = ToyModel(
        3, seed=seed, n_cells=int(rng.integers(longest, 60)), n_seq_max=int(rng.integers(1, 9)),
        n_batch=int(rng.integers(1, 12)), can_forget=bool(rng.integers(2)),
    )  # fmt: skip
    check(toy, sequences)


def test_a_shared_prefix_is_decoded_once_across_rounds():
    prefix = [1, 2, 1, 1, 2, 2, 1]
    questions = [[*prefix, *middle] for middle in itertools.product((1, 2), repeat=3)]
    sequences = [sequence(*question, end, first=len(question)) for question in questions for end in (0, 1, 2)]
    toy = ToyModel(3, n_seq_max=6)
    scorer = check(toy, sequences)
    # Options of one token: their question is decoded once for all of them, and its last token once for all.
    assert scorer.n_decoded == n_distinct(sequences)


def test_equal_sequences_and_prefixes_of_others_cost_nothing():
    sequences = [sequence(1, 2, 1, 2, 0)] * 3 + [sequence(1, 2, 1), sequence(1, 2)]
    assert check(ToyModel(3), sequences).n_decoded == 4


def test_logits_of_large_vocabularies_are_read_in_several_batches(monkeypatch):
    monkeypatch.setattr("localsmc.scoring.scorer.OUTPUT_BYTES", 3 * 3 * 8)
    check(ToyModel(3), list(drawn(np.random.default_rng(1), 12, 10)))


def test_a_sequence_that_does_not_fit_is_refused():
    with pytest.raises(PromptTooLong, match="a text has 9 tokens, but the context holds 8"):
        Scorer(ToyModel(3, n_cells=8), [sequence(*[1] * 10)])


def test_it_stops_between_two_batches():
    found, asked = [], iter([False, True])
    sequences = [sequence(1, 2, 0), sequence(2, 1, 1, 1, 1, 0)]
    scorer = Scorer(ToyModel(3, n_batch=4), sequences, lambda: next(asked))
    with pytest.raises(Stopped):
        found.extend(scorer)
    assert [i for i, _ in found] == [0]
