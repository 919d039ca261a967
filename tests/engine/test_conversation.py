"""Conversations: the number of tokens decoded per turn, and the prompt that the model gets."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_gguf

import localsmc
from localsmc.engine.conversation import Conversation
from localsmc.engine.settings import Settings
from localsmc.engine.transcript import Exchange
from localsmc.errors import PromptTooLong
from localsmc.llama import LlamaContext
from localsmc.lm.interface import common_prefix
from localsmc.lm.prefix_cache import PrefixCache
from localsmc.lm.toy import ToyModel
from localsmc.methods import PowerSMC, Request, WeightedText
from localsmc.numerics.categorical import RandomSampler
from localsmc.text.chat_template import ChatTemplate
from localsmc.text.instructions import BOXED, NEUTRAL
from localsmc.text.reasoning import spoken
from localsmc.text.stop_rule import StopRule

BRIEF = Settings(seed=1, n_threads=1, n_predict=24)
METHODS = ["power-smc", "power-mh", "best-of-n", "greedy", "speculative", "draft-smc", "ssr"]


@pytest.fixture
def rows(monkeypatch):
    """How many tokens each context was given to decode, by its model's number of parameters."""
    counts = {}
    decode = LlamaContext.decode

    def counting(self, tokens, *rest, **more):
        counts[self.model.n_params] = counts.get(self.model.n_params, 0) + len(tokens)
        return decode(self, tokens, *rest, **more)

    monkeypatch.setattr(LlamaContext, "decode", counting)
    return counts


def turn(conversation, text, name="power-smc", settings=BRIEF, **options):
    method = conversation.model.method(name, **({"particles": 4} if name != "greedy" else {}) | options)
    with conversation.ask(text, method=method, settings=settings) as solving:
        for _ in solving:
            pass
        result = solving.result()
    conversation.keep(solving, result)
    return solving, result


@pytest.mark.parametrize("name", ["power-smc", "power-mh", "best-of-n", "greedy"])
def test_a_turn_decodes_what_the_last_prompt_did_not_have(embedded, rows, name):
    with Conversation(embedded) as conversation:
        first, _ = turn(conversation, "What is 17 * 23?", name)
        before = first.prompt
        for text in ("And 18 * 23?", "Why?"):
            rows.clear()
            solving, result = turn(conversation, text, name)
            n_common = len(common_prefix([before, solving.prompt]))
            assert n_common == len(before)
            assert result.usage.cached_tokens == n_common
            assert sum(rows.values()) == len(solving.prompt) - n_common + result.usage.rows
            before = solving.prompt


def test_methods_take_turns_on_one_memory(embedded, rows):
    with Conversation(embedded) as conversation:
        prompts = []
        for i, name in enumerate([*METHODS, *METHODS]):
            options = {"pool": "none"} if name == "ssr" else {}
            solving, result = turn(conversation, f"What is {i} + 1?", name, **options)
            prompts.append(solving.prompt)
            if i > len(METHODS):  # contexts have grown to what is needed
                assert result.usage.cached_tokens == len(prompts[-2]), name
        assert len(conversation.exchanges) == 2 * len(METHODS)


def test_a_kept_prompt_changes_no_text(embedded):
    said = [Exchange(user="What is 2 + 2?", text="2 + 2 = 4\nAnswer: \\boxed{4}")]
    with Conversation(embedded, said) as warm, Conversation(embedded, said) as cold:
        turn(warm, "And 3 + 3?")
        warm.take_back()
        texts = [turn(one, "What is 9 * 9?")[1] for one in (warm, cold)]
    assert texts[0].text == texts[1].text
    assert texts[0].log_z == pytest.approx(texts[1].log_z, abs=1e-3)
    assert texts[0].usage.cached_tokens > 0 == texts[1].usage.cached_tokens


def test_asking_again_decodes_one_token_of_the_prompt(embedded, rows):
    with Conversation(embedded) as conversation:
        turn(conversation, "What is 17 * 23?")
        assert conversation.take_back().user == "What is 17 * 23?"
        rows.clear()
        _, result = turn(conversation, "What is 17 * 23?")
        assert sum(rows.values()) == 1 + result.usage.rows
    assert Conversation(embedded).take_back() is None


def test_the_memory_is_not_shared_with_what_was_said_otherwise(embedded):
    with Conversation(embedded) as conversation:
        first, _ = turn(conversation, "What is 17 * 23?")
        conversation.clear()
        second, result = turn(conversation, "Solve for x: 7x + 12 = 96.")
        assert result.usage.cached_tokens == len(common_prefix([first.prompt, second.prompt]))


@pytest.mark.parametrize("can_forget", [True, False])
def test_the_keeper_holds_the_last_prompt_and_nothing_else(can_forget):
    toy = ToyModel(5, seed=1, n_cells=64, n_seq_max=6)
    toy.can_forget = can_forget
    kept = PrefixCache(toy)

    def run(prompt):
        prompt = np.array(prompt, dtype=np.int32)
        run = PowerSMC(particles=3, ramp=0, alpha=2.0).start(
            Request(
                model=kept, prompt=prompt, n_tokens=4, stop=StopRule(toy.pieces),
                draw=RandomSampler(np.random.default_rng(0)),
            )
        )  # fmt: skip
        assert toy.history(5) == prompt.tolist()
        assert run._root_logits[0] == pytest.approx(toy.logits(prompt.tolist()))
        for _ in run:
            assert run.sequences.cells_used == toy.n_used
        return run.sequences.n_cached

    recalled = [run(prompt) for prompt in ([1, 2], [1, 2, 3, 1], [1, 2, 4], [1, 2, 4], [3])]
    assert recalled == ([0, 2, 2, 2, 0] if can_forget else [0, 2, 0, 0, 0])


def test_nothing_is_known_of_a_keeper_that_was_interrupted(monkeypatch):
    toy = ToyModel(5, seed=1, n_cells=64, n_seq_max=6)
    kept, tokens = PrefixCache(toy), np.array([1, 2, 3], dtype=np.int32)

    def remember(prompt):
        kept.clear()
        n = kept.match_prefix(0, prompt)
        kept.decode(prompt[n:].astype(int), np.arange(n, len(prompt)), np.zeros(len(prompt) - n, dtype=int))
        kept.store_prefix(0, prompt)
        return n

    def interrupt(*_):
        raise KeyboardInterrupt

    remember(tokens)
    for name in ("copy", "remove"):
        with monkeypatch.context() as patch:
            patch.setattr(toy, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                kept.store_prefix(0, tokens)
        assert remember(tokens) == 0
        assert toy.history(5) == tokens.tolist()


def test_a_turn_renders_its_prompt_once(embedded, monkeypatch):
    rendered = []
    parts = ChatTemplate.parts

    def counting(self, *arguments, **options):
        rendered.append(len(arguments[0]))
        return parts(self, *arguments, **options)

    monkeypatch.setattr(ChatTemplate, "parts", counting)
    with Conversation(embedded) as conversation:
        for _ in range(2):
            turn(conversation, "What is 2 + 2?")
    assert len(rendered) == 2
    assert rendered[0] < rendered[1]


def test_a_context_that_failed_is_opened_anew(embedded):
    with Conversation(embedded) as conversation:
        solving, _ = turn(conversation, "What is 2 + 2?")
        conversation._contexts[False].close()
        again, result = turn(conversation, "What is 3 + 3?")
        assert again.context is not solving.context
        assert result.usage.cached_tokens == 0


def test_a_prompt_can_be_stopped(embedded):
    with Conversation(embedded) as conversation, conversation.ask("x " * 300, is_stopped=lambda: True) as one:
        assert list(one) == []
        assert (one.result().text, one.was_cut) == ("", False)


# --- long conversations ---------------------------------------------------------------------------


def test_what_has_no_room_is_left_out_the_oldest_first(embedded):
    settings = replace(BRIEF, n_ctx=256, n_predict=16)
    with Conversation(embedded) as conversation:
        left_out = []
        for i in range(24):
            solving, _ = turn(conversation, f"What is {i} + 17 * 23 - {i}?", settings=settings)
            assert len(solving.prompt) + solving.n_tokens <= 256
            assert solving.n_tokens == 16
            left_out.append(conversation.n_left_out)
            said = [message["content"] for message in solving.settings.earlier[::2]]
            assert said == [one.user for one in conversation.exchanges[left_out[-1] : i]]
    assert left_out == sorted(left_out)
    # Half goes at once, so that the cache serves for several turns.
    assert 2 <= len(set(left_out)) <= 8


def test_a_message_that_is_too_long_alone_is_refused_and_nothing_is_lost(embedded):
    settings = replace(BRIEF, n_ctx=256)
    with Conversation(embedded) as conversation:
        turn(conversation, "What is 2 + 2?", settings=settings)
        with pytest.raises(PromptTooLong):
            turn(conversation, "word " * 400, settings=settings)
        assert len(conversation.exchanges) == 1
        assert conversation.n_left_out == 0
        _, result = turn(conversation, "What is 3 + 3?", settings=settings)
        assert result.usage.cached_tokens > 0


# --- thought --------------------------------------------------------------------------------------

PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
STRIPS = PLAIN.replace("m.content", "m.content.split('</think>')[-1]") + "{{ '<think>\n' }}"
KEEPS = PLAIN + "{# </think> #}"


@pytest.mark.parametrize(
    ("template", "text", "closing", "shown"),
    [
        (PLAIN, "<think>a</think>4", "", "<user>q<assistant>4<user>r<assistant>"),
        (KEEPS, "<think>a</think>4", "", "<user>q<assistant><think>a</think>4<user>r<assistant>"),
        (STRIPS, "a</think>4", "</think>", "<user>q<assistant>4<user>r<assistant><think>\n"),
    ],
    ids=["a template that knows of none", "one that keeps it", "one that strips it"],
)
def test_templates_decide_what_becomes_of_thought(embedded, monkeypatch, template, text, closing, shown):
    monkeypatch.setattr(embedded.llama, "chat_template", ChatTemplate(template))
    said = [Exchange(user="q", text=text, closing=closing)]
    with Conversation(embedded, said) as conversation, conversation.ask("r", settings=BRIEF) as solving:
        assert solving.prompt_text == shown
        assert solving.closing == ("</think>" if template == STRIPS else "")


QUOTING = "Use the <think> tag to mark thought. The answer is 4."


@pytest.mark.parametrize("thinks", [True, False])
def test_text_that_looks_like_a_mark_is_remembered_as_text(tmp_path, monkeypatch, thinks):
    """The mark of this model is a control token; its reply has the letters of that mark."""
    path = tiny_gguf.write_llama(
        tmp_path / "tiny.gguf", controls=("<|im_end|>", "<|x|>", "<think>", "</think>")
    )
    with localsmc.load(path) as model, Conversation(model) as conversation:
        monkeypatch.setattr(model.llama, "chat_template", ChatTemplate(KEEPS))
        quoting = model.llama.tokenize(QUOTING, special=False)
        thought = model.llama.tokenize("<think>hm</think>" if thinks else "", special=True)
        ending = WeightedText(
            tokens=np.concatenate((thought, quoting)), count=1, weight=1.0, logp=0.0, finish_reason="stop"
        )
        method = model.method("greedy")
        with conversation.ask("q", method=method, settings=BRIEF) as solving:
            monkeypatch.setattr(solving, "endings", lambda: [ending])
            result = solving.result()
            assert "<think> tag" in result.text
            assert spoken(solving.parts(result.text)) == QUOTING
            conversation.keep(solving, result)
        assert conversation.exchanges[0].said == QUOTING
        with conversation.ask("r", method=method, settings=BRIEF) as solving:
            assert solving.prompt_text == f"<user>q<assistant>{QUOTING}<user>r<assistant>"


def read(solving, tokens):
    """A completion's text and the text of its answer."""
    text, answer, _ = solving.reader.read(tokens)
    return text, None if answer is None else answer.text


def test_thought_is_never_part_of_the_answer(embedded, monkeypatch):
    template = "{% for m in messages %}{{ m.content }}{% endfor %}<think>"
    monkeypatch.setattr(embedded.llama, "chat_template", ChatTemplate(template))
    with Conversation(embedded) as conversation, conversation.ask("q", settings=BRIEF) as solving:
        for text, answer in (("\\boxed{3}", None), ("\\boxed{3}</think>\\boxed{4}", "4")):
            assert read(solving, embedded.llama.tokenize(text, special=False)) == (text, answer)


@pytest.mark.parametrize(
    ("settings", "text", "closing", "answer"),
    [
        ({"json_schema": '{"type": "integer"}'}, "4", "", "4"),
        ({"json_schema": '{"type": "string"}'}, '"<think>4"', "", '"<think>4"'),
        ({"grammar": "root ::= [0-9]+"}, "4", "", "4"),
        ({"grammar": 'root ::= "hm</think>" [0-9]+'}, "hm</think>4", "</think>", "4"),
    ],
)
def test_what_a_grammar_holds_to_is_thought_only_where_it_ends_one(
    embedded, monkeypatch, settings, text, closing, answer
):
    template = "{% for m in messages %}{{ m.content }}{% endfor %}<think>"
    monkeypatch.setattr(embedded.llama, "chat_template", ChatTemplate(template))
    with Conversation(embedded) as conversation:
        with conversation.ask("q", settings=replace(BRIEF, **settings)) as solving:
            assert solving.closing == closing
            end = np.flatnonzero(embedded.llama.is_eog)[:1].astype(np.int32)
            tokens = np.concatenate((embedded.llama.tokenize(text, special=False), end))
            assert read(solving, tokens) == (text, answer)


def test_the_instruction_is_part_of_what_was_said(general):
    boxed, auto = (replace(BRIEF, box=box) for box in ("on", "auto"))
    with Conversation(general) as conversation:
        for text, settings in (
            ("q", boxed),
            ("What is 2 + 2?", auto),
            ("Write a haiku.", auto),
            ("r", BRIEF),
        ):
            solving, result = turn(conversation, text, settings=settings)
            assert result.method.config["instruction"] == solving.instruction
        sent = [exchange.sent for exchange in conversation.exchanges]
        with conversation.ask("s", settings=BRIEF) as solving:
            assert all(text in solving.prompt_text for text in sent)
    expected = [f"q\n\n{BOXED}", f"What is 2 + 2?\n\n{NEUTRAL}", "Write a haiku.", "r"]
    assert sent == expected
