"""Arguments as lm-eval passes them: of the model, and of a generation."""

import subprocess
import sys

import pytest

from localsmc.errors import ConfigError
from localsmc.harness.generation_arguments import GenerationArguments
from localsmc.harness.model_arguments import KINDS, ModelArguments
from localsmc.methods import METHODS
from localsmc.methods.base import options_of
from localsmc.methods.spec import parse_method


def test_no_arguments_are_the_embedded_model_and_the_method_of_the_task():
    found = ModelArguments.of({})
    assert (found.model, found.method, found.seed) == (None, None, 0)


def test_options_of_a_method_that_lm_eval_parts_at_commas_belong_to_it():
    # --model_args model=a.gguf,method=power-smc:N=16,alpha=3,early=true
    found = ModelArguments.of({"method": "power-smc:N=16", "alpha": 3, "select": "majority"})
    assert found.method == parse_method("power-smc:N=16,alpha=3,select=majority")
    assert ModelArguments.of({"method": "sample", "N": 4}).method == parse_method("sample:N=4")


def test_no_option_of_a_method_has_the_name_of_an_argument():
    assert not KINDS.keys() & {name for method in METHODS.values() for name in options_of(method)}


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"modle": "a.gguf"}, "no argument `modle`", "did you mean `model`?"),
        ({"pretrained": "a.gguf"}, "no argument `pretrained`", "choose from: model, "),
        ({"alpha": 2}, "no argument `alpha`", "choose from"),
        ({"method": "sample", "alpha": 2}, "no argument `alpha`", ""),
        ({"method": "power-smcc"}, "no method is called", "power-smc"),
        ({"threads": "two"}, "must be a whole number", ""),
        ({"threads": -1}, "`threads` is `-1`", ""),
        ({"thinking": 1}, "must be true or false", ""),
        ({"model_draft": "a.gguf"}, "has no effect", "method=speculative"),
        ({"chat_template": "no-such.jinja"}, "no-such.jinja", ""),
    ],
)
def test_wrong_arguments_are_refused(given, message, hint):
    with pytest.raises(ConfigError) as error:
        ModelArguments.of(given)
    assert message in str(error.value)
    assert hint in (error.value.hint or "")


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ({}, "greedy"),
        ({"do_sample": False, "temperature": 0.7}, "greedy"),
        ({"do_sample": True, "temperature": 0.0}, "greedy"),
        ({"temperature": 0.5}, "sample:temperature=0.5"),
        ({"do_sample": True}, "sample"),
        ({"do_sample": True, "temperature": 0.8, "top_p": 0.9}, "sample:temperature=0.8,top_p=0.9"),
    ],
)
def test_a_task_is_greedy_unless_it_samples(given, method):
    assert GenerationArguments.of(given).method.method == parse_method(method).method


def test_where_a_generation_ends():
    found = GenerationArguments.of({"until": "\n\n", "max_new_tokens": 8, "num_beams": 1})
    assert (found.until, found.max_tokens) == (("\n\n",), 8)
    found = GenerationArguments.of({"until": ["A", ""], "max_gen_toks": 9, "max_tokens": 8})
    assert (found.until, found.max_tokens) == (("A",), 9)
    assert GenerationArguments.of({}).max_tokens == 256


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"num_beams": 10}, "num_beams=1"),
        ({"typical_p": 0.5}, "typical_p=None"),
        ({"max_gen_toks": 0}, "256"),
    ],
)
def test_what_has_no_effect_here_is_refused(given, hint):
    with pytest.raises(ConfigError) as error:
        GenerationArguments.of(given)
    assert hint in (error.value.hint or "")


def test_without_lm_eval_a_sentence_says_how_to_install_it():
    code = (
        "import importlib.util as u, runpy, sys; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'lm_eval' else find(name, *a);"
        "runpy.run_module('localsmc.harness', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: lm-evaluation-harness is not installed\n\nhint: install it: pip install 'localsmc[lm-eval]'\n"
    )
