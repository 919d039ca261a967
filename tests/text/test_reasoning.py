"""Reasoning blocks in completions, and the reply without them."""

import pytest

from localsmc.text import reasoning
from localsmc.text.reasoning import TextPart
from localsmc.text.thought_marks import AT_START, TEXT_MARKS, THOUGHT, ThoughtState


@pytest.mark.parametrize(
    ("text", "closing", "found"),
    [
        ("", "", []),
        ("4", "", [("4", False)]),
        ("<think>a</think>4", "", [("a", True), ("4", False)]),
        ("<think>a</think>", "", [("a", True)]),
        ("<think>a", "", [("a", True)]),
        ("a</think>4", "</think>", [("a", True), ("4", False)]),
        ("a</think>4", "", [("a", True), ("4", False)]),
        ("a</think>b</think>4", "", [("a", True), ("b", True), ("4", False)]),
        ("<think>a</think>b</thinking>4", "", [("a", True), ("b", True), ("4", False)]),
        ("End it with `</think>`.", "", [("End it with `</think>`.", False)]),
        ("</think>4", "</think>", [("4", False)]),
        ("so <think>a</think> then [THINK]b[/THINK] 4", "",
         [("so ", False), ("a", True), (" then ", False), ("b", True), (" 4", False)]),
        ("<think>a[/THINK]b</think>4", "", [("a[/THINK]b", True), ("4", False)]),
        ("1 < 2 and <thin", "", [("1 < 2 and <thin", False)]),
        ("Write `<think>` first. 4", "", [("Write `<think>` first. 4", False)]),
        ("`<think>` and `</think>` are tags. 4", "", [("`<think>` and `</think>` are tags. 4", False)]),
    ],
)  # fmt: skip
def test_parts(text, closing, found):
    assert reasoning.parts(text, closing) == [TextPart(*part) for part in found]


@pytest.mark.parametrize(
    ("text", "closing", "said"),
    [
        ("<think>\n\\boxed{3}\n</think>\n\n\\boxed{4}", "", "\\boxed{4}"),
        ("\\boxed{3}\n</think>\n\n\\boxed{4}", "</think>", "\\boxed{4}"),
        ("\\boxed{3}", "</think>", ""),
        ("<think>\\boxed{3}", "", ""),
        ("  4 <think>x</think> 5", "", "  4  5"),
        ("<think>x</think><answer>5</answer>", "", "5"),
        ("<think>x</think><answer>5", "", "5"),
        (
            "<think>x</think><answer>a</answer> and <answer>b</answer>",
            "",
            "<answer>a</answer> and <answer>b</answer>",
        ),
        ("<think>x</think><answer>5</answer> Done.", "", "<answer>5</answer> Done."),
    ],
)
def test_the_reply_is_what_is_said_beside_thought(text, closing, said):
    assert reasoning.reply(text, closing) == said


@pytest.mark.parametrize(
    ("prompt", "closing"),
    [
        ("", ""),
        ("<|im_start|>assistant\n", ""),
        ("<|im_start|>assistant\n<think>\n", "</think>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),
        ("[THINK]", "[/THINK]"),
        ("What does <think> mean?", ""),
    ],
)
def test_a_prompt_may_open_a_block(prompt, closing):
    begin = TEXT_MARKS.begin(prompt.encode())
    assert begin == (ThoughtState(THOUGHT, reasoning.CLOSINGS[closing]) if closing else AT_START)


@pytest.mark.parametrize(
    ("template", "is_known"),
    [
        ("{% for m in messages %}{{ m.content }}{% endfor %}", False),
        ("{{ m.content.split('</think>')[-1] }}", True),
        ("{{ m.reasoning_content }}", True),
    ],
)
def test_which_templates_have_a_place_for_thought(template, is_known):
    assert reasoning.is_known_to(template) is is_known
