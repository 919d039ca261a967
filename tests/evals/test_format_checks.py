"""The grader `format`: each instruction of IFEval with a reply that follows it, and one that does not."""

import json

import pytest

from localsmc.evals.grading.format_checks import CHECKS, format, read_instructions
from localsmc.text import answers

CASES = [
    ("keywords:existence", {"keywords": ["Hague", "law"]}, "The hague has laws.", "The Hague."),
    ("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": "at least"}, "Cat, cat", "a cat"),
    ("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": "less than"}, "a cat", "cat cat"),
    ("keywords:forbidden_words", {"forbidden_words": ["can"]}, "candy", "yes we Can"),
    ("keywords:letter_frequency", {"letter": "Q", "let_frequency": 2, "let_relation": "at least"}, "qQ", "q"),
    ("length_constraints:number_sentences", {"num_sentences": 3, "relation": "at least"},
     'One is 3.5. "Two!" Three?', "One. Two."),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n\n***\n\nb\n***", "a\n\nb"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb", "a\n***\n***\nb"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "two words", "one two 3"),
    ("length_constraints:nth_paragraph_first_word",
     {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"}, "First a.\n\n\"Then, b", "Then\n\nb"),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] at [address]", "[name]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye\nP.S. more", "Bye PS"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye\nP. P. S. more", "P.S. more"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b", "* a\n** b\n- c\n- d"),
    ("detectable_format:constrained_response", {}, "My answer is maybe.", "My answer is perhaps."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and **b**", "*a* and **"),
    ("detectable_format:multiple_sections", {"section_spliter": "SECTION", "num_sections": 2},
     "SECTION 1\na\nSECTION 2\nb", "SECTION 1\na"),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', "a: 1"),
    ("detectable_format:title", {}, "<<A title>>\ntext", "<< >> text"),
    ("combination:two_responses", {}, "one\n******\ntwo", "one\n******\none"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say it. "}, "say it. Then this", "This. Say it."),
    ("startend:end_checker", {"end_phrase": "Any questions?"}, 'Well. any questions?"', "Any questions? No."),
    ("startend:quotation", {}, ' "all of it" ', '"some" of it'),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "at least"},
     "NASA and UN", "NASA"),
    ("change_case:english_capital", {}, "ALL 3 OF IT", "All"),
    ("change_case:english_lowercase", {}, "all 3 of it", "All"),
    ("punctuation:no_comma", {}, "a; b", "a, b"),
]  # fmt: skip


def gold(*instructions):
    names, arguments = zip(*instructions, strict=True)
    return json.dumps({"instruction_id_list": names, "kwargs": arguments})


@pytest.mark.parametrize(("name", "arguments", "followed", "broken"), CASES)
def test_each_instruction(name, arguments, followed, broken):
    padded = {**arguments, "some_other_argument": None}  # as the data set pads them
    assert format(followed, gold((name, padded))).is_right
    assert format(broken, gold((name, padded))).reason == f"{name} is not followed"


def test_every_instruction_has_a_case():
    assert set(CHECKS) - {name for name, *_ in CASES} == {"language:response_language"}


def test_all_instructions_must_be_followed():
    both = gold(("punctuation:no_comma", {}), ("startend:quotation", None))
    assert format('"a b"', both).is_right
    assert format('"a, b"', both).reason == "punctuation:no_comma is not followed"
    assert format('a b"', both).reason == "startend:quotation is not followed"


@pytest.mark.parametrize(
    "text",
    ["", "no comma", "{}", "[]", '{"instruction_id_list": [], "kwargs": []}',
     '{"instruction_id_list": ["a:b"], "kwargs": [{}]}',
     '{"instruction_id_list": ["punctuation:no_comma"], "kwargs": []}'],
)  # fmt: skip
def test_golds_that_are_no_instructions(text):
    assert read_instructions(text) is None
    assert format("a", text).verdict == "failed"


def test_arguments_that_do_not_fit_are_a_failure_of_the_grader():
    assert "cannot be read" in format("a", gold(("keywords:existence", {"keywords": ["("]}))).reason
    assert "cannot be read" in format("a", gold(("keywords:existence", {}))).reason


def test_a_check_whose_library_is_missing_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "langdetect", None)
    grade = format("Guten Tag", gold(("language:response_language", {"language": "de"})))
    assert (grade.verdict, "pip install langdetect" in grade.reason) == ("failed", True)


def test_the_answer_is_the_whole_reply():
    text = "<think>\nAnswer: 4\n</think>\n\nx = 1\n\nThe answer is \\boxed{3}.\n"
    assert answers.extract(text, "reply", is_cut=True) == "x = 1\n\nThe answer is \\boxed{3}."
    assert answers.extract("\n    return x\n", "reply") == "    return x"
    assert answers.extract("<think>hm", "reply") is None
    assert answers.key("a  B", "reply") != answers.key("a b", "reply")
