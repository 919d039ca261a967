"""Perplexity in windows: as llama-perplexity cuts a text, or each token once with a stride."""

import numpy as np
import pytest
from reference_llama import ReferenceLlama

import localsmc
import localsmc_models
from localsmc.errors import ConfigError
from localsmc.scoring import perplexity as module
from localsmc.scoring.perplexity import long_tokens, perplexities

TEXT = "\n".join(
    f"Tom has {n} apples and buys {n + 3} more. He has {2 * n + 3} apples." for n in range(2, 12)
)


@pytest.fixture(scope="module")
def reference():
    found = ReferenceLlama(localsmc_models.path("tiny"))
    yield found
    found.close()


def expected(reference, windows):
    logps = np.concatenate([reference.logps(tokens[:first], tokens[first:]) for tokens, first in windows])
    value = np.exp(-logps.mean())
    return value, value * np.sqrt((np.mean(logps**2) - logps.mean() ** 2) / (len(logps) - 1)), len(logps)


def test_the_second_half_of_each_chunk_is_scored(embedded, reference):
    tokens = reference.tokenize(TEXT)
    size = 64
    assert len(tokens) > 3 * size
    assert len(tokens) % size
    chunks = [(tokens[at : at + size], size // 2 + 1) for at in range(0, len(tokens) - size + 1, size)]
    found = localsmc.perplexity(embedded, TEXT, window=size)
    value, error, n = expected(reference, chunks)
    assert (found.n_scored, found.n_tokens, found.n_windows, found.stride) == (
        n,
        len(tokens),
        len(chunks),
        None,
    )
    assert found.perplexity == pytest.approx(value, rel=1e-3)
    assert found.error == pytest.approx(error, rel=1e-2)
    assert found.logp == pytest.approx(-n * np.log(found.perplexity))


@pytest.mark.parametrize("stride", [1, 20, 64])
def test_with_a_stride_each_token_is_scored_once(embedded, reference, stride):
    text = TEXT[:250]
    tokens, size = reference.tokenize(text), 64
    windows, done = [], 1
    for at in range(0, len(tokens), stride):
        end = min(at + size, len(tokens))
        if end > max(done, at + 1):
            windows.append((tokens[at:end], max(1, done - at)))
            done = end
    found = localsmc.perplexity(embedded, text, window=size, stride=stride)
    value, _, n = expected(reference, windows)
    # Where windows do not overlap, nothing predicts the first token of each.
    assert found.n_scored == n == len(tokens) - (-(-len(tokens) // size) if stride == size else 1)
    assert found.perplexity == pytest.approx(value, rel=1e-3)


def test_a_text_shorter_than_a_window_is_scored_whole(embedded, reference):
    text = "Tom has 5 apples."
    tokens = reference.tokenize(text)
    found = localsmc.perplexity(embedded, text)
    assert (found.n_windows, found.n_scored, found.n_tokens) == (1, len(tokens) - 1, len(tokens))
    assert found.logp == pytest.approx(reference.logps_of_one_batch(tokens[:1], tokens[1:]).sum(), abs=1e-9)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_a_last_window_of_one_token_is_left_out(embedded, size):
    text = next(TEXT[:n] for n in range(20, 250) if len(long_tokens(embedded, TEXT[:n])) % size == 1)
    n_tokens = len(long_tokens(embedded, text))
    found = localsmc.perplexity(embedded, text, window=size, stride=size)
    n_windows = n_tokens // size
    assert (found.n_windows, found.n_all, found.n_scored) == (n_windows, n_windows, n_windows * (size - 1))


@pytest.mark.parametrize("stride", [None, 4, 8])
def test_each_window_begins_with_the_token_that_begins_texts(embedded, monkeypatch, stride):
    tokens, begin, seen = long_tokens(embedded, TEXT), 5, []

    def with_bos(_, given):
        return np.concatenate((np.array([begin], dtype=np.int32), given))

    def scored(_, sequences, *rest):
        seen.extend(sequences)
        return iter(())

    monkeypatch.setattr(type(embedded.llama), "with_bos", with_bos)
    monkeypatch.setattr(module, "scored", scored)
    list(perplexities(embedded, TEXT, window=8, stride=stride))
    assert len(seen) > 3
    whole = [begin, *tokens]
    for i, one in enumerate(seen):
        at = i * (stride or 8)
        assert one.tokens.tolist() == [begin, *whole[at + 1 : at + 8]]


def test_a_text_of_two_tokens_has_no_error(embedded):
    found = localsmc.perplexity(embedded, "ab")
    assert found.n_scored == 1
    assert found.error is None


def test_pieces_of_a_long_text_have_its_tokens(embedded, monkeypatch):
    whole = long_tokens(embedded, TEXT)
    monkeypatch.setattr(module, "PIECE", 100)
    np.testing.assert_array_equal(long_tokens(embedded, TEXT), whole)


def test_it_stops_with_what_is_done(embedded, monkeypatch):
    asked = iter([False, True])
    settings = localsmc.Settings(n_batch=128)
    found = list(perplexities(embedded, TEXT, window=64, settings=settings, should_stop=lambda: next(asked)))
    assert 0 < found[-1].n_windows < found[-1].n_all


@pytest.mark.parametrize(
    ("text", "sizes", "message"),
    [
        ("", {}, "fewer than two tokens"),
        (TEXT, {"window": 1}, "the window has 1 tokens"),
        (TEXT, {"window": 1 << 20}, "the window has 1048576 tokens"),
        (TEXT, {"window": 64, "stride": 65}, "the stride is 65"),
        (TEXT, {"window": 64, "settings": localsmc.Settings(n_ctx=32)}, "but the context 32"),
    ],
)
def test_what_does_not_fit_is_refused(embedded, text, sizes, message):
    with pytest.raises(ConfigError, match=message):
        localsmc.perplexity(embedded, text, **sizes)
