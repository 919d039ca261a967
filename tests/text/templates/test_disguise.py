"""Names of control tokens in a text, and messages in which they are disguised."""

import re
import time

import pytest

from localsmc.text.chat_template import ChatTemplate
from localsmc.text.templates.disguise import Disguise, finder

NAMES = ("<a>", "<a>b", "<ab", "[x]", "]", "^", "-", "\\n", "</s>", "▁", "<｜end▁of▁sentence｜>", " ", "")
TEXTS = [
    "",
    "<a>b<a><ab<a",
    "[x]]x]^-\\n\\",
    "<<a>><</s>",
    "é<｜end▁of▁sentence｜>▁ü",
    "nothing here",
    "<a> <a>b",
]


def reference(names, text):
    """The same by a regular expression."""
    longest = sorted((name for name in names if name.strip()), key=len, reverse=True)
    return [found.span() for found in re.finditer("|".join(map(re.escape, longest)) or "(?!)", text)]


@pytest.mark.parametrize("text", TEXTS)
def test_names_are_found_as_by_a_regular_expression(text):
    for names in (NAMES, NAMES[:1], NAMES[3:6], ()):
        spans = list(finder(names).spans(text))
        assert spans == reference(names, text)
        assert sum(finder(names).count(text).values()) == len(spans)


@pytest.mark.parametrize("hides_all", [False, True])
@pytest.mark.parametrize("text", [*TEXTS, r"<a> \ue000 \u12\ue001 \\u0041"])
def test_a_disguise_comes_off_again(text, hides_all):
    disguise = Disguise([text], NAMES, ["<t>"], hides_all=hides_all)
    hidden = disguise.put_on(text)
    assert len(hidden) == len(text)
    assert list(finder(NAMES).spans(hidden)) == []
    assert disguise.take_off(hidden) == text
    assert "".join(part for part, _ in disguise.parts(f"<a>{hidden}<a>")) == f"<a>{text}<a>"


def test_names_in_json_are_shown_again():
    disguise = Disguise(["<a>"], NAMES)
    escaped = disguise.put_on("<a>").encode("ascii", "backslashreplace").decode()
    assert disguise.take_off(rf"\u0041{escaped}\ud800") == r"\u0041<a>\ud800"


MANY = tuple(f"<unused{i}>" for i in range(30_000))
LONG = {"names": "<unused99>", "beginnings of names": "<unused9", "first characters": "<"}


@pytest.mark.parametrize("piece", LONG.values(), ids=LONG)
def test_thousands_of_names_are_not_tried_one_after_the_other(piece):
    source = "{{ messages[0].content }}{{ '%s' * 30000 }}" % piece  # noqa: UP031
    message = {"role": "user", "content": "<unused12> hi"}
    ChatTemplate(source).render([message])
    began = time.process_time()
    parts = ChatTemplate(source).parts([message], MANY)
    assert "".join(text for text, _ in parts) == message["content"] + piece * 30_000
    assert time.process_time() - began < 3
