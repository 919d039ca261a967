"""Each chat template's own form of a reply: thought and reply are told apart, and a box in a thought is none.

The table has every template that llama.cpp tests with. `prompt` is the end of the prompt as the template
renders it. Names of tokens are in `tokens`; all other marks are text.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from localsmc.text import answers, reasoning
from localsmc.text.named_bytes import named
from localsmc.text.stop_rule import StopRule
from localsmc.text.thought_marks import TAGS, THOUGHT, ThoughtMarks, ThoughtState


class Form(NamedTuple):
    """The end of a prompt, and what the model writes around its thought and its reply."""

    prompt: str = ""
    before: str = ""
    between: str = ""
    after: str = ""
    plain: str = ""
    """What comes before a reply without a thought, if the prompt allows one."""
    tokens: tuple[str, ...] = ()
    ended: str = ""
    """What comes after a reply without a thought."""


THINK = Form("assistant\n", "<think>\n", "\n</think>\n\n")
OPENED = Form("assistant\n<think>\n", "", "\n</think>\n\n", plain="\n</think>\n\n")
TIGHT = Form("<｜Assistant｜><think>", "", "</think>", plain="</think>")
CLOSED = Form("assistant\n<think>\n\n</think>\n\n", "<think>", "</think>")
PLAIN = Form("assistant\n")
HARMONY = Form(
    "<|end|><|start|>assistant", "<|channel|>analysis<|message|>",
    "<|end|><|start|>assistant<|channel|>final<|message|>", plain="<|channel|>final<|message|>",
    tokens=("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|constrain|>"),
)  # fmt: skip
GEMMA = Form(
    "<|turn>model\n", "<|channel>thought\n", "<channel|>", "<channel|>", tokens=("<|channel>", "<channel|>")
)
FORMS = {
    "Apertus-8B-Instruct": Form(
        "<|assistant_start|>", "<|inner_prefix|>", "<|inner_suffix|>",
        tokens=("<|inner_prefix|>", "<|inner_suffix|>"),
    ),
    "Apriel-1.6-15b-Thinker-fixed": Form(
        "<|begin_assistant|>\nHere are my reasoning steps:\n", "", "\n[BEGIN FINAL RESPONSE]\n",
        plain="[BEGIN FINAL RESPONSE]\n",
    ),
    "Bielik-11B-v3.0-Instruct": OPENED,
    "ByteDance-Seed-OSS": Form(
        "<seed:bos>assistant\n", "<seed:think>", "</seed:think>", tokens=("<seed:think>", "</seed:think>")
    ),
    "Cohere2MoE": Form(
        "<|CHATBOT_TOKEN|><|START_THINKING|>", "", "<|END_THINKING|><|START_TEXT|>", "<|END_TEXT|>",
        "<|END_THINKING|><|START_TEXT|>",
        ("<|START_THINKING|>", "<|END_THINKING|>", "<|START_TEXT|>", "<|END_TEXT|>"), "<|END_TEXT|>",
    ),
    "CohereForAI-c4ai-command-r-plus-tool_use": PLAIN,
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": Form(
        "<|CHATBOT_TOKEN|>", "<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>", "<|END_RESPONSE|>",
        "<|START_RESPONSE|>",
        ("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
        "<|END_RESPONSE|>",
    ),
    "GLM-4.6": Form("<|assistant|>", "\n<think>", "</think>\n"),
    "GLM-4.7-Flash": Form("<|assistant|><think>", "", "</think>", plain="</think>"),
    "GigaChat3-10B-A1.8B": PLAIN,
    "GigaChat3.1-10B-A1.8B": PLAIN,
    "HuggingFaceTB-SmolLM3-3B": THINK,
    "Kimi-K2-Instruct": PLAIN,
    "Kimi-K2-Thinking": Form("<|im_middle|>", "<think>", "</think>", tokens=("<think>", "</think>")),
    "Kimi-K3": Form(
        '<|open|>message role="assistant"<|sep|><|open|>think<|sep|>', "",
        "<|close|>think<|sep|><|open|>response<|sep|>", "<|close|>response<|sep|><|close|>message<|sep|>",
        "<|close|>think<|sep|><|open|>response<|sep|>", ("<|open|>", "<|close|>", "<|sep|>"),
        "<|close|>response<|sep|><|close|>message<|sep|>",
    ),
    "LFM2-8B-A1B": PLAIN,
    "LFM2.5-8B-A1B": THINK,
    "LFM2.5-Instruct": THINK,
    "MiMo-VL": THINK,
    "MiniMax-M1": Form("<beginning_of_sentence>ai name=assistant\n", "<think>\n", "\n</think>\n\n"),
    "MiniMax-M2": Form("]~b]ai\n<think>\n", "", "\n</think>\n\n", plain="</think>"),
    "MiniMax-M3": Form(
        "]~b]ai\n", "<mm:think>", "</mm:think>", plain="</mm:think>", tokens=("<mm:think>", "</mm:think>")
    ),
    "Mistral-Small-3.2-24B-Instruct-2506": PLAIN,
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": OPENED,
    "NVIDIA-Nemotron-Nano-v2": Form("<SPECIAL_11>Assistant\n<think>\n", "", "\n</think>\n\n"),
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": PLAIN,
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": PLAIN,
    "Qwen-QwQ-32B": OPENED,
    "Qwen-Qwen2.5-7B-Instruct": PLAIN,
    "Qwen-Qwen3-0.6B": THINK._replace(tokens=("<think>", "</think>")),
    "Qwen3-Coder": PLAIN,
    "Qwen3.5-4B": OPENED,
    "Reka-Edge": Form("<sep>assistant: <think>\n", "", "\n</think>\n\n", plain="\n</think>\n\n"),
    "Spark2.5": Form("<|Bot|><think>", "", "</think>", plain="</think>", tokens=("<think>", "</think>")),
    "StepFun3.5-Flash": OPENED,
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": Form("<｜Assistant｜><think>\n", "", "\n</think>\n\n"),
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": Form("<｜Assistant｜><think>\n", "", "\n</think>\n\n"),
    "deepseek-ai-DeepSeek-V3.1": TIGHT,
    "deepseek-ai-DeepSeek-V3.2": TIGHT,
    "deepseek-ai-DeepSeek-V4-Flash-0731": TIGHT,
    "deepseek-ai-DeepSeek-V4": TIGHT,
    "fireworks-ai-llama-3-firefunction-v2": PLAIN,
    "google-gemma-2-2b-it": PLAIN,
    "google-gemma-4-31B-it-interleaved": GEMMA,
    "google-gemma-4-31B-it": GEMMA,
    "ibm-granite-granite-3.3-2B-Instruct": Form(
        "<|end_of_role|>", "<think>", "</think>\n<response>", "</response>"
    ),
    "ibm-granite-granite-4.0": PLAIN,
    "ibm-granite-granite-4.1": PLAIN,
    "inclusionai-ling-3.0-flash": Form("<role>ASSISTANT</role>\n<think>", "", "</think>", plain="</think>"),
    "llama-cpp-deepseek-r1": Form("<｜Assistant｜><think>\n", "", "\n</think>\n\n", plain="</think>"),
    "llama-cpp-rwkv-world": Form("\n\nAssistant: <think>", "", "</think>\n", plain="</think>\n"),
    "meetkai-functionary-medium-v3.1": PLAIN,
    "meetkai-functionary-medium-v3.2": PLAIN,
    "meta-llama-Llama-3.1-8B-Instruct": PLAIN,
    "meta-llama-Llama-3.2-3B-Instruct": PLAIN,
    "meta-llama-Llama-3.3-70B-Instruct": PLAIN,
    "microsoft-Phi-3.5-mini-instruct": PLAIN,
    "mistralai-Ministral-3-14B-Reasoning-2512": Form(
        "[/INST]", "[THINK]", "[/THINK]", tokens=("[THINK]", "[/THINK]")
    ),
    "mistralai-Mistral-Nemo-Instruct-2407": PLAIN,
    "moonshotai-Kimi-K2": PLAIN,
    "muse-glimmer": Form(
        "<|eot|><|start|>assistant", " to=self<|message|>",
        "<|eom|><|start|>assistant to=user<|message|>", "",
        " to=user<|message|>", ("<|start|>", "<|message|>", "<|eom|>"),
    ),
    "openai-gpt-oss-120b": HARMONY,
    "openbmb-MiniCPM5-1B": OPENED,
    "poolside-Laguna-S-2.1": TIGHT._replace(prompt="<assistant>\n<think>"),
    "poolside-Laguna-XS-2.1": TIGHT._replace(prompt="<assistant>\n<think>"),
    "poolside-Laguna-XS.2": TIGHT._replace(prompt="<assistant>\n<think>"),
    "tencent-Hy3": Form(
        "<｜hy_Assistant:opensource｜><think:opensource>", "", "</think:opensource>",
        plain="</think:opensource>", tokens=("<think:opensource>", "</think:opensource>"),
    ),
    "unsloth-Apriel-1.5": Form(
        "<|assistant|>\n", "Here are my reasoning steps:\n", "\n[BEGIN FINAL RESPONSE]\n",
        "\n[END FINAL RESPONSE]",
    ),
    "unsloth-mistral-Devstral-Small-2507": PLAIN,
    "upstage-Solar-Open-100B": Form(
        "<|end|><|begin|>assistant", "<|think|>", "<|end|><|begin|>assistant<|content|>", "", "<|content|>",
        ("<|begin|>", "<|think|>", "<|content|>", "<|end|>"),
    ),
}  # fmt: skip
THINKERS = sorted(name for name, form in FORMS.items() if form.between)
WORK, REPLY = "So 1 + 2 is \\boxed{3}?\nNo.", "It is \\boxed{4}."


def marks(form):
    return ThoughtMarks(form.tokens, form.tokens)


def read(form, text):
    """The text as it is read from tokens."""
    for name in form.tokens:
        text = text.replace(name, named(name).decode("latin-1"))
    return b"".join(char.encode("latin-1") if 0xF8 <= ord(char) <= 0xFF else char.encode() for char in text)


def split(form, text):
    known = marks(form)
    return reasoning.split(read(form, text), known, known.begin(read(form, form.prompt)))


def thought(parts):
    return "".join(part.text for part in parts if part.is_thought).strip()


def test_the_table_has_every_template():
    folder = Path(os.environ.get("TEST_MODELS_FOLDER", "")) / "templates"
    if "TEST_MODELS_FOLDER" not in os.environ or not folder.is_dir():
        pytest.skip("no folder of templates: run `python tests/real/fetch_models.py FOLDER`")
    assert sorted(FORMS) == sorted(path.stem for path in folder.glob("*.jinja"))


@pytest.mark.parametrize("name", THINKERS)
def test_a_whole_reply(name):
    form = FORMS[name]
    found = split(form, form.before + WORK + form.between + REPLY + form.after)
    assert (thought(found), reasoning.spoken(found)) == (WORK, REPLY)
    assert answers.extract(reasoning.spoken(found)) == "4"


@pytest.mark.parametrize("name", THINKERS)
def test_a_thought_that_is_cut_is_no_reply(name):
    form = FORMS[name]
    found = split(form, form.before + WORK)
    assert (thought(found), reasoning.spoken(found)) == (WORK, "")


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_reply_without_thought(name):
    form = FORMS[name]
    prompt_opens = form.between and not form.before
    found = split(form, (form.plain or (form.between if prompt_opens else "")) + REPLY + form.ended)
    assert (thought(found), reasoning.spoken(found)) == ("", REPLY)


@pytest.mark.parametrize(
    "name", [name for name in THINKERS if not FORMS[name].tokens and FORMS[name].between.strip()]
)
def test_only_a_closing_mark(name):
    """The prompt opened the thought, but its end does not say so."""
    form = FORMS[name]._replace(prompt="")
    found = split(form, WORK + form.between + REPLY + form.after)
    assert (thought(found), reasoning.spoken(found)) == (WORK, REPLY)


@pytest.mark.parametrize("name", [name for name in THINKERS if FORMS[name].tokens])
def test_text_that_looks_like_tokens_is_text(name):
    form = FORMS[name]
    alike = "".join(form.tokens)
    known = marks(form)
    data = read(form, form.before + WORK + form.between) + f"x{alike}y".encode() + read(form, form.after)
    found = reasoning.split(data, known, known.begin(read(form, form.prompt)))
    assert (thought(found), reasoning.spoken(found)) == (WORK, f"x{alike}y")


@pytest.mark.parametrize("name", [name for name in THINKERS if FORMS[name].tokens])
def test_what_is_shown_has_tags_around_its_thought(name):
    form = FORMS[name]
    for text, is_open in ((WORK + form.between + REPLY + form.after, False), (WORK, True)):
        found = split(form, form.before + text)
        shown = reasoning.shown_text(found, is_open=is_open)
        assert shown == f"<think>\n{WORK}" + ("" if is_open else f"\n</think>\n\n{REPLY}")
        shown = "".join(part.text for part in reasoning.set_apart(found))
        assert shown == WORK + ("" if is_open else f"\n\n{REPLY}")


def test_the_tags_that_are_shown_are_in_no_part():
    parts = [reasoning.TextPart("a <think>", True), reasoning.TextPart("the </thinking> tag", False)]
    shown = reasoning.shown_text(parts, is_open=False)
    assert shown == "<thought>\na <think>\n</thought>\n\nthe </thinking> tag"


def pieces(form, text):
    """The text in pieces of one byte, and one for each token that has a name."""
    data, found = read(form, text), []
    while data:
        n = data.find(b"\xff") + 1 if data[:1] == b"\xfe" else 1
        found.append(data[:n])
        data = data[n:]
    return found


@pytest.mark.parametrize("name", THINKERS)
@pytest.mark.parametrize("by_byte", [True, False])
@pytest.mark.parametrize(
    ("at_box", "strings"), [(True, ()), (False, ("boxed",)), (False, ("xed{", "unseen"))]
)
def test_no_stop_within_a_thought(name, by_byte, at_box, strings):
    form = FORMS[name]
    known = marks(form)
    texts = (form.before + WORK + form.between, REPLY + form.after)
    parts = [pieces(form, text) if by_byte else [read(form, text)] for text in texts]
    vocabulary = [*parts[0], *parts[1]]
    rule = StopRule(vocabulary, strings, at_box, known, known.begin(read(form, form.prompt)))
    state = rule.start()
    for token in range(len(parts[0])):
        state = rule.advance(state, token)
        assert not state.hit
    for token in range(len(parts[0]), len(vocabulary)):
        state = rule.advance(state, token)
    assert state.hit
    if strings:
        said = read(form, REPLY).partition(strings[0].encode())[0]
        assert rule.shown(b"".join(vocabulary)) == b"".join(parts[0]) + said


@pytest.mark.parametrize("name", THINKERS)
def test_a_thought_is_completed_in_its_own_form(name):
    """What is added to a text cut anywhere makes the rest a reply."""
    form = FORMS[name]
    known = marks(form)
    begin = known.begin(read(form, form.prompt))
    whole = pieces(form, form.before + WORK + form.between)
    for n in range(len(whole) + 1):
        data = b"".join(whole[:n])
        completing = known.completing(data, begin)
        added = read(form, completing)
        end = known.end(data + added, begin)
        assert end.kind != THOUGHT, (n, data[-20:], added)
        found = reasoning.split(data + added + b"4", known, begin)
        assert reasoning.spoken(found).endswith("4")
        assert completing in known.all_completing


LINEAR = [
    "<",
    "`",
    "[",
    "<t",
    "<think",
    "\u25c1",
    "<think></think>",
    "</think>",
    "<think>",
    "`</think>",
    "a",
    "{",
]


@pytest.mark.parametrize("unit", [*LINEAR, *HARMONY.tokens])
@pytest.mark.parametrize("form", [Form(), HARMONY])
def test_a_megabyte_of_anything_takes_little_time(unit, form):
    data = read(form, unit) * (1_000_000 // len(read(form, unit)))
    known = marks(form)
    begun = time.process_time()
    reasoning.split(data, known, ThoughtState())
    assert time.process_time() - begun < 0.6  # 0.1 s where nothing else runs


def test_each_tag_is_closed_by_its_own():
    for at, tag in enumerate(TAGS[:-1]):
        others = "".join(other.closing for other in TAGS if other is not tag)
        found = reasoning.parts(f"{tag.opening}a{others}b{tag.closing}c")
        assert [(part.text, part.is_thought) for part in found] == [(f"a{others}b", True), ("c", False)], at
