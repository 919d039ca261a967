"""Replies on a terminal: the reasoning is dimmed or hidden, and nothing else is."""

from localsmc.text.reasoning import TextPart
from localsmc_cli.chat.panel import THOUGHT, show, styled

PARTS = [
    TextPart("\nHm.", is_thought=True),
    TextPart("\n\nUse the <think> tag; the answer is 4.\n", is_thought=False),
]


def test_reasoning_is_dimmed():
    text = styled(PARTS, hides_thought=False)
    assert text.plain == "".join(part.text for part in PARTS)
    assert [(text.plain[span.start : span.end], span.style) for span in text.spans] == [("\nHm.", THOUGHT)]


def test_only_reasoning_is_hidden():
    assert styled(PARTS, hides_thought=True).plain == "…\n" + PARTS[1].text


def test_a_reply_has_no_empty_lines_around_it(capsys):
    show(PARTS, hides_thought=False)
    show([], hides_thought=False)
    assert capsys.readouterr().out == "Hm.\n\nUse the <think> tag; the answer is 4.\n\n"
