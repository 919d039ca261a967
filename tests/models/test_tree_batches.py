"""Training trees and their rows: each token attends only to its own conversation."""

import collections
import hashlib
import itertools
import random
import re
from dataclasses import replace

import jinja2
import numpy as np
import pytest

from localsmc_models.corpus import FAMILIES, STYLES, TRAINED_LEVELS, Problem, beyond, problems, solution
from localsmc_models.corpus import trees as corpus_trees
from localsmc_models.corpus.followups import followup
from localsmc_models.corpus.ratings import RATING_REQUEST
from localsmc_models.corpus.refusals import REFUSALS
from localsmc_models.corpus.strategies import STRATEGIES
from localsmc_models.corpus.template import CHAT_TEMPLATE, TURN_END, TURN_START, prompt_text
from localsmc_models.corpus.trees import (
    CHOICES,
    KINDS,
    SYSTEMS,
    Mixture,
    Tree,
    rating_request,
    segments_of,
    trees,
)
from localsmc_models.training.recipe import load_recipe
from localsmc_models.training.tree_batches import groups, padded, row

MIXTURE = Mixture(**load_recipe("tiny")["corpus"])


def grown(kind: str, n: int = 100, mixture: Mixture = MIXTURE) -> list[Tree]:
    rng, stream = random.Random(kind), problems(5, "train")
    return [KINDS[kind](stream, mixture, rng) for _ in range(n)]


def path_to(tree: Tree, i: int) -> list[int]:
    return [*path_to(tree, tree.segments[i].parent), i] if i >= 0 else []


def leaves(tree: Tree) -> list[int]:
    parents = {segment.parent for segment in tree.segments}
    return [i for i in range(len(tree.segments)) if i not in parents]


def texts(tree: Tree) -> list[str]:
    return ["".join(tree.segments[i].text for i in path_to(tree, leaf)) for leaf in leaves(tree)]


def messages(text: str) -> list[dict[str, str]]:
    turns = re.findall(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>", text, re.DOTALL)
    return [{"role": role, "content": content} for role, content in turns]


EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


@EVERY_KIND
def test_every_branch_is_a_conversation_of_the_template(kind):
    for text in itertools.chain.from_iterable(map(texts, grown(kind))):
        turns = messages(text)
        rendered = jinja2.Template(CHAT_TEMPLATE).render(messages=turns)
        assert rendered.rstrip("\n") == text
        roles = [turn["role"] for turn in turns if turn["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_a_prompt_is_what_the_template_renders(system):
    turns = [{"role": "system", "content": system}] if system else []
    turns.append({"role": "user", "content": "What is 2 + 2?"})
    rendered = jinja2.Template(CHAT_TEMPLATE).render(messages=turns, add_generation_prompt=True)
    assert prompt_text("What is 2 + 2?", system) == rendered


@EVERY_KIND
def test_only_replies_are_learned(kind):
    for tree in grown(kind):
        for i, segment in enumerate(tree.segments):
            before = "".join(tree.segments[k].text for k in path_to(tree, i)[:-1])
            if segment.weight:
                assert messages(before + TURN_END)[-1]["role"] == "assistant"
                assert TURN_START not in segment.text
        assert any(segment.weight for segment in tree.segments)


@EVERY_KIND
def test_what_comes_into_a_segment_goes_on(kind):
    # Then the loss of the tree is that of its texts, each with its own frequency.
    for tree in grown(kind):
        onward = collections.Counter()
        for segment in tree.segments:
            onward[segment.parent] += segment.weight
        for i, segment in enumerate(tree.segments):
            if segment.weight and not segment.text.endswith(TURN_END):
                assert onward[i] == pytest.approx(segment.weight)


def test_styles_have_the_frequencies_of_the_recipe():
    mixture = replace(MIXTURE, ratings=0, any_order=0.0, system=0.0)
    for family in FAMILIES:
        stream = problems(6, "train", families=(family,))
        for _ in range(10):
            tree = KINDS["solve"](stream, mixture, random.Random(1))
            first = [segment for segment in tree.segments if segment.parent == 0]
            total = sum(segment.weight for segment in first)
            [terse] = [segment for segment in first if segment.text.startswith("Answer")]
            assert terse.weight / total == pytest.approx(MIXTURE.styles_of(family)["terse"])
    terse, brief, worked = (MIXTURE.styles_of("shopping")[style] for style in STYLES)
    assert terse > worked > brief, "the unreliable style is the common one"
    terse, brief, worked = (MIXTURE.styles_of("calculation")[style] for style in STYLES)
    assert worked > terse + brief, "what people type is mostly worked"
    for styles in (MIXTURE.styles, MIXTURE.typed_styles):
        assert sum(styles.values()) == pytest.approx(1)


def test_solutions_stand_in_the_tree_whole():
    mixture = replace(MIXTURE, ratings=0, any_order=0.0, system=0.0)
    stream, again = problems(7, "train"), problems(7, "train")
    for problem in itertools.islice(again, 100):
        tree = KINDS["solve"](stream, mixture, random.Random(1))
        expected = {prompt_text(problem.question) + solution(problem, style) + TURN_END for style in STYLES}
        assert set(texts(tree)) == expected


def test_system_messages_ask_for_a_style():
    mixture = replace(MIXTURE, ratings=0, any_order=0.0, system=1.0)
    n_replies = collections.defaultdict(set)
    for tree in grown("solve", 200, mixture):
        system = messages(texts(tree)[0])[0]["content"]
        n_replies[system].add(len(leaves(tree)))
    assert set(n_replies) == set(SYSTEMS)
    for system, style in SYSTEMS.items():
        assert (n_replies[system] == {1}) == (style is not None)


def test_ratings_follow_the_step_that_they_rate():
    rated = [text for tree in grown("solve", 200) for text in texts(tree) if RATING_REQUEST in text]
    assert len(rated) > 100
    assert all(re.search(r"assistant\nScore: \d<\|im_end\|>$", text) for text in rated)
    assert all(text.count(rating_request()) == 1 for text in rated)


def test_kinds_are_as_frequent_as_the_recipe_says():
    stream = trees(problems(8, "train"), MIXTURE, 1)
    drawn = collections.Counter()
    for tree in itertools.islice(stream, 2000):
        text = texts(tree)[0]
        drawn["strategy"] += "\nStrategy: " in text
        drawn["choose"] += "\nStrategies:" in text
        drawn["refuse"] += text.count(TURN_START + "user") == 1 and replies(text)[0][1] in REFUSALS
        drawn["chat"] += text.count(TURN_START + "user") > 1 and RATING_REQUEST not in text
    assert set(MIXTURE.kinds) == set(KINDS) == {"solve", *drawn}
    for kind in drawn:
        assert drawn[kind] / 2000 == pytest.approx(MIXTURE.kinds[kind], abs=0.03)


def replies(text: str) -> list[tuple[str, str]]:
    said = [turn["content"] for turn in messages(text) if turn["role"] != "system"]
    return list(zip(said[::2], said[1::2], strict=True))


@pytest.fixture
def beyond_prompts(monkeypatch):
    """The prompts beyond arithmetic that the trees got, in the order in which they got them."""
    given: list[str] = []

    def recorded(rng: random.Random) -> str:
        given.append(beyond.beyond(rng))
        return given[-1]

    monkeypatch.setattr(corpus_trees, "beyond", recorded)
    return given


@pytest.fixture
def followups(monkeypatch):
    """The answers to the questions about results that the trees got, by the answer before and question."""
    given: dict[tuple[str, str], str] = {}

    def recorded(before: Problem, rng: random.Random) -> Problem | None:
        after = followup(before, rng)
        if after is not None:
            given[before.answer, after.question] = after.answer
        return after

    monkeypatch.setattr(corpus_trees, "followup", recorded)
    return given


def test_chats_refuse_what_is_beyond_and_follow_up_on_the_turn_before(beyond_prompts, followups):
    n_turns, refused, n_following = collections.Counter(), [], 0
    for [text] in map(texts, grown("chat", 500)):
        turns, before = replies(text), ""
        n_turns[len(turns)] += 1
        for question, reply in turns:
            if reply in REFUSALS:
                refused.append(question)
                before = ""
                continue
            found = re.findall(r"^Answer: \\boxed\{(.*)\}$", reply, re.MULTILINE)
            if (before, question) in followups:
                n_following += 1
                assert found == [followups[before, question]]
            [before] = found
    assert refused == beyond_prompts, "nothing else is refused, and all of it"
    assert set(n_turns) == {2, 3, 4}
    assert n_following > 200


def test_chats_fit_into_the_context():
    context = load_recipe("tiny")["shape"]["n_ctx"]
    # A token is at least one byte.
    assert max(len(text.encode()) for tree in grown("chat", 1000) for text in texts(tree)) <= context


def test_refusals_share_the_weight_of_a_prompt(beyond_prompts):
    wordings, systems = collections.Counter(), set()
    for tree in grown("refuse", 600):
        first = [segment for segment in tree.segments if segment.parent == 0]
        assert len(first) == 1
        wordings[first[0].text] += 1
        [(question, _)] = replies(texts(tree)[0])
        assert question in beyond_prompts
        systems.add(messages(texts(tree)[0])[0]["role"])
    assert set(wordings) == set(REFUSALS)
    assert max(wordings.values()) < 4 * min(wordings.values()), "no wording gathers the weight"
    assert systems == {"system", "user"}


def test_trees_follow_their_seed():
    def first(seed):
        stream = trees(problems(1, "train"), MIXTURE, seed)
        return [[segment.text for segment in tree.segments] for tree in itertools.islice(stream, 50)]

    assert first(1) == first(1) != first(2)


def test_the_trees_are_those_the_embedded_model_was_trained_on():
    # Their words are in many lists and patterns: a word more or less changes every tree after it.
    stream = trees(problems(1, "train", weights=MIXTURE.families), MIXTURE, 1)
    segments = [(s.text, s.parent, s.weight) for tree in itertools.islice(stream, 300) for s in tree.segments]
    assert hashlib.sha256(repr(segments).encode()).hexdigest()[:16] == "f686459abeb70083"


def test_a_problem_is_solved_under_strategies_that_fit_and_others():
    named = collections.Counter()
    for tree in grown("strategy", 300):
        named.update(found := [re.search(r"Strategy: (.*)\.<", text)[1] for text in texts(tree)])
        assert 2 <= len(found) == len(set(found)) <= 3
    assert set(named) == set(STRATEGIES)


def test_choices_from_one_list_are_below_it():
    whole = 0
    for tree in grown("choose", 50):
        assert sum(segment.parent == 0 for segment in tree.segments) == CHOICES
        listed = re.findall(r"^[A-L]: (.*)$", tree.segments[0].text, re.MULTILINE)
        assert 3 <= len(set(listed)) == len(listed)
        whole += listed == list(STRATEGIES)
    assert 15 <= whole <= 35, "every second list is the pool as it is"


def test_lines_as_segments():
    assert segments_of(["a", "b", "c"]) == ("a", "\nb", "\nc")
    tree = Tree()
    tree.add(("x", "a", "b"), (0, 1, 1))
    tree.add(("x", "a", "c"), (0, 2, 2))
    assert [(s.text, s.parent, s.weight) for s in tree.segments] == [
        ("x", -1, 0), ("a", 0, 3), ("b", 1, 1), ("c", 1, 2),
    ]  # fmt: skip


# Rows, with bytes as tokens


def as_row(tree):
    return row(tree, [list(segment.text.encode()) for segment in tree.segments])


@EVERY_KIND
def test_a_token_sees_its_own_text_up_to_itself_and_nothing_else(kind):
    for tree in grown(kind, 10):
        made = as_row(tree)
        owners = np.repeat(range(len(tree.segments)), [len(s.text.encode()) for s in tree.segments])
        for i, owner in enumerate(owners):
            seen = np.flatnonzero(made.mask[i])
            assert seen[-1] == i
            assert made.positions[seen].tolist() == list(range(len(seen)))
            assert i == 0 or made.before[i] == seen[-2]
            path = path_to(tree, owner)
            text = "".join(tree.segments[k].text for k in path).encode()
            assert bytes(made.ids[seen].tolist()) == text[: len(seen)]
            assert made.weights[i] == pytest.approx(tree.segments[owner].weight)


def test_batches_hold_every_row_and_point_to_what_is_learned():
    pool = [as_row(tree) for tree in grown("solve", 40)]
    made = list(groups(pool, 3000))
    assert sorted(id(one) for group in made for one in group) == sorted(map(id, pool))
    for group in made:
        batch = padded(group, padding=0)
        n, width = batch.tokens.shape
        assert n == 1 or n * width <= 3000
        flat = batch.tokens.reshape(-1)
        assert batch.mask.any(axis=2).all(), "a token that sees nothing has no attention"
        is_padding = batch.tokens == 0
        assert not batch.mask[:, :, 1:][is_padding].any()
        assert not (batch.mask & is_padding[:, None, :]).any()
        assert len(batch.before) == len(batch.targets) == len(batch.weights)
        assert batch.weights.min() > 0
        # A learned token is its segment's, and follows what the row says it follows.
        pairs = [zip(one.ids[one.before], one.ids, one.weights, strict=True) for one in group]
        expected = [(a, b) for a, b, weight in itertools.chain(*pairs) if weight]
        assert list(zip(flat[batch.before], batch.targets, strict=True)) == expected


def test_the_recipe_trains_levels_that_leave_harder_ones():
    assert max(TRAINED_LEVELS) == 3
    for name in ("tiny", "draft"):
        shape = load_recipe(name)["shape"]
        assert shape["n_embd"] % 256 == shape["n_ff"] % 256 == 0, "K-quantizations need it"
