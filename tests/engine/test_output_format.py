"""Constrained decoding end to end: rejected grammars, llama.cpp's masks, completions and answers."""

from __future__ import annotations

import json
import re
import weakref

import numpy as np
import pytest

from localsmc.engine import output_format
from localsmc.engine.settings import Settings
from localsmc.engine.solve import solve, start
from localsmc.errors import ConfigError, NothingAllowed, SequenceError
from localsmc.llama import LlamaGrammar, gbnf
from localsmc.llama import grammar_masks as engine
from localsmc.methods import METHODS

LINE = 'root ::= "The answer is " [1-9] [0-9]{0,4} "."'
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"answer": {"type": "integer"}, "sure": {"type": "boolean"}},
        "required": ["answer", "sure"],
    }
)

# --- reading grammars -----------------------------------------------------------------------------

GOOD = {
    "a word": 'root ::= "yes" | "no"',
    "comments and blank lines": '# one\n\nroot ::= # two\n  "a" # three\n\n',
    "alternatives on lines": 'root ::= "a" |\n  "b"',
    "a group on lines": 'root ::= (\n "a"\n | "b"\n)+ "c"',
    "escapes": r'root ::= "\t\r\n\\\"\[\]\-\x41\u00e9\U0001F600" [\]\-\\^] [^"\\\x7F-\u00ff]',
    "repetitions": 'root ::= "a"* "b"+ "c"? "d"{2} "e"{2,} "f"{1,3} ( "g" {0} )',
    "any character": 'root ::= . "x" .*',
    "names with dashes": "root ::= a-1 B\na-1 ::= [a-c]\nB ::= [-x]",
    "recursion behind a character": 'root ::= "(" root ")" | "x"',
    "what may be empty, repeated": 'root ::= (x*)*\nx ::= y*\ny ::= "a"*',
    "a rule said twice": 'root ::= "a"\nroot ::= "b"',
    "windows lines": 'root ::= a\r\na ::= "b"\r\n',
    "an empty alternative": 'root ::= "a" |',
    "what may be empty, repeated a few times": 'root ::= ("a"? "b"?){0,9}',
    "lists in lists": 'root ::= a{0,99}\na ::= b{0,99} "."\nb ::= c{1,99} ";"\nc ::= [a-z]{1,20} ","',
    "levels of operators": "root ::= e0\n"
    + "".join(f'e{i} ::= e{i + 1} | e{i + 1} "{i}" e{i}\n' for i in range(5))
    + 'e5 ::= [0-9]+ | "(" root ")"',
    "a rule that nobody uses": 'root ::= "a"\nother ::= "b"',
}

BAD = {
    "": "the grammar is empty",
    " \n": "the grammar is empty",
    "# nothing\n": "has no rule `root`",
    'rot ::= "a"': "has no rule `root`",
    'root ::= "a': "line 1 of the grammar: expected a closed string with valid escapes",
    'root ::= "\\q"': "line 1 of the grammar: expected a closed string",
    'root ::= "a"\nx := "b"': 'line 2 of the grammar: expected `::=` at `:= "b"`',
    "root ::= [a-": "expected a closed character class",
    'root ::= ("a"': "expected `)`",
    'root ::= "a")': "expected the end of the rule at `)`",
    'root ::= "a"\n  | "b"': 'line 2 of the grammar: expected the name of a rule at `| "b"`',
    "root ::= foo\n": "line 1 of the grammar: the rule `foo` is not defined",
    'root ::= a_b\na ::= "x"': "a name or a group at `_b`",
    "root ::= *": "nothing to repeat",
    'root ::= ""+': "nothing to repeat",
    'root ::= "a"{,3}': "a repetition such as",
    'root ::= "a"{x}': "a repetition such as",
    'root ::= "a"{3,1}': "a repetition has a maximum of 1, below its minimum of 3",
    'root ::= "a"{99999999999999999999}': "a repetition such as",
    'root ::= ("a"{0,100}){0,100}': "a repetition amounts to 2,000 or more",
    "root ::= root": "`root` can start with itself",
    'root ::= root "a" | "b"': "line 1 of the grammar: `root` can start with itself",
    'root ::= "a" x\nx ::= n x "b" | "c"\nn ::= m\nm ::= ""': "line 2 of the grammar: `x` can start with",
    'root ::= ("a"? root)* "x"': "can start with itself",
    'root ::= x*\nx ::= y?\ny ::= x "a"': "can start with itself",
    "root ::= " + "(" * 100_000: "groups are nested more than 200 levels deep",
    "root ::= " + '[a-f]{0,1999} "-" ' * 200: "repetitions take too much memory together",
    "root ::= " + f'"{"a" * 999}"' + "{1999} " + f'"{"b" * 999}"{{1999}}': "repetitions take too much memory",
    "root ::= a{0,20}\na ::= b{0,20}\nb ::= c{0,20}\nc ::= [a-z]": "line 1 of the grammar: the same",
    'root ::= (("a"{0,9}){0,9}){0,9}\nx ::= root{0,40}': "the same beginning can be parsed in",
    "root ::= r0\n" + "".join(f'r{i} ::= r{i + 1} | r{i + 1} "b"\n' for i in range(22)) + "r22 ::= [a]": (
        "line 17 of the grammar: the same beginning"
    ),
    "root ::= <[7]>": "references to single tokens are not supported",
    "root ::= !<think>": "references to single tokens are not supported",
    'root ::= "a\0b"': "the grammar is not text: it contains a NUL",
    "root ::= " + '"a" ' * 300_000: "more than 1,000,000 bytes",
    'root ::= "a"\n' + "".join(f'r{i} ::= "a"\n' for i in range(10_001)): "more than 10,000 rules",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_is_accepted_llama_cpp_takes(embedded, text):
    gbnf.check(text)
    grammar = LlamaGrammar(embedded.llama, text)
    grammar.allowed([grammar.start()])


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=[text[:30] for text in BAD])
def test_what_llama_cpp_would_not_take_or_not_survive_is_refused(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        gbnf.check(text)
    assert refused.value.hint


# --- masks ----------------------------------------------------------------------------------------


def fed(grammar, tokens):
    state = grammar.start()
    for token in tokens:
        state = grammar.advance(state, int(token))
    return state


def brute_force(embedded, text, tokens):
    """The whole vocabulary tried by a sampler fed with the whole text; but for what writes no text."""
    llama = embedded.llama
    sampler = LlamaGrammar(llama, text)._fresh
    for token in tokens:
        sampler.accept(int(token))
    pieces = [llama.pieces[i] for i in range(llama.n_vocab)]
    has_text = np.array(
        [bool(piece) and not re.search(rb"[\x00\xc0\xc1\xf5-\xff]", piece) for piece in pieces]
    )
    return sampler.are_allowed(np.arange(llama.n_vocab)) & (has_text | llama.is_eog)


SAMPLES = {
    LINE: "The answer is 391.",
    'root ::= ([^x] | "xy")*': "Some words xy, é and 你好.",
    'root ::= "é" [^你]* "ü"?': "éa好ü",
    'root ::= "{" (" "? [a-z]+ ("=" [0-9]{1,3})? ";")* "}"': "{ab=12; c;d=999;}",
}


@pytest.mark.parametrize("levels", ["whole", "by beginnings"])
@pytest.mark.parametrize("text", SAMPLES)
def test_masks_are_those_of_the_whole_vocabulary_tried(embedded, monkeypatch, text, levels):
    if levels == "by beginnings":  # as for large vocabularies
        monkeypatch.setattr(engine, "SMALL", 0)
        monkeypatch.setattr(engine.Prefixes, "_known", weakref.WeakKeyDictionary())
    grammar, tokens = (
        LlamaGrammar(embedded.llama, text),
        embedded.llama.tokenize(SAMPLES[text], special=False),
    )
    assert (len(grammar._prefixes._levels) > 1) is (levels == "by beginnings")
    tokens = [token for token in tokens if embedded.llama.pieces[int(token)]]
    for n in range(len(tokens) + 1):
        (mask,) = grammar.allowed([fed(grammar, tokens[:n])])
        np.testing.assert_array_equal(mask, brute_force(embedded, text, tokens[:n]))
        if n < len(tokens):
            assert mask[tokens[n]]
    assert mask[embedded.llama.is_eog].all()


def test_a_vocabulary_is_gone_through_once_for_all_grammars_of_a_model(embedded):
    one, other = (LlamaGrammar(embedded.llama, text)._prefixes for text in (LINE, 'root ::= "a"'))
    assert one is other
    draft = embedded.require_draft().llama
    assert LlamaGrammar(draft, LINE)._prefixes is not one


def test_what_is_no_longer_remembered_is_made_anew(embedded, monkeypatch):
    monkeypatch.setattr(engine, "REMEMBERED", 2)
    grammar, tokens = (
        LlamaGrammar(embedded.llama, LINE),
        embedded.llama.tokenize("The answer is 3", special=False),
    )
    states = [fed(grammar, tokens[:n]) for n in range(len(tokens))]
    first = grammar.allowed(states, n_threads=2)
    assert len(grammar._known) == 2
    for mask, again in zip(first, grammar.allowed(states), strict=True):
        np.testing.assert_array_equal(mask, again)


def test_fewer_texts_of_a_large_grammar_are_remembered(embedded):
    assert LlamaGrammar(embedded.llama, LINE)._most_known == engine.REMEMBERED
    large = (
        " ".join(f"r{i}" for i in range(50))
        + "\n"
        + "\n".join(f'r{i} ::= [a-f]{{0,1999}} "-"' for i in range(50))
    )
    assert 50 < LlamaGrammar(embedded.llama, "root ::= " + large)._most_known < 200


def test_equal_texts_are_one_and_cost_one_mask(embedded, monkeypatch):
    grammar = LlamaGrammar(embedded.llama, 'root ::= "ab"*')
    (token,) = np.flatnonzero([embedded.llama.pieces[i] == b"a" for i in range(embedded.llama.n_vocab)])
    one, other = fed(grammar, [token]), fed(grammar, [token])
    assert one is other
    grammar.allowed([one])
    monkeypatch.setattr(engine.Prefixes, "allowed", None)
    grammar.allowed([other])


def test_a_token_that_is_not_allowed_never_reaches_llama_cpp(embedded):
    grammar = LlamaGrammar(embedded.llama, 'root ::= "a"')
    with pytest.raises(SequenceError, match="does not allow"):
        grammar.allowed([fed(grammar, [int(embedded.llama.tokenize("b", special=False)[0])])])
    with pytest.raises(SequenceError, match="does not allow"):
        grammar.allowed([fed(grammar, [int(np.flatnonzero(embedded.llama.is_eog)[0])])])


def test_bytes_that_are_in_no_text_are_never_allowed(embedded):
    """llama.cpp takes them for characters that a set in the negative does not name."""
    grammar = LlamaGrammar(embedded.llama, 'root ::= [^"]*')
    mask = grammar.allowed([grammar.start()])[0]
    lone = {
        embedded.llama.pieces[i] for i in np.flatnonzero(mask).tolist() if len(embedded.llama.pieces[i]) == 1
    }
    assert {byte[0] for byte in lone if byte[0] >= 0x80} == set(range(0xC2, 0xF5))


# --- texts ----------------------------------------------------------------------------------------

ACCEPTING = [name for name, method in METHODS.items() if not hasattr(method, "no_grammar")]


def solved(embedded, name, *, n_predict=40, **settings):
    method = embedded.method(name, **({} if name == "greedy" else {"particles": 3}))
    settings = Settings(seed=5, n_threads=1, n_predict=n_predict, **settings)
    return solve(embedded, "What is 17 * 23?", method=method, settings=settings)


@pytest.mark.parametrize("name", ACCEPTING)
def test_every_method_keeps_to_a_grammar(embedded, name):
    result = solved(embedded, name, grammar=LINE)
    for completion in result.completions:
        assert completion.finish_reason == "stop"
        assert re.fullmatch(r"The answer is [1-9][0-9]{0,4}\.", completion.text)
        assert completion.answer == re.search(r"\d+", completion.text)[0]


@pytest.mark.parametrize("name", ["power-smc", "power-mh", "sample", "draft-smc"])
def test_a_schema_gives_json_and_its_value_is_the_answer(embedded, name):
    for completion in solved(embedded, name, json_schema=SCHEMA).completions:
        if completion.finish_reason == "stop":
            value = json.loads(completion.text)
            assert set(value) == {"answer", "sure"}
            assert completion.answer == output_format.canonical(completion.text)
        else:
            assert completion.answer is None


def test_a_text_may_be_cut_at_its_horizon(embedded):
    (completion,) = solved(
        embedded, "greedy", n_predict=3, grammar='root ::= "abcdefghijklmnopqrstuvwxyz"'
    ).completions
    assert completion.finish_reason == "length"
    assert "abcdefghijklmnopqrstuvwxyz".startswith(completion.text)
    assert completion.answer is None


def test_log_probabilities_are_the_models_own(embedded):
    """They are those of the same tokens without a grammar, up to what the batch's shape rounds."""
    with start(
        embedded,
        "What is 17 * 23?",
        method=embedded.method("greedy"),
        settings=Settings(seed=1, n_threads=1, n_predict=40, grammar=LINE),
    ) as solving:
        for _ in solving:
            pass
        (ending,) = solving.run.endings()
        context, prompt = solving.context, solving.prompt
        context.clear()
        tokens = np.concatenate((prompt, ending.tokens)).astype(np.int64)
        rows = context.decode(tokens, np.arange(len(tokens)), np.zeros(len(tokens), dtype=np.int64))
        rows = rows[len(prompt) - 1 : -1].astype(np.float64)
    logp = rows - np.logaddexp.reduce(rows, axis=1)[:, None]
    expected = logp[np.arange(len(ending.tokens)), ending.tokens].sum()
    assert ending.logp == pytest.approx(expected, abs=0.05 * len(ending.tokens))
    assert ending.logp < -10  # what the embedded model thinks of such words


def test_nothing_that_the_model_can_write_is_one_clear_error(embedded):
    with pytest.raises(NothingAllowed, match="the grammar allows no token to begin with"):
        solved(embedded, "power-smc", grammar="root ::= [z-a]")
    with pytest.raises(NothingAllowed, match="after any of the completions, at token 1"):
        solved(embedded, "power-smc", grammar='root ::= "a" [z-a]')
    with pytest.raises(NothingAllowed, match="after any of 100 completions"):
        solved(embedded, "power-mh", grammar='root ::= "a" [z-a]')


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ACCEPTING])
def test_methods_that_take_no_grammar_say_why(embedded, name):
    with pytest.raises(ConfigError, match=f"`{name}` does not support a grammar: ") as refused:
        start(embedded, "x", method=embedded.method(name), settings=Settings(grammar=LINE))
    assert all(f"`{other}`" in refused.value.hint for other in ACCEPTING)


# --- schemas and answers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", "the JSON schema is not JSON: Expecting"),
        ("3", "the JSON schema is not an object"),
        ('{"type": "strange"}', "cannot be converted to a grammar: Unrecognized schema"),
        ('{"$ref": "#/$defs/none"}', "cannot be converted to a grammar: Error resolving ref"),
        ('{"$ref": "https://example.com/x"}', "cannot be converted to a grammar: Fetching remote"),
        ('{"type": "string", "pattern": "a"}', "cannot be converted to a grammar: Pattern must start"),
        (
            '{"properties": 3}',
            "cannot be converted to a grammar: it is nested too deep, or is not a schema (AttributeError)",
        ),
        (
            '{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}',
            "gives a grammar that cannot be used",
        ),
        (
            '{"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {}]}}, "$ref": "#/$defs/a"}',
            "gives a grammar that cannot be used (line 1",
        ),
        ('{"type": "array", "items": {"type": "integer"}, "maxItems": 9999}', "gives a grammar"),
        ("[" * 100_000, "the JSON schema is not JSON"),
    ],
)
def test_a_schema_that_makes_no_grammar_is_one_sentence(schema, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        output_format.to_gbnf(Settings(json_schema=schema))
    assert refused.value.hint
    assert "\n" not in str(refused.value)


def test_a_recursive_schema_is_one_for_recursive_texts(embedded):
    node = {"type": "object", "properties": {"of": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}}}
    schema = json.dumps({"$defs": {"N": {**node, "required": ["of"]}}, "$ref": "#/$defs/N"})
    grammar = LlamaGrammar(embedded.llama, output_format.to_gbnf(Settings(json_schema=schema)))
    tokens = embedded.llama.tokenize('{"of": {"of": null}}', special=False)
    assert grammar.allowed([fed(grammar, tokens)])[0][embedded.llama.is_eog].all()


@pytest.mark.parametrize(
    ("schema", "longest"),
    [
        ({"type": "string", "maxLength": 300}, "x" * 300),
        ({"type": "string", "minLength": 2, "maxLength": 200}, "x" * 200),
        ({"type": "array", "items": {"type": "boolean"}, "maxItems": 120}, [True] * 120),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 120}, [True] * 120),
    ],
)
def test_long_repetitions_of_a_schema_are_no_deep_nesting(embedded, schema, longest):
    grammar = LlamaGrammar(embedded.llama, output_format.to_gbnf(Settings(json_schema=json.dumps(schema))))
    text = json.dumps(longest)
    written = fed(grammar, embedded.llama.tokenize(text, special=False))
    assert grammar.allowed([written])[0][embedded.llama.is_eog].all()
    longer = json.dumps(longest + longest[:1])[:-1]
    with pytest.raises(SequenceError, match="does not allow"):
        grammar.allowed([fed(grammar, embedded.llama.tokenize(longer, special=False))])


def test_keywords_that_nobody_heeds_are_told():
    schema = {
        "type": "object",
        "properties": {"minimum": {"type": "integer", "maximum": 9}, "a": {"enum": [{"not": 1}]}},
        "anyOf": [{"multipleOf": 2}],
    }
    assert output_format.unsupported_keywords(Settings(json_schema=json.dumps(schema))) == [
        "maximum",
        "multipleOf",
    ]
    assert output_format.unsupported_keywords(Settings(grammar=LINE)) == []


@pytest.mark.parametrize(
    ("text", "settings", "is_whole", "answer"),
    [
        ('{"b": 1,  "a": "é"} ', {"json_schema": "{}"}, True, '{"a":"é","b":1}'),
        ("12", {"json_schema": "{}"}, False, None),
        ("{", {"json_schema": "{}"}, True, None),
        ("[" * 5000 + "]" * 5000, {"json_schema": "{}"}, True, None),
        ("yes\n", {"grammar": LINE}, True, "yes"),
        ("ye", {"grammar": LINE}, False, None),
        (" ", {"grammar": LINE}, True, None),
        (r"so \boxed{7}", {"grammar": LINE}, True, "7"),
        ("The answer is 7.\n", {"grammar": LINE}, False, "7"),
        ("The answer is 7", {"grammar": LINE}, False, None),
        ("we say yes to all of it", {"grammar": LINE}, True, "we say yes to all of it"),
        ("we say yes to all of it", {}, True, None),
    ],
)
def test_what_a_text_answers(text, settings, is_whole, answer):
    found = output_format.answer_of(text, Settings(**settings), "any", is_whole=is_whole)
    assert (found and found.text) == answer


def test_one_of_grammar_and_schema():
    with pytest.raises(ConfigError, match="`grammar` and `json-schema` cannot be combined"):
        Settings(grammar=LINE, json_schema="{}")
