"""Templates of others end at limits, whatever they do, and leave the process usable."""

import os
import signal
import sys
import time

import pytest

import localsmc_models
from localsmc.errors import ConfigError, PromptError
from localsmc.gguf.reader import read_header
from localsmc.text.chat_template import ChatTemplate, MessageForm, TemplateAtLimit, check_jinja, form_of
from localsmc.text.templates import process
from localsmc.text.templates.known import is_known
from localsmc.text.templates.process import PROCESS, TemplateFailed, resident_bytes

TALK = [{"role": "user", "content": "x"}]
GROWN = "{%% set n = namespace(l=[1], m=[1]) %%}{%% for i in range(60) %%}%s{%% endfor %%}"
NESTED = GROWN % "{% set n.l = [n.l, n.l] %}{% set n.m = [n.m, n.m] %}"

NO_SYSTEM = "{% for m in messages %}{{ m.content if m.role != 'system' }}{% endfor %}"

TOO_LARGE = {
    "percent": '{{ "%9999999999d" % 1 }}',
    "times": '{{ "x" * 10**10 }}',
    "center": '{{ "x".center(10**10) }}',
    "center as a filter": '{{ "x" | center(10**10) }}',
    "indent": '{{ "a\nb" | indent(10**10) }}',
    "format": '{{ "%9999999999s" | format("x") }}',
    "str.format": '{{ "{:>9999999999}".format("x") }}',
    "join": '{{ range(99999) | join("x" * 100000) }}',
    "batch": '{{ range(99999) | batch(10**9, "x") | list }}',
    "replace": '{{ ("a" * 100000).replace("a", "b" * 1000000) }}',
    "a list": "{{ range(99999) | list * 99999 }}",
    "an error": "{{ raise_exception('x' * 10**10) }}",
}
TOO_LONG = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "macros": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "JSON": NESTED + "{{ n.l | tojson }}",
    "Python's form": NESTED + "{{ n.l }}",
    "a comparison": NESTED + "{{ n.l == n.m }}",
    "a power": "{{ (7 ** 5000000) | string | length }}{{ (7 ** 99999999) % 7 }}",
    "compiling": "{{ 1 }}" * 200_000,
}
SLOW_TO_READ = {
    "openings in a comment": "{{ messages[0].content }}{# " + "{{" * 100_000 + " #}",
    "openings at the end": "{{ messages[0].content }}" + "{%" * 100_000,
    "comments at the end": "{{ messages[0].content }}" + "{#" * 100_000,
    "quotes in a string": "{{ '" + r"\'" * 100_000 + " }}",
    "quotes in another string": '{{ "' + r"\"" * 100_000 + " }}",
    "words": "{{ messages[0].content }}{# {{" + "thinking_" * 100_000 + "}} #}",
}
TOO_DEEP = {
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a loop": "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "blocks": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
}


@pytest.mark.parametrize("source", TOO_LARGE.values(), ids=TOO_LARGE)
def test_memory_is_bounded(source):
    with pytest.raises(TemplateAtLimit, match="failed: it needs more than 512 MB of memory$"):
        ChatTemplate(source).render(TALK)


def test_what_grows_step_by_step_ends_at_a_limit():
    """Half of a gigabyte takes some machines longer to fill than a template may take."""
    source = "{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}"
    with pytest.raises(TemplateAtLimit, match="failed: it needs (more than 512 MB of memory|too much time)$"):
        ChatTemplate(source).render(TALK)


@pytest.mark.parametrize("source", TOO_LONG.values(), ids=TOO_LONG)
def test_time_is_bounded(source):
    began = time.monotonic()
    with pytest.raises(TemplateAtLimit, match="failed: it needs (too much time|more than 10 s)$"):
        ChatTemplate(source).render(TALK)
    assert time.monotonic() - began < 15
    assert ChatTemplate("{{ messages[0].content }}").render(TALK) == "x"


@pytest.mark.parametrize("source", SLOW_TO_READ.values(), ids=SLOW_TO_READ)
def test_the_switches_of_a_template_are_read_in_linear_time(source):
    began = time.process_time()
    assert not ChatTemplate(source).has_thinking_switch
    assert time.process_time() - began < 1


@pytest.mark.parametrize("source", TOO_DEEP.values(), ids=TOO_DEEP)
def test_depth_is_bounded(source):
    with pytest.raises(TemplateAtLimit, match="failed: it nests too deeply$"):
        ChatTemplate(source).render(TALK)


def test_output_is_bounded():
    with pytest.raises(TemplateAtLimit, match="failed: it writes more than 16,000,000 characters$"):
        ChatTemplate("{% for i in range(99) %}{{ 'x' * 200000 }}{% endfor %}").render(TALK)


def test_a_template_that_waits_is_ended(monkeypatch):
    """The limit on waiting, which holds on a system without timers too."""
    monkeypatch.setattr(process, "SECONDS", 0.0)
    monkeypatch.setattr(process, "_GLANCE", 0.01)
    with pytest.raises(TemplateFailed, match="^it needs more than 0 s$") as caught:
        PROCESS.render(TOO_LONG["loops"], {})
    assert caught.value.is_at_limit


def test_memory_is_watched_where_the_system_sets_no_limit(monkeypatch):
    monkeypatch.setattr(process, "MEMORY", 1)
    monkeypatch.setattr(process, "_GLANCE", 0.01)
    with pytest.raises(TemplateFailed, match="memory$"):
        PROCESS.render(TOO_LONG["loops"], {})


def test_the_memory_of_a_process():
    assert resident_bytes(os.getpid()) > 10_000_000
    assert resident_bytes(2**22 + 1) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no timers")
def test_an_interrupt_ends_a_template_at_once():
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    PROCESS.check("x{{ 1 }}")
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            ChatTemplate(TOO_LONG["loops"]).render(TALK)
    finally:
        signal.signal(signal.SIGALRM, before)
    # Not the answer to what was interrupted.
    assert ChatTemplate("{{ messages[0].content }}").render(TALK) == "x"


def test_a_process_that_died_is_started_again():
    PROCESS.prepare()
    PROCESS._child._process.kill()
    PROCESS._child._process.wait()
    assert ChatTemplate("{{ messages[0].content }}").render(TALK) == "x"


def test_a_process_that_cannot_be_started_is_one_sentence(monkeypatch):
    PROCESS.stop()

    def refuse(*_, **__):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(process, "ChildProcess", refuse)
    PROCESS.prepare()
    why = "its process cannot be started: Resource temporarily unavailable$"
    for is_given in (False, True):
        template = ChatTemplate(NO_SYSTEM, is_given=is_given)
        with pytest.raises(PromptError, match=f"^no chat template can be rendered: {why}") as caught:
            template.render(TALK)
        assert "limits on processes" in caught.value.hint
    with pytest.raises(PromptError, match=f"^`x` cannot be checked: {why}") as caught:
        check_jinja("{{ 1 }}", "`x`")
    assert "limits on processes" in caught.value.hint
    # Once there is a process, nothing is left of the failure.
    monkeypatch.undo()
    assert form_of(template) == MessageForm(takes_system=False)


def test_only_what_jinja_cannot_parse_is_no_template():
    with pytest.raises(ConfigError, match="^`x` is not a Jinja template: line 2: ") as caught:
        check_jinja("a\n{% for %}", "`x`")
    assert caught.value.hint == "correct the template"
    with pytest.raises(ConfigError, match="^`x` cannot be compiled: it nests too deeply$"):
        check_jinja(TOO_DEEP["brackets"], "`x`")
    with pytest.raises(
        ConfigError, match="^`x` cannot be compiled: it needs (too much time|more than 10 s)$"
    ):
        check_jinja(TOO_LONG["compiling"], "`x`")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ raise_exception('a\x1b[31m\n b') }}", r"a \[31m b$"),
        ("{{ raise_exception('y' * 9999) }}", "y{300}…$"),
        ("{{ raise_exception('') }}", "TemplateError$"),
        ("{{ ''.__class__ }}{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% include 'x' %}", "no loader"),
        ("{{ strftime_now('%Y' * 9999) }}", "the form of a date is too long$"),
    ],
)
def test_a_failure_is_told_in_one_printable_line(source, why):
    with pytest.raises(PromptError, match=f"failed: .*{why}") as caught:
        ChatTemplate(source).render(TALK)
    assert str(caught.value).isprintable()


def test_half_a_surrogate_pair_is_replaced():
    assert ChatTemplate("{{ '\\ud800' }}é{{ '\\ud83d\\ude00' }}").render(TALK) == "\ufffdé\U0001f600"


def test_a_slow_template_that_fails_is_not_tried_in_every_form(monkeypatch):
    tries = []
    monkeypatch.setattr("localsmc.text.chat_template._PATIENCE", 0.0)
    monkeypatch.setattr(PROCESS, "render", lambda *_: tries.append(1) or PROCESS.check("{{ "))
    with pytest.raises(PromptError):
        ChatTemplate("{{ 1 / 0 }}{{ 'slow' }}").render(TALK)
    assert len(tries) == 1


@pytest.mark.parametrize("name", localsmc_models.names())
def test_templates_of_the_models_in_the_package_render_in_this_process(name, monkeypatch):
    source = read_header(localsmc_models.path(name)).metadata["tokenizer.chat_template"]
    assert is_known(source)
    monkeypatch.setattr(PROCESS, "render", None)
    assert "x" in ChatTemplate(source).render(TALK)


def test_a_known_template_with_another_character_is_not_known():
    source = read_header(localsmc_models.path("tiny")).metadata["tokenizer.chat_template"]
    assert is_known(source + "\n")
    assert not is_known(source + " ")
