"""Stop strings beside the marks of a thought, and thought that words open: token by token and whole."""

import pytest

from localsmc.text import reasoning
from localsmc.text.named_bytes import named
from localsmc.text.stop_rule import StopRule
from localsmc.text.thought_marks import AT_START, BEGUN, TEXT_MARKS, THOUGHT, ThoughtMarks

HARMONY = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>")
IN_MESSAGES = ThoughtMarks(HARMONY, HARMONY)
MESSAGE = IN_MESSAGES.begin(named("<|start|>") + b"assistant")
OPENED = TEXT_MARKS.begin(b"assistant\n<think>\n")
WORDS = "Here are my reasoning steps:"


def stopped(rule, pieces):
    """How many pieces are written, and what of them is shown."""
    rule = StopRule(pieces, rule.strings, rule.at_box, rule.marks, rule.begin, rule.names)
    state = rule.start()
    for token in range(len(pieces)):
        state = rule.advance(state, token)
        if state.hit:
            return token + 1, rule.shown(b"".join(pieces[: token + 1])).decode()
    return None, rule.shown(b"".join(pieces)).decode(errors="replace")


def rule(*strings, begin=AT_START, marks=TEXT_MARKS, names=(), at_box=False):
    return StopRule([], strings, at_box, marks, begin, frozenset(names))


def by_byte(text):
    return [bytes([byte]) for byte in text.encode()]


@pytest.mark.parametrize("stop", [">", "think", "/", "</", "think>", "<"])
@pytest.mark.parametrize(
    ("begin", "before"),
    [(OPENED, "a</think>"), (AT_START, "<think>a</think>"), (AT_START, "b<think>a</think>")],
)
@pytest.mark.parametrize("split", [by_byte, lambda text: [text.encode()]], ids=["by byte", "whole"])
def test_no_part_of_a_mark_stops(stop, begin, before, split):
    pieces = [*split(before), *split(f"\nx {stop}"), *split(" c")]
    n_written, shown = stopped(rule(stop, begin=begin), pieces)
    assert shown == f"{before}\nx "
    # What can begin a mark is known to begin none with the next piece.
    n_needed = len(split(before)) + len(split(f"\nx {stop}"))
    assert n_written - n_needed == (1 if stop in ("<", "</") else 0)


@pytest.mark.parametrize(
    ("begin", "text", "stop", "shown"),
    [
        (OPENED, "a</think>\nb", "</think>", "a"),
        (AT_START, "so <think>a</think>\nb", "<think>", "so "),
        (AT_START, "so <think>a</think>\nb", "</think>", "so <think>a"),
        (AT_START, f"\n{WORDS}\na", WORDS, "\n"),
        (AT_START, "a <thi", "<thi", "a "),
    ],
)
def test_a_stop_string_that_is_a_whole_mark_stops(begin, text, stop, shown):
    for pieces in (by_byte(text), [text.encode()]):
        assert stopped(rule(stop, begin=begin), pieces)[1] == shown


def test_no_stop_string_is_found_across_a_mark():
    text = "a</think>b c"
    for pieces in (by_byte(text), [text.encode()]):
        assert stopped(rule("ab"), pieces) == (None, text)


def test_backticks_stop_at_once():
    assert stopped(rule("```"), [b"a", b"```", b"c"]) == (2, "a")


def test_a_name_that_opens_a_thought_with_text_stops_there():
    names = ("<|channel>", "<channel|>")
    marks = ThoughtMarks(names, names)
    pieces = [b"a", named("<|channel>"), b"thought", b"\nb", named("<channel|>"), b"c"]
    assert stopped(rule("<|channel>", marks=marks, names=names), pieces) == (2, "a")
    assert stopped(rule("a<|channel>", marks=marks, names=names), pieces) == (2, "")
    assert stopped(rule("<|channel><|channel>", marks=marks, names=names), pieces)[0] is None
    assert stopped(rule("thought", marks=marks, names=names), pieces)[0] is None


# --- a name several times --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_stop_string_can_name_a_token_several_times(n):
    name = "<|im_start|>"
    pieces = [b"a", *[named(name)] * n, b"b"]
    assert stopped(rule(name * n, names=[name]), pieces) == (1 + n, "a")


# --- words that open a thought -----------------------------------------------------------------------------


@pytest.mark.parametrize("blank", ["", "\n", " \n\n"])
@pytest.mark.parametrize("split", [by_byte, lambda text: [text.encode()]], ids=["by byte", "whole"])
def test_words_open_a_thought_for_all_who_read(blank, split):
    work = f"{blank}{WORDS}\nmaybe \\boxed{{3}} but"
    whole = f"{work}[BEGIN FINAL RESPONSE]It is \\boxed{{4}}."
    assert [part.is_thought for part in reasoning.parts(work) if part.text.strip()] == [True]
    assert stopped(rule(at_box=True), split(work)) == (None, work)
    assert stopped(rule("steps"), split(work)) == (None, work)
    assert stopped(rule(at_box=True), [*split(whole), b"!"])[0] is not None
    assert TEXT_MARKS.end(work.encode(), AT_START).kind == THOUGHT
    assert TEXT_MARKS.completing(work.encode(), AT_START) == "\n[BEGIN FINAL RESPONSE]"
    assert reasoning.reply(whole) == "It is \\boxed{4}."


@pytest.mark.parametrize(
    "text", [f"So. {WORDS} \\boxed{{3}}", "Here are my reasons: \\boxed{3}", "\n\\boxed{3}"]
)
def test_other_words_open_none(text):
    for pieces in (by_byte(text), [text.encode()]):
        assert stopped(rule(at_box=True), pieces)[0] == len(pieces)
    assert reasoning.reply(text) == text
    assert TEXT_MARKS.completing(text.encode(), AT_START) == ""


# --- a header that the prompt begins --------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", ["The answer is probably five", "I ask the assistant", "x" * 90 + " assistant", "<", " t"]
)
def test_a_reply_without_a_header_is_no_header(said):
    assert MESSAGE.kind == BEGUN
    assert [part.text for part in reasoning.split(said.encode(), IN_MESSAGES, MESSAGE)] == [said]
    assert IN_MESSAGES.completing(said.encode(), MESSAGE) == ""


@pytest.mark.parametrize(
    ("written", "completing"),
    [
        ("", "<|channel|>final<|message|>"),
        (" to=functions.f", "<|message|><|end|><|start|>assistant<|channel|>final<|message|>"),
    ],
)
def test_a_header_that_was_begun_is_ended(written, completing):
    assert IN_MESSAGES.completing(written.encode(), MESSAGE) == completing


@pytest.mark.parametrize("text", ["The answer", " to=functions.f" + "x" * 90, "a <", " " * 70])
def test_a_header_is_the_same_token_by_token(text):
    state = MESSAGE
    for piece in by_byte(text):
        data = state.pending + piece
        state = IN_MESSAGES.waiting(state, data)
    assert IN_MESSAGES.waiting(MESSAGE, text.encode()) == state
