"""Texts and log-probabilities for lm-eval: those of `score` and `solve`."""

import pytest

import localsmc
from localsmc.errors import PromptTooLong
from localsmc.harness.model_arguments import ModelArguments
from localsmc.harness.text_model import TextModel

PROMPT, TEXTS = "17 * 23 =", (" 391", " 381")


@pytest.fixture(scope="module")
def texts():
    found = TextModel(ModelArguments.of({"threads": 1}))
    yield found
    found.model.close()


@pytest.fixture(scope="module")
def short():
    """The same model with a context of 64 tokens."""
    found = TextModel(ModelArguments.of({"threads": 1, "ctx_size": 64}))
    yield found
    found.model.close()


def settings(**given):
    return localsmc.Settings(n_threads=1, **given)


def test_log_likelihoods_are_scores(texts):
    pairs = [(PROMPT, text) for text in TEXTS]
    expected = localsmc.score(texts.model, pairs, settings=settings())
    found = dict(texts.log_likelihoods(pairs))
    assert [found[i] for i in range(2)] == [(one.logp, one.is_greedy) for one in expected]


def test_a_rolling_text_follows_the_token_that_begins_texts(texts):
    (expected,) = localsmc.score(texts.model, [("", "Tom has 5 apples.")], settings=settings())
    found = dict(texts.rolling_log_likelihoods(["Tom has 5 apples.", ""]))
    assert found == {0: pytest.approx(expected.logp), 1: 0.0}


def test_windows_score_each_token_once_after_as_many_as_fit(short):
    text = "Tom has 5 apples and buys 3 more. " * 20
    windows = list(short._windows(text))
    whole = [token for one in windows for token in one.tokens[one.first :]]
    prefix = short.model.llama.prefix_token
    expected = [prefix, *short.model.llama.tokenize(text, special=False)]
    assert [prefix, *whole] == expected
    assert windows[0].first == 1
    assert {one.n_decoded for one in windows} == {64}
    # Those of lm-eval: the last window is as long as the others, and scores only what is left.
    assert windows[-1].n_scored == (len(expected) - 1) % 64 or 64
    assert dict(short.rolling_log_likelihoods([text]))[0] < 0


def test_long_contexts_are_cut_at_their_left(short):
    before = short.n_cut
    head = "Tom has 5 apples and buys 3 more. " * 20
    found = dict(short.log_likelihoods([(head + PROMPT, " 391")]))
    assert found[0].logp < 0
    assert short.generate(head + PROMPT, {"max_gen_toks": 4})
    assert short.n_cut == before + 2
    with pytest.raises(PromptTooLong):
        list(short.log_likelihoods([(PROMPT, head)]))


def test_generation_is_that_of_solve_up_to_a_stop_string(texts):
    expected = localsmc.solve(
        texts.model,
        "17 * 23 =",
        method=localsmc.Greedy(),
        settings=settings(raw=True, n_predict=24),
    ).text
    assert texts.generate("17 * 23 =", {"max_gen_toks": 24}) == expected
    cut = expected[len(expected) // 2]
    assert texts.generate("17 * 23 =", {"max_gen_toks": 24, "until": [cut]}) == expected.split(cut)[0]


def test_the_same_request_has_the_same_text_and_a_repeat_another_seed(texts):
    given = {"do_sample": True, "temperature": 4.0, "max_gen_toks": 12}
    one, again, other = (texts.generate("Tom has", given, repeat) for repeat in (0, 0, 1))
    assert one == again
    assert one != other


def test_a_method_of_the_model_goes_before_what_a_task_asks():
    texts = TextModel(ModelArguments.of({"threads": 1, "method": "best-of-n:N=3", "seed": 1}))
    with texts.model:
        asked = texts.generate("17 * 23 =", {"max_gen_toks": 8, "do_sample": True, "temperature": 0.5})
        assert asked == texts.generate("17 * 23 =", {"max_gen_toks": 8})


def test_a_chat_ends_where_the_reply_begins_or_goes_on(texts):
    said = [{"role": "user", "content": "What is 2 + 3?"}]
    plain = texts.render(said)
    assert plain == texts.template.render(said)
    begun = texts.render([*said, {"role": "assistant", "content": "The answer is"}], continues=True)
    assert begun == plain + "The answer is"
