"""Scores of texts after prompts: equal to llama-cpp-python's own evaluation, token by token."""

import numpy as np
import pytest
from reference_llama import ReferenceLlama

import localsmc
import localsmc_models
from localsmc.errors import ConfigError, PromptTooLong

PAIRS = [
    ("17 * 23 =", " 391"),
    ("What is 17 * 23?\n", "17 * 23 = 391."),
    ("17 * 23 =", " 381, and more text after it"),
    ("", "Tom has 5 apples."),
    ("What is 17 * 23?\n", "17"),
]
APART = 0.02
"""How far log p of a token may be apart: in another batch, activations are quantised and added otherwise."""


@pytest.fixture(scope="module")
def reference():
    found = ReferenceLlama(localsmc_models.path("tiny"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def start(embedded):
    """What stands before a text without a prompt."""
    return [embedded.llama.prefix_token]


def check(reference, found, head):
    tokens = [token.token for token in found.tokens]
    expected = reference.logps(head, tokens)
    np.testing.assert_allclose([token.logp for token in found.tokens], expected, atol=APART)
    assert found.logp == pytest.approx(sum(token.logp for token in found.tokens))
    assert found.n_tokens == len(tokens)


def test_a_text_alone_is_scored_exactly(embedded, reference):
    for prompt, text in PAIRS[:3]:
        (found,) = localsmc.score(embedded, [(prompt, text)])
        head = reference.tokenize(prompt.rstrip())
        expected = reference.logps_of_one_batch(head, [token.token for token in found.tokens])
        np.testing.assert_allclose([token.logp for token in found.tokens], expected, rtol=0, atol=1e-12)


def test_scores_are_those_of_llama_cpp_python(embedded, reference, start):
    found = localsmc.score(embedded, PAIRS)
    assert [(one.prompt, one.text) for one in found] == PAIRS
    for one in found:
        head = one.prompt.rstrip()
        assert "".join(token.piece for token in one.tokens) == one.prompt[len(head) :] + one.text
        check(reference, one, reference.tokenize(head) or start)


def test_the_most_probable_tokens_are_a_greedy_text(embedded, reference):
    prompt = "12 + 30 ="
    tokens, leads = reference.greedy(reference.tokenize(prompt), 8)
    assert min(leads) > APART
    text = embedded.llama.text(np.array(tokens)).decode()
    greedy, other = localsmc.score(embedded, [(prompt, text), (prompt, " Zebra" + text)])
    assert greedy.is_greedy
    assert all(token.top == token.token and token.top_logp == token.logp for token in greedy.tokens)
    assert not other.is_greedy
    assert other.tokens[0].top == tokens[0]
    assert other.tokens[0].top_logp == greedy.tokens[0].logp


def test_a_reply_in_the_chat_template(embedded, reference):
    (found,) = localsmc.score(embedded, [("What is 17 * 23?", "391")], chat=True, end=True)
    check(reference, found, reference.chat_prompt("What is 17 * 23?"))
    assert reference.is_end(found.tokens[-1].token)
    assert found.tokens[-1].piece


def test_one_by_one_and_together_are_the_same(embedded):
    together = localsmc.score(embedded, PAIRS)
    for pair, expected in zip(PAIRS, together, strict=True):
        (alone,) = localsmc.score(embedded, [pair])
        assert alone.logp == pytest.approx(expected.logp, abs=APART * alone.n_tokens)
    assert [one.to_json() for one in localsmc.score(embedded, PAIRS)] == [one.to_json() for one in together]


def test_blanks_that_end_a_prompt_belong_to_the_text(embedded):
    one, other = localsmc.score(embedded, [("17 * 23 = ", "391"), ("17 * 23 =", " 391")])
    assert one.tokens == other.tokens


def test_no_text_costs_nothing(embedded):
    assert localsmc.score(embedded, []) == []


@pytest.mark.parametrize(
    ("pair", "how", "message"),
    [
        (("1 + 1 =  ", ""), {}, "text 1 is empty"),
        (("", "2"), {"chat": True}, "text 1 has an empty prompt"),
        (("1", "2"), {"chat": True, "special": True}, "`special` has no effect with `chat`"),
        (("1", "2"), {"settings": localsmc.Settings(system="Be brief.")}, "`system` works with `chat` only"),
        (("1", "2"), {"chat": True, "settings": localsmc.Settings(raw=True)}, "exclude each other"),
    ],
)
def test_what_has_no_meaning_is_refused(embedded, pair, how, message):
    with pytest.raises(ConfigError, match=message):
        localsmc.score(embedded, [pair], **how)


def test_a_text_that_does_not_fit_is_named(embedded):
    with pytest.raises(PromptTooLong, match="text 2 has 72 tokens with its prompt, but the context holds 65"):
        localsmc.score(embedded, [("1", "2"), ("1", "2" + "\n1" * 35)], settings=localsmc.Settings(n_ctx=64))


@pytest.mark.parametrize("kind", ["random_mamba", "random_hybrid", "random_window"])
def test_any_kind_of_memory(kind, request):
    path = request.getfixturevalue(kind)
    pairs = [("abc", "def" * n + end) for n in (1, 12, 3) for end in ("x", "y")] * 3
    reference = ReferenceLlama(path)
    with localsmc.load(path) as model:
        for one in localsmc.score(model, pairs):
            check(reference, one, reference.tokenize(one.prompt))
    reference.close()
