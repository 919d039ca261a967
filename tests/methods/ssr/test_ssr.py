"""SSR on toy models that speak in characters, and on the embedded pair."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from localsmc.engine import prompting
from localsmc.engine.prompting import ModelPrompts
from localsmc.engine.settings import Settings
from localsmc.engine.solve import Generation
from localsmc.errors import ConfigError, ContextError, ContextFull, PromptTooLong
from localsmc.llama import ContextOptions, open_context
from localsmc.lm.interface import common_prefix
from localsmc.lm.toy import ToyModel
from localsmc.methods import SSR, DraftModel, Request, Sample
from localsmc.methods.ssr.multiple_choice import multiple_choice
from localsmc.methods.ssr.shared_prefix import SharedPrefixPrompts
from localsmc.methods.ssr.strategy_pool import load_pool, shipped
from localsmc.numerics.categorical import RandomSampler
from localsmc.text.stop_rule import StopRule
from localsmc_models.corpus.ratings import RATING_REQUEST, SCORE
from localsmc_models.corpus.strategies import STRATEGIES, choice_reply, choice_request, under

LETTERS = " \n0123456789ABCabcdef:?|"
OTHER_LETTERS = "fedcba CBA|?:9876543210\n"
PROBLEM = "2 2"
POOL = {
    "separator": "\n",
    "task": "{problem} {name}",
    "listing": "{code}:{name}{hint}",
    "choice": "{strategies}\n{problem} {n}",
    "choice_reply": "B:",
    "rating": "9?",
    "rating_reply": "0:",
    "strategies": [
        {"code": "A", "name": "a"},
        {"code": "B", "name": "bb", "hint": "?"},
        {"code": "C", "name": "c"},
    ],
}
RATING = "|9?0:"


class Words:
    """A wording for models whose tokens are letters; token 0 is the end."""

    def __init__(self, letters=LETTERS, problem=PROBLEM):
        self.letters, self.problem = letters, problem

    def prompt(self, problem):
        return self.tokens(f"|{problem}:")

    def request(self, text):
        return self.tokens(f"?{text}:")

    def follow_up(self, request, reply):
        return self.tokens(f"|{request}{reply}")

    def tokens(self, text):
        return np.array([1 + self.letters.index(letter) for letter in text], dtype=np.int32)

    def text(self, tokens):
        return "".join(self.letters[token - 1] for token in tokens if token)


class Speaker(ToyModel):
    """A toy that speaks in letters. `says` gives what comes next in some histories, "" for the end."""

    def __init__(self, letters=LETTERS, says=None, **options):
        super().__init__(1 + len(letters), **{"n_cells": 4096, "seed": 5, **options})
        self.pieces = [b"", *(letter.encode() for letter in letters)]
        self.words, self._says = Words(letters), says

    def logits(self, history):
        said = None if self._says is None else self._says(self.words.text(history))
        if said is None:
            return super().logits(history)
        found = np.full(self.n_vocab, -np.inf)
        found[self.words.tokens(said)[0] if said else 0] = 0.0
        return found


def asked(model, seed=1, n_tokens=24, draft=None, strings=(), answer=None, **drafting):
    own = {} if answer is None else {"answer": lambda tokens: answer(model.words.text(tokens))}
    return Request(
        model=model,
        prompt=model.words.prompt(PROBLEM),
        n_tokens=n_tokens,
        stop=StopRule(model.pieces, strings),
        draw=RandomSampler(np.random.default_rng(seed)),
        prompts=model.words,
        draft=draft
        and DraftModel(model=draft, prompt=draft.words.prompt(PROBLEM), prompts=draft.words, **drafting),
        **own,
    )


def finished(method, request):
    run = method.start(request)
    for _ in run:
        pass
    return run


@pytest.fixture
def pool(tmp_path):
    file = tmp_path / "pool.json"
    file.write_text(json.dumps(POOL))
    return str(file)


def texts(run):
    """Of each track, in the target's letters."""
    return [run._request.model.words.text(track.tokens) for track in run.tracks]


def ratings(rate):
    """What a target says where it is asked to rate: `rate` of the text so far."""
    return lambda text: str(rate(text[: -len(RATING)])) if text.endswith(RATING) else None


# --- the limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.0, -3.0, 10.0, 9.5])
@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 1.0, "top_p": 1.0}, {"step_tokens": 3}, {"strings": ("a", "b:")}, {"n_tokens": 2}],
    ids=str,
)
def test_at_its_limits_one_model_writes_what_it_samples_alone(threshold, options, pool):
    """Row 17: the same text from the same random numbers."""
    options = dict(options)
    strings, n_tokens = options.pop("strings", ()), options.pop("n_tokens", 24)
    step_tokens = options.pop("step_tokens", 512)
    n_ended = 0
    for seed in range(6):
        target, draft = Speaker(seed=seed), Speaker(seed=50 + seed, eog=(0, 4))
        own = {"pool": "none", "words": pool, "particles": 1, "step_tokens": step_tokens, **options}
        run = finished(
            SSR(threshold=threshold, **own), asked(target, seed, n_tokens, draft=draft, strings=strings)
        )
        alone = target if threshold > 9 else draft
        sample = Sample(**{"temperature": 0.6, "top_p": 0.95, **options})
        [found], [wanted] = (
            one.endings() for one in (run, finished(sample, asked(alone, seed, n_tokens, strings=strings)))
        )
        assert found.tokens.tolist() == wanted.tokens.tolist()
        assert found.finish_reason == wanted.finish_reason
        assert found.score is None
        n_ended += found.finish_reason == "stop"
        n_tokens_found = len(found.tokens)
        assert run.n_rated == run.n_wasted == 0
        assert run.n_rewritten == (n_tokens_found if threshold > 9 else 0)
        assert run.n_kept == run.n_drafted == (0 if threshold > 9 else n_tokens_found)
    assert n_ended or n_tokens == 2


def test_what_is_longer_in_the_targets_tokens_is_cut_there_and_not_ended(pool):
    class Doubling(Words):
        def tokens(self, text):
            return np.repeat(super().tokens(text), 2)

    draft, target = Speaker(OTHER_LETTERS, says=lambda text: _line(text, "a\n", "abc")), Speaker()
    target.words = Doubling()
    method = SSR(threshold=0, pool="none", words=pool, particles=1)
    run = finished(method, asked(target, n_tokens=7, draft=draft, shares_tokens=False))
    assert texts(run) == ["aa\n\naab"[:7]]
    assert run.endings()[0].finish_reason == "length"


def test_a_limit_holds_through_another_vocabulary(pool):
    draft = Speaker(OTHER_LETTERS, seed=3)
    method = SSR(threshold=0, pool="none", words=pool, particles=1)
    run = finished(method, asked(Speaker(), 2, draft=draft, shares_tokens=False))
    [wanted] = finished(Sample(temperature=0.6, top_p=0.95), asked(draft, 2)).endings()
    assert texts(run) == [draft.words.text(wanted.tokens)]


# --- steps ----------------------------------------------------------------------------------------


def test_a_refused_step_is_replaced_by_the_targets_own(pool):
    """The draft writes a-lines and then ends; the target wants the second line to be a b-line."""
    draft = Speaker(says=lambda text: _line(text, "aa\n", "ab\n", "ac\n", "ad"))
    rate = ratings(lambda text: 2 if text.endswith("ab") else 8)
    write = {"aa\n": "b", "aa\nb": "f", "aa\nbf": "\n"}
    target = Speaker(says=lambda text: rate(text) or write.get(text.rpartition(":")[2]))
    run = SSR(pool="none", words=pool, particles=1).start(asked(target, draft=draft))
    read = [draft.history(run.tracks[0].draft.slot) for _ in run if run.tracks[0].finish == 0]
    assert texts(run) == ["aa\nbf\nac\nad"]
    [ending] = run.endings()
    assert (ending.finish_reason, ending.score) == ("stop", 8.0)
    assert (run.n_drafted, run.n_kept, run.n_rewritten) == (12, 9, 3)
    # What the draft goes on from is what was kept, with the rewritten step and without the refused one.
    assert draft.words.text(read[-1]).startswith("|2 2:aa\nbf\nac")
    assert not any("ab" in draft.words.text(history) for history in read)


def _line(text, *lines):
    """The next letter of the line that comes after those that are there, "" after the last one."""
    reply = text.rpartition(":")[2]
    line, written = [*lines, *[""] * 9][reply.count("\n")], reply.rpartition("\n")[2]
    return line[len(written)] if len(written) < len(line) else ""


def scripted(draft_lines, rate, **options):
    """A draft that writes these lines, and a target that rates them and writes `f` lines."""
    draft = Speaker(says=lambda text: _line(text, *draft_lines))
    judged = ratings(rate)
    target = Speaker(says=lambda text: judged(text) or ("\n" if text.endswith("f") else "f"), **options)
    return target, draft


@pytest.mark.parametrize(
    ("options", "score", "text"),
    [
        ({}, (9 + 7) / 2, "a\nf\nc"),
        ({"rating": "digit"}, (9 + 7) / 2, "a\nf\nc"),
        ({"rewrite_score": 9}, (9 + 9 + 7) / 3, "a\nf\nc"),
        ({"rewrite_score": 0}, (9 + 0 + 7) / 3, "a\nf\nc"),
        ({"threshold": 7.5}, 9.0, "a\nf\nf\n"),
        ({"threshold": 3}, (9 + 3 + 7) / 3, "a\nb\nc"),
        ({"sure": 1.0}, (9 + 7) / 2, "a\nf\nc"),
        ({"sure": 0.0}, (9 + 3 + 7) / 3, "a\nb\nc"),
    ],
    ids=str,
)
def test_a_tracks_score_is_the_mean_over_its_rated_steps(options, score, text, pool):
    marks = {"a": 9, "b": 3, "c": 7}
    target, draft = scripted(["a\n", "b\n", "c"], lambda text: marks[text[-1]])
    run = finished(
        SSR(pool="none", words=pool, particles=1, **options), asked(target, n_tokens=6, draft=draft)
    )
    assert texts(run)[0][: len(text)] == text
    assert run.endings()[0].score == pytest.approx(score)


def test_a_rating_by_its_digit_may_part_from_one_by_its_probability(pool):
    """The likeliest digit is 6, and 7 or more have the larger part together."""
    share = dict(zip("6789", (0.4, 0.25, 0.2, 0.15), strict=True))

    class Torn(Speaker):
        def logits(self, history):
            if not self.words.text(history).endswith(RATING):
                return super().logits(history)
            found = np.full(self.n_vocab, -30.0)
            found[[int(self.words.tokens(digit)[0]) for digit in share]] = np.log(list(share.values()))
            return found

    draft = Speaker(says=lambda text: _line(text, "a\n", "b"))
    for options, text, score in (
        ({}, "a\nb", 6 * 0.4 + 7 * 0.25 + 8 * 0.2 + 9 * 0.15),
        ({"sure": 0.7}, "f", None),
        ({"rating": "digit"}, "f", None),
        ({"rating": "digit", "threshold": 6}, "a\nb", 6.0),
    ):
        target = Torn(says=lambda text: "f" if text.endswith(("f", ":")) else None)
        method = SSR(pool="none", words=pool, particles=1, **options)
        run = finished(method, asked(target, n_tokens=6, draft=draft))
        assert texts(run)[0].startswith(text)
        assert run.endings()[0].score == (None if score is None else pytest.approx(score, abs=1e-6))


def test_blanks_before_the_first_word_end_no_step_and_none_is_read_before_a_rating(pool):
    asked_for = []

    def rate(text):
        asked_for.append(text.rpartition(":")[2])
        return 9

    target, draft = scripted([], rate)
    draft._says = lambda text: "\n\na\n\nb"[len(text) - 5 :][:1]
    run = finished(SSR(pool="none", words=pool, particles=1), asked(target, draft=draft))
    assert texts(run) == ["\n\na\n\nb"]
    assert asked_for == ["\n\na", "\n\na\n\nb"]


def test_a_step_that_repeats_the_one_before_it_ends_a_track(pool):
    target, draft = scripted(["a\n"] * 20, lambda _: 9)
    run = finished(SSR(pool="none", words=pool, particles=1), asked(target, draft=draft))
    assert texts(run) == ["a\n" * 3]
    assert run.endings()[0].finish_reason == "length"


def test_a_stop_string_ends_a_track_in_a_step_of_either_model(pool):
    target, draft = scripted(["a\n", "bc\n", "e"], lambda text: 9 if text[-1] in "abc" else 0)
    method = SSR(pool="none", words=pool, particles=1)
    for string, text in (("bc", "a\nbc"), ("\nb", "a\nb"), ("\nf", "a\nbc\nf"), ("zz", "a\nbc\nf\nf\n")):
        run = finished(method, asked(target, n_tokens=9, draft=draft, strings=(string,)))
        assert texts(run)[0] == text
        assert run.endings()[0].finish_reason == ("length" if string == "zz" else "stop")


# --- tracks and their memory ----------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_each_track_has_a_strategy_of_its_own_in_both_models(n, tmp_path):
    words = {**POOL, "choice_reply": "f"}
    file = tmp_path / "pool.json"
    file.write_text(json.dumps(words))
    order = "CAB"

    def says(text):
        _, sign, reply = text.rpartition(":f")
        left = [code for code in order if code not in reply]
        return left[0] if sign and reply.endswith(" ") and left else None

    letters = LETTERS + ","
    target, draft = Speaker(letters, says=says), Speaker(letters, seed=9)
    run = SSR(pool=str(file), particles=n, threshold=5).start(asked(target, draft=draft))
    names = [{"A": "a", "B": "bb", "C": "c"}[order[i % 3]] for i in range(n)]
    prompts = [f"|2 2 {name}:" for name in names]
    shared = len("|2 2 c:" if n == 1 else "|2 2 ")
    for _ in itertools.islice(run, 12):
        for track, prompt in zip(run.tracks, prompts, strict=True):
            for model, stand in ((target, track.target), (draft, track.draft)):
                if track.finish == 0:
                    history = model.words.text(model.history(stand.slot))
                    whole = prompt[:shared] + model.words.text(stand.tokens)
                    assert whole.startswith(prompt)
                    assert whole.startswith(history)


def test_nothing_is_chosen_by_chance_and_the_choice_is_paid_for(pool):
    letters = LETTERS + ","
    runs = [
        SSR(pool=pool, particles=3).start(asked(Speaker(letters, seed=4), seed, draft=Speaker(letters)))
        for seed in (1, 2)
    ]
    assert len({tuple(tuple(track.target.tokens) for track in run.tracks) for run in runs}) == 1
    head = len("?A:a\nB:bb?\nC:c\n2 2 3:") + len("B: A,")
    assert head < runs[0].sequences.prompt_rows < head + 12


@pytest.mark.parametrize("shares_tokens", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_no_token_is_read_twice_and_none_that_was_refused_is_kept(seed, shares_tokens, pool):
    """What the target has decoded is what its slots hold, and what is counted as wasted."""
    letters = LETTERS + ","
    rate = ratings(lambda text: 9 if len(text) % 3 else 0)
    target = Speaker(letters, says=rate, seed=seed, eog=(), scale=2.0)
    draft = Speaker(letters if shares_tokens else letters[::-1], seed=seed + 7, eog=(), scale=2.0)
    method = SSR(pool=pool, particles=3, step_tokens=4)
    run = method.start(asked(target, seed, draft=draft, shares_tokens=shares_tokens))
    n_refused = 0
    for _ in run:
        if any(track.finish for track in run.tracks):
            break
        held = [run._judge.n_held(track.target) for track in run.tracks]
        assert run.sequences.rows - run.n_wasted == sum(held)
        for track in run.tracks:
            for hand, model, stand in (
                (run._judge, target, track.target),
                (run._writer, draft, track.draft),
            ):
                read = [int(token) for token in model.history(stand.slot)][-hand.n_held(stand) or 10**6 :]
                assert read == stand.tokens[: hand.n_held(stand)]
                if not hand.pending(stand) and stand.logits is not None:
                    np.testing.assert_array_equal(stand.logits, model.logits(model.history(stand.slot)))
            text = target.words.text(track.tokens)
            assert draft.words.text(track.draft.tokens).endswith(text)
        n_refused = run.n_rewritten
    assert n_refused
    assert run.n_kept
    # The draft reads no more than what it writes, its prompts and the rewritten steps.
    assert run.drafts.rows <= run.n_drafted + run.n_rewritten + sum(
        len(one.target.tokens) for one in run.tracks
    )


@pytest.mark.parametrize("options", [{}, {"fast": 1}, {"threshold": 10}, {"threshold": 0}], ids=str)
def test_all_memory_is_given_back_at_the_end(options, pool):
    letters = LETTERS + ","
    target = Speaker(letters, says=ratings(lambda text: len(text) % 10))
    run = finished(
        SSR(pool=pool, **options),
        asked(target, draft=Speaker(letters, seed=2), answer=lambda text: text[:1] or None),
    )
    assert run.sequences.cells_used == target.n_used == len("|2 2 ")
    if run.drafts is not None:
        assert run.drafts.cells_used == run.drafts.model.n_used == len("|2 2 ")


def test_a_draft_that_cannot_forget_writes_the_same(pool):
    letters = LETTERS + ","
    found = []
    for can_forget in (True, False):
        target = Speaker(letters, says=ratings(lambda text: len(text) % 10))
        draft = Speaker(letters, seed=2, can_forget=can_forget)
        found.append(texts(finished(SSR(pool=pool), asked(target, draft=draft))))
    assert found[0] == found[1]


def test_a_run_can_be_asked_and_left_at_any_step(pool):
    letters = LETTERS + ","

    def begun():
        target = Speaker(letters, says=ratings(lambda text: len(text) % 10), eog=(0, 3))
        return SSR(pool=pool, step_tokens=5).start(asked(target, 3, draft=Speaker(letters, seed=2)))

    whole_run = begun()
    for _ in whole_run:
        pass
    final, run, told = texts(whole_run), begun(), []
    for step in run:
        endings = run.endings()
        assert sum(ending.weight for ending in endings) == pytest.approx(1.0)
        assert sum(ending.count for ending in endings) == step.histories == 3
        assert all(whole.startswith(text) for whole, text in zip(final, texts(run), strict=True))
        told += run.population()
    assert texts(run) == final
    nodes = [history.node for history in told]
    assert set(nodes) == set(range(1, 1 + sum(len(track.tokens) for track in run.tracks)))
    assert {history.state for history in told} <= {"live", "stop", "length"}
    assert run.is_done
    assert not run.is_decided


def answering(pool, fast, n=3):
    """Tracks that say x after 1, 2 and 3 lines, where x is by track."""
    letters = LETTERS + ","
    lines = {"a": ["e"], "bb": ["d\n", "f"], "c": ["d\n", "b\n", "f"]}

    def write(text):
        name = text[5:].partition(":")[0]
        return _line(text, *lines.get(name, "e"))

    judged = ratings(lambda _: 9)
    target, draft = Speaker(letters, says=judged), Speaker(letters, says=write)
    return finished(
        SSR(pool=pool, particles=n, fast=fast),
        asked(target, draft=draft, answer=lambda text: text[-1] if text[-1] in "ef" else None),
    )


@pytest.mark.parametrize(
    ("fast", "n", "reasons", "is_decided"),
    [
        (0, 3, ["stop", "stop", "stop"], False),
        (1, 3, ["cancelled", "cancelled", "stop"], True),
        (2, 3, ["stop", "stop", "stop"], False),
        (2, 6, ["cancelled"] * 4 + ["stop"] * 2, True),
    ],
)
def test_fast_modes_stop_where_enough_is_known(fast, n, reasons, is_decided, pool):
    run = answering(pool, fast, n)
    assert run.is_decided is is_decided
    found = [ending.finish_reason for ending in run.endings() for _ in range(ending.count)]
    assert sorted(found) == reasons
    assert run.is_done


def test_of_equal_texts_a_finished_one_stands_for_all(pool):
    run = answering(pool, 0, 2)
    live, done = run.tracks
    live.tokens, live.finish = [*done.tokens], 0
    [ending] = run.endings()
    assert (ending.count, ending.finish_reason) == (2, "stop")


def test_the_prompts_share_their_beginning():
    prompts = SharedPrefixPrompts.of([Words().tokens(text) for text in ("abcd", "abc", "abde")])
    assert Words().text(prompts.prefix) == "ab"
    assert [Words().text(rest) for rest in prompts.suffixes] == ["cd", "c", "de"]
    with pytest.raises(ConfigError, match="no common prefix"):
        SharedPrefixPrompts.of([Words().tokens(text) for text in ("ab", "ba")])


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"particles": 0}, "`particles` is 0"),
        ({"particles": 128}, "`particles` is 128"),
        ({"threshold": 65.0}, "`threshold` is 65"),
        ({"rating": "vibes"}, "`rating` is `vibes`"),
        ({"sure": 1.1}, "`sure` is 1.1"),
        ({"sure": 0.3, "rating": "digit"}, "`sure` has no effect with `rating=digit`"),
        ({"temperature": 0.0}, "`temperature` is 0"),
        ({"top_p": 2.0}, "`top_p` is 2"),
        ({"step_tokens": 0}, "`step_tokens` is 0"),
        ({"rewrite_score": -0.5}, "`rewrite_score` is -0.5"),
        ({"rewrite_score": 10.0}, "`rewrite_score` is 10"),
        ({"fast": 3}, "`fast` is 3"),
        ({"pool": "/no/such.json"}, "`/no/such.json` cannot be read: No such file"),
        ({"words": "generel"}, "`generel` cannot be read"),
    ],
)
def test_a_value_out_of_range_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        SSR(**options)


def test_a_target_that_cannot_forget_is_refused(pool):
    with pytest.raises(ConfigError, match="the target is recurrent"):
        SSR(pool=pool).start(asked(Speaker(can_forget=False), draft=Speaker()))


def test_without_a_draft_it_is_refused(pool):
    with pytest.raises(ConfigError, match="needs a draft model"):
        SSR(pool=pool).start(asked(Speaker()))


def test_without_words_it_is_refused(pool):
    request = replace(asked(Speaker(), draft=Speaker()), prompts=None)
    with pytest.raises(ConfigError, match="the request has no `prompts`"):
        SSR(pool=pool).start(request)


@pytest.mark.parametrize(
    ("which", "sizes", "error", "message"),
    [
        ("target", {"n_cells": 36}, PromptTooLong, "a track of the target needs 37 tokens"),
        ("draft", {"n_cells": 31}, PromptTooLong, "a track of the draft needs 32 tokens"),
        ("target", {"n_cells": 70}, ContextFull, "the tracks of the target need 99 KV cells"),
        ("draft", {"n_cells": 70}, ContextFull, "the tracks of the draft need 84 KV cells"),
        ("target", {"n_seq_max": 3}, ContextFull, "need 4 sequences, but there are 3"),
        ("draft", {"n_seq_max": 6}, ContextFull, "need 7 sequences, but there are 6"),
    ],
)
def test_too_little_memory_is_said_at_the_start(which, sizes, error, message, pool):
    letters = LETTERS + ","
    models = {"target": Speaker(letters), "draft": Speaker(letters)}
    models[which] = Speaker(letters, **sizes)
    with pytest.raises(error, match=message):
        SSR(pool=pool).start(asked(models["target"], draft=models["draft"]))


def test_it_asks_for_room_for_what_it_says_itself(embedded, pool):
    """Sequences of both models, tracks, all of which must fit, and tokens beside each text."""
    assert SSR(pool=pool, particles=4).kv_demand[:3] == (9, 4, 4)
    alone, many = (SSR(pool="tiny", particles=n).kv_demand.beside for n in (1, 8))
    # One track's memory has to hold the whole list of strategies.
    assert alone > 120 > many > 30
    settings = Settings(n_predict=-1, seed=1, n_threads=1)
    with Generation(embedded, QUESTION, embedded.method("ssr", particles=1), settings) as run:
        assert run.n_tokens == 1024 - len(run.prompt) - alone
        assert run.context.n_cells == 1024


def test_a_choice_that_does_not_fit_is_said_at_the_start(pool):
    letters = LETTERS + ","
    with pytest.raises(ContextFull, match="choosing strategies needs"):
        SSR(pool=pool).start(asked(Speaker(letters, n_cells=20), draft=Speaker(letters)))


@pytest.mark.parametrize("n_cells", range(20, 140, 7))
def test_a_run_that_starts_does_not_run_out_of_memory(n_cells, pool):
    letters = LETTERS + ","
    target = Speaker(letters, says=ratings(lambda text: len(text) % 10), n_cells=n_cells, eog=())
    draft = Speaker(letters, seed=3, n_cells=n_cells, eog=())
    try:
        run = SSR(pool=pool, step_tokens=6).start(asked(target, draft=draft))
    except ContextError:
        assert n_cells < 110
        return
    for _ in run:
        pass
    assert all(len(ending.tokens) <= 24 for ending in run.endings())


def test_digits_that_are_no_tokens_of_their_own_cannot_rate(pool):
    class Blind(Words):
        def tokens(self, text):
            return super().tokens(text.replace("5", "4 5"))

    target = Speaker(LETTERS + ",")
    target.words = Blind(LETTERS + ",")
    with pytest.raises(ConfigError, match="has no separate tokens for the digits"):
        SSR(pool=pool).start(asked(target, draft=Speaker(LETTERS + ",")))


def test_replies_part_where_their_tokens_do():
    words = Words()
    asked_for = multiple_choice([words.tokens(text) for text in ("a: A", "a: B", "a: BC")[:2]])
    assert words.text(asked_for.tokens) == "a: "
    assert asked_for.are_apart
    np.testing.assert_allclose(asked_for.shares(np.log(np.arange(1.0, 30.0))).sum(), 1.0)
    with pytest.raises(ConfigError, match="is a prefix of another"):
        multiple_choice([words.tokens(text) for text in ("a: B", "a: BC")])
    assert len(common_prefix([words.tokens("ab")])) == 2


# --- pools ----------------------------------------------------------------------------------------


def test_the_tiny_pool_says_what_the_embedded_models_were_trained_on():
    found = load_pool("tiny")
    question, names = "What is 17 * 23?", list(STRATEGIES)
    assert [one.name for one in found.strategies] == names
    assert found.choose(question, 2) == choice_request(question, names, 2)
    assert f"{found.choice_reply} A, C" == choice_reply(["A", "C"])
    for one in found.strategies:
        assert found.under(one, question) == under(one.name, question)
    assert (found.rating, found.rating_reply, found.separator) == (RATING_REQUEST, SCORE, "\n")


def test_the_general_pool_is_whole():
    found = load_pool("general")
    assert shipped() == ("general", "tiny")
    assert len(found.strategies) == len({one.name for one in found.strategies}) == 12
    assert all(one.hint.endswith(".") for one in found.strategies)
    text = found.under(found.strategies[0], "Let {x} and {hint} be sets.")
    assert text.startswith("Let {x} and {hint} be sets.\n\nApproach")
    assert found.strategies[0].hint in text
    assert "{" not in found.choose("", 3)


def broken(**changes):
    return {key: value for key, value in {**POOL, **changes}.items() if value is not None}


BROKEN = {
    "not JSON": ("{", "is not JSON in UTF-8"),
    "a list": (json.dumps([1]), "is not a JSON object"),
    "missing key": (json.dumps(broken(rating=None)), "has no text under `rating`"),
    "empty text": (json.dumps(broken(separator="")), "has no text under `separator`"),
    "number": (json.dumps(broken(task=3)), "has no text under `task`"),
    "no place": (json.dumps(broken(task="do it")), "has no `{problem}` in `task`"),
    "no strategies": (json.dumps(broken(strategies=[])), "has no strategies"),
    "text": (json.dumps(broken(strategies="ABC")), "has no strategies"),
    "no object": (json.dumps(broken(strategies=["A"])), "has a strategy that is not an object, number 1"),
    "no code": (json.dumps(broken(strategies=[{"name": "a"}])), "has a strategy without `code`, number 1"),
    "hint": (json.dumps(broken(strategies=[{"code": "A", "name": "a", "hint": 1}])), "`hint` is not text"),
    "twice": (json.dumps(broken(strategies=[{"code": "A", "name": "a"}] * 2)), "has the code `A` twice"),
    "unknown": (json.dumps(broken(tips="")), "has the unknown key `tips`"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_pool_is_one_sentence(name, tmp_path):
    text, message = BROKEN[name]
    (tmp_path / "pool.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        SSR(pool=str(tmp_path / "pool.json"))
    assert message in str(caught.value)
    assert "general.json" in caught.value.hint


# --- the embedded pair ----------------------------------------------------------------------------

QUESTION = "What is 17 * 23?"


def solving(embedded, **options):
    settings = Settings(seed=4, n_threads=1, n_predict=60)
    return Generation(embedded, QUESTION, embedded.method("ssr", **options), settings)


def test_the_embedded_pair_runs_to_an_end(embedded):
    found = []
    for _ in range(2):
        with solving(embedded, sure=0.6) as run:
            for _ in run:
                pass
            found.append(run.result())
    assert found[0].completions == found[1].completions
    result = found[0]
    assert embedded.method("ssr") == SSR(pool="tiny", words="tiny", sure=0.85)
    assert embedded.method("ssr", rating="digit") == SSR(pool="tiny", words="tiny", rating="digit")
    assert result.answer is not None
    assert result.confidence is None
    assert all(0 <= one.score <= 9 for one in result.completions if one.score is not None)
    draft = result.usage.draft
    assert draft.drafted >= draft.kept > 0
    assert draft.rated > 0


@pytest.mark.parametrize("kind", ["embedded"])
@pytest.mark.parametrize("threshold", [7.0, 8.6])
def test_every_track_stands_on_its_own_tokens(embedded, close_to, threshold):
    """The logits behind a track, in both models, are those of a fresh prefill."""
    draft = embedded.require_draft()
    fresh = [open_context(one.llama, ContextOptions(n_ctx=512, n_seq_max=1)) for one in (embedded, draft)]
    n_compared = 0
    with solving(embedded, threshold=threshold, particles=4, sure=0.7) as run:
        prefix = run.run._request.prompt  # the same tokens in both
        for _ in run:
            for track in run.run.live:
                stands, hands = (track.target, track.draft), (run.run._judge, run.run._writer)
                for stand, hand, model in zip(stands, hands, fresh, strict=True):
                    if stand.logits is None or hand.n_held(stand) != len(stand.tokens):
                        continue
                    tokens = np.concatenate((prefix, np.array(stand.tokens, dtype=np.int64)))
                    model.clear()
                    places = np.arange(len(tokens))
                    wanted = model.decode(tokens, places, np.zeros_like(places), outputs=places[-1:])[0]
                    close_to(stand.logits, wanted)
                    n_compared += 1
    assert run.run.n_rewritten
    assert n_compared > 20
    for model in fresh:
        model.close()


def test_what_the_pair_reads_is_what_it_was_trained_on(embedded):
    wording = ModelPrompts(embedded, QUESTION, Settings())
    words = load_pool("tiny")
    text = embedded.llama.tokenize
    rated = [wording.follow_up(words.rating, f"{words.rating_reply}{digit}") for digit in range(10)]
    assert multiple_choice(rated).are_apart
    from localsmc_models.corpus.trees import rating_request

    assert rated[7].tolist() == text(rating_request() + SCORE + "7", special=True).tolist()
    assert wording.request("x").tolist() == prompting.build_prompt(embedded, "x", Settings())[1].tolist()
