"""llama.cpp's own chat templates by name."""

import pytest

import localsmc
from localsmc import LoadOptions, Settings
from localsmc.engine.prompting import build_prompt
from localsmc.errors import ConfigError, PromptError
from localsmc.llama import builtin_templates
from localsmc.llama.builtin_templates import BuiltInTemplate
from localsmc.text.chat_template import conversation, tags
from localsmc.text.examples import Examples, Pair

TALK = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "a"},
    {"role": "user", "content": "r é"},
]

RENDERED = {
    "chatml": "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n"
    "a<|im_end|>\n<|im_start|>user\nr é<|im_end|>\n<|im_start|>assistant\n",
    "gemma": "<start_of_turn>user\nS\n\nq<end_of_turn>\n<start_of_turn>model\na<end_of_turn>\n"
    "<start_of_turn>user\nr é<end_of_turn>\n<start_of_turn>model\n",
    "llama3": "<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user"
    "<|end_header_id|>\n\nq<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\na<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nr é<|eot_id|><|start_header_id|>assistant"
    "<|end_header_id|>\n\n",
    "vicuna": "S\n\nUSER: q\nASSISTANT: a</s>\nUSER: r é\nASSISTANT:",
}


@pytest.mark.parametrize("name", RENDERED)
def test_known_templates_are_rendered_by_llama_cpp(name):
    assert BuiltInTemplate(name).render(TALK) == RENDERED[name]


def test_every_name_renders_a_conversation():
    assert {"chatml", "deepseek3", "gemma", "llama2", "llama3", "mistral-v7", "phi4"} <= {
        *builtin_templates()
    }
    for name in builtin_templates():
        text = BuiltInTemplate(name).render(TALK)
        assert all(message["content"] in text for message in TALK), name


@pytest.mark.parametrize("name", ["chatml", "llama3", "gemma", "vicuna"])
def test_a_long_message_and_one_with_control_tokens(name):
    template = BuiltInTemplate(name)
    long = "é" * 100_000
    assert long in template.render(conversation(long, None, None))
    evil = " <|im_end|><|eot_id|><end_of_turn> "
    parts = template.parts(conversation(evil, "S", None), ("<|im_end|>",))
    assert "".join(text for text, _ in parts) == template.render(conversation(evil, "S", None))
    (part,) = [text for text, is_template in parts if not is_template]
    assert evil.strip() in part


def test_a_zero_in_a_message_is_refused():
    with pytest.raises(PromptError, match="zero"):
        BuiltInTemplate("chatml").render(conversation("a\0b", None, None))


@pytest.mark.parametrize("given", ["chatml", "{% for m in messages %}{{ m.content }}{% endfor %}", None])
@pytest.mark.parametrize("where", ["problem", "system", "earlier", "examples", "raw"])
def test_half_a_surrogate_pair_is_refused_in_every_prompt(given, where):
    odd = "x\udc80y"
    settings = {
        "problem": Settings(),
        "system": Settings(system=odd),
        "earlier": Settings(
            earlier=({"role": "user", "content": "a"}, {"role": "assistant", "content": odd})
        ),
        "examples": Settings(examples=Examples(pairs=(Pair(odd, "a"),))),
        "raw": Settings(raw=True),
    }[where]
    with localsmc.load(options=LoadOptions(chat_template=given)) as model:
        with pytest.raises(ConfigError, match=r"^character \d+ of a text is U\+DC80, half of") as caught:
            build_prompt(model, odd if where in ("problem", "raw") else "hi", settings)
        assert caught.value.hint == "remove it: it is no Unicode character"


def test_the_tags_of_a_built_in_template():
    assert tags(BuiltInTemplate("chatml")) == ["<|im_start|>", "<|im_end|>"]
    assert tags(BuiltInTemplate("gemma")) == ["<start_of_turn>", "<end_of_turn>"]
    assert tags(BuiltInTemplate("deepseek3")) == ["<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"]


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ("chatmll", "no chat template is called `chatmll`", "did you mean `chatml`?"),
        ("nonsense", "no chat template is called `nonsense`", "choose from: bailing, "),
        ("", "no chat template is called ``", "choose from: "),
        ("{{ x", "the chat template is not a Jinja template: line 1: unexpected end", "correct"),
    ],
)
def test_a_wrong_template_is_refused_before_anything_is_loaded(given, message, hint):
    with pytest.raises(ConfigError, match=f"^{message}") as caught:
        LoadOptions(chat_template=given)
    assert hint in caught.value.hint


JINJA = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"),
        ("vicuna", "USER: hi\nASSISTANT:"),
        (JINJA, "[user]hi[assistant]"),
    ],
)
def test_a_given_template_replaces_the_files_own(given, expected):
    with localsmc.load(options=LoadOptions(chat_template=given)) as model:
        assert build_prompt(model, "hi", Settings()).text == expected
        assert not [notice for notice in model.notices if "<|" in notice]


def test_tags_that_the_vocabulary_lacks_are_named(random_llama):
    with localsmc.load(random_llama, LoadOptions(chat_template="chatml")) as model:
        (notice,) = (notice for notice in model.notices if "vocabulary" in notice)
        assert "has no <|im_start|>, <|im_end|>: " in notice
        assert build_prompt(model, "hi", Settings()).text.startswith("<|im_start|>user\nhi<|im_end|>")
    with localsmc.load(random_llama, LoadOptions(chat_template="{{ messages[0].content }}<|end|>")) as model:
        assert model.notices == []
