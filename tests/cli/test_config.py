"""Configuration: precedence and origin of values, invalid values, and edits of the file."""

import json
import os
import subprocess
import sys

import click
import pytest
from program import PROGRAM

from localsmc.system.user_dirs import RESERVED
from localsmc_cli.config import profiles
from localsmc_cli.config.keys import Known
from localsmc_cli.options.base_command import Option
from localsmc_cli.root import localsmc as group

SMALL = ["-t", "1", "-n", "4", "-s", "1"]


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The configuration's file, which is not there yet."""
    monkeypatch.setenv("LOCALSMC_CONFIG", str(tmp_path / "my config"))
    path = tmp_path / "my config" / "config.toml"
    path.parent.mkdir()
    return path


@pytest.fixture
def cli(file, cli):
    """With a configuration of its own."""
    return cli


@pytest.fixture
def shown(cli):
    """What `config show` has of an option of a command: its value and where that is from."""

    def call(option, command="solve"):
        code, out, err = cli("config", "show", command, "--json", "--all")
        assert code == 0, err
        (row,) = [row for row in json.loads(out) if row["option"] == option]
        return row["value"], row["from"]

    return call


# --- which value wins -----------------------------------------------------------------------------

LAYERS = [
    ("threads = 1", 1, "config.toml line 1"),
    ("[solve]\nthreads = 2", 2, "config.toml line 3"),
    ("[profiles.mine]\nthreads = 3", 3, "profile mine, config.toml line 5"),
    ("[profiles.mine.solve]\nthreads = 4", 4, "profile mine, config.toml line 7"),
]


@pytest.mark.parametrize("n_layers", range(1, 5))
def test_what_is_more_special_wins(shown, file, monkeypatch, n_layers):
    file.write_text("\n".join(text for text, *_ in LAYERS[:n_layers]))
    if n_layers > 2:
        monkeypatch.setenv("LOCALSMC_PROFILE", "mine")
    assert shown("threads") == LAYERS[n_layers - 1][1:]
    monkeypatch.setenv("LLAMA_ARG_THREADS", "5")
    assert shown("threads") == ("5", "environment LLAMA_ARG_THREADS")
    monkeypatch.setenv("LOCALSMC_THREADS", "6")
    assert shown("threads") == ("6", "environment LOCALSMC_THREADS")
    monkeypatch.setenv("LOCALSMC_THREADS", "")
    assert shown("threads") == ("5", "environment LLAMA_ARG_THREADS")


def test_each_layer_reaches_a_run(cli, file, monkeypatch):
    def particles(*arguments):
        code, out, err = cli("solve", "x", *SMALL, "--json", *arguments)
        assert code == 0, err
        return json.loads(out)["method"]["config"]["particles"]

    file.write_text('particles = 2\n[profiles.mine]\nparticles = 3\n[profiles.other]\nselect = "argmax"\n')
    assert particles() == 2
    assert particles("--profile", "mine") == 3
    assert particles("--profile", "other") == 2
    assert particles("--profile", "fast") == 4
    monkeypatch.setenv("LOCALSMC_PARTICLES", "5")
    assert particles("--profile", "mine") == 5
    assert particles("--profile", "mine", "-N", "6") == 6


def test_the_file_the_environment_and_the_command_line_name_the_profile(shown, cli, file, monkeypatch):
    file.write_text('profile = "fast"\n[solve]\nprofile = "careful"\n')
    assert shown("profile") == ("careful", "config.toml line 3")
    assert shown("particles") == (64, "profile careful")
    assert shown("profile", "methods") == ("fast", "config.toml line 1")
    monkeypatch.setenv("LOCALSMC_PROFILE", "balanced")
    assert shown("profile") == ("balanced", "environment LOCALSMC_PROFILE")
    assert shown("particles")[1] == "default"


def test_a_profile_of_the_users_own_takes_the_place_of_a_built_in_one(shown, file, monkeypatch):
    file.write_text("[profiles.careful]\nparticles = 7\n")
    monkeypatch.setenv("LOCALSMC_PROFILE", "careful")
    assert shown("particles") == (7, "profile careful, config.toml line 2")
    assert shown("select")[1] == "default"


@pytest.mark.parametrize("name", profiles.BUILT_IN)
def test_built_in_profiles_are_good_for_every_command(shown, monkeypatch, name):
    monkeypatch.setenv("LOCALSMC_PROFILE", name)
    for command in ("solve", "eval", "bench", "methods"):
        assert shown("profile", command) == (name, "environment LOCALSMC_PROFILE")


FLAGS = [
    ("json = true", {}, True),
    ("json = true", {"LOCALSMC_JSON": "0"}, False),
    ("json = true\n[profiles.words]\njson = false", {"LOCALSMC_PROFILE": "words"}, False),
    ("", {"LOCALSMC_JSON": "enabled"}, True),
    ("json = false", {"LOCALSMC_JSON": "1"}, True),
]


@pytest.mark.parametrize(("text", "variables", "is_json"), FLAGS)
def test_flags_are_switched_on_and_off(cli, file, monkeypatch, text, variables, is_json):
    file.write_text(text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, out, _ = cli("methods", "greedy")
    assert code == 0
    assert out.startswith("[{") == is_json


def test_of_two_flags_that_exclude_each_other_the_typed_one_counts(cli, file):
    file.write_text("verbose = true\n")
    code, _, err = cli("solve", "x", *SMALL, "-q")
    assert (code, err) == (0, "")
    file.write_text("verbose = true\nquiet = true\n")
    code, _, err = cli("solve", "x", *SMALL)
    assert code == 2
    assert "cannot be used together" in err


METHODS = [
    # What is typed wins over what the configured method says, and the other way round.
    ('method = "power-smc:N=2,alpha=2"', ["-N", "3"], {"particles": 3, "alpha": 2.0}),
    ("particles = 2\nalpha = 3", ["--method", "power-smc:N=3"], {"particles": 3, "alpha": 3.0}),
    ('particles = 2\nmethod = "power-smc:N=3"', [], {"particles": 3}),
    ('select = "argmax"', ["--method", "power-smc:N=2,select=draw"], {"select": "draw"}),
    ('method = "power-smc:N=2,select=draw"', ["--select", "argmax"], {"select": "argmax"}),
    # What no method has is there for others.
    ("particles = 2\nalpha = 3\nstop-when-decided = 0.9", ["--method", "greedy"], {}),
    ("gpu_layers = 0\ntensor-split = [1]\nstop = ['a b', \"\\n\"]", [], {"stop": ["a b", "\n"]}),
]


@pytest.mark.parametrize(("text", "arguments", "config"), METHODS)
def test_configured_options_and_methods_go_together(cli, file, text, arguments, config):
    file.write_text(text)
    code, out, err = cli("solve", "x", *SMALL, "--json", *arguments)
    assert code == 0, err
    assert config.items() <= json.loads(out)["method"]["config"].items()


def test_a_list_of_methods_is_a_comparison(cli, file):
    file.write_text('method = ["greedy", "sample:N=2"]\njson = true\n')
    code, out, _ = cli("solve", "x", *SMALL)
    assert code == 0
    assert [result["label"] for result in json.loads(out)["results"]] == ["greedy", "sample:N=2"]


def test_a_variable_is_one_value_with_spaces(cli, monkeypatch):
    monkeypatch.setenv("LOCALSMC_STOP", "a b")
    _, out, _ = cli("solve", "x", *SMALL, "--json")
    assert json.loads(out)["method"]["config"]["stop"] == ["a b"]
    monkeypatch.setenv("LOCALSMC_MODEL", "/no such/model.gguf")
    for command in (["solve", "x"], ["eval", "--task", "tiny", "-o", "run"], ["bench"]):
        code, _, err = cli(*command)
        assert code == 3
        assert "no model at `/no such/model.gguf`" in err


def test_who_named_a_model_that_there_is_not(cli, file, monkeypatch):
    file.write_text('\n[eval]\nmodel = ["/none.gguf"]\n')
    code, _, err = cli("eval", "--task", "tiny", "-o", "run")
    assert code == 3
    assert f"hint: the name comes from `{file}` line 3, `eval.model`; " in err
    monkeypatch.setenv("LLAMA_ARG_MODEL", "/nothing.gguf")
    assert "hint: the name comes from the environment variable `LLAMA_ARG_MODEL`; " in cli("solve", "x")[2]
    assert "named by" not in cli("solve", "x", "-m", "/nothing.gguf")[2]


def test_a_model_that_is_configured_gives_way_to_one_that_is_typed(cli, file, tmp_path):
    file.write_text('model = "/none.gguf"\n')
    code, _, err = cli("solve", "x", "-hf", "user/nothing", "--offline")
    assert code == 3
    assert "user/nothing" in err
    code, _, err = cli("bench", "--synthetic", "test", "-r", "1")
    assert "but the replayed model has" in err


# --- mistakes -------------------------------------------------------------------------------------

MISTAKES = [
    ("partcles = 3", " line 1: unknown option `partcles`", "did you mean `particles`?"),
    ("\n# x\n[solve]\nalhpa = 3", " line 4: unknown option `alhpa` of solve", "`alpha`"),
    ("[solve]\nseeds = 3", " line 2: unknown option `seeds` of solve", ""),
    ("[sovle]\nalpha = 3", " line 1: unknown command `sovle`", "did you mean `solve`?"),
    ("solve = 3", " line 1: `solve` is a command, not an option", "write [solve]"),
    ("[config]\njson = true", " line 2: no option of config can be configured", "remove it"),
    ("[profile.mine]\nalpha = 3", " line 1: unknown command `profile`", "write [profiles.NAME]"),
    ("profiles = 3", " line 1: `profiles` is a table", "write [profiles.NAME]"),
    ("[profiles]\nmine = 3", " line 2: a profile must be a table, but `mine` is a value", ""),
    ("[profiles.mine]\nalhpa = 3", " line 2: unknown option `alhpa`", "did you mean `alpha`?"),
    ('[profiles.mine]\nprofile = "fast"', " line 2: a profile cannot include another profile", ""),
    ('[profiles.a.solve]\nprofile = "fast"', " line 2: a profile cannot include another profile", ""),
    ('profile = "fsat"', " line 1, `profile`: unknown profile `fsat`", "did you mean `fast`?"),
    ("particles = 3.5", " line 1, `particles`: '3.5' is not a valid integer", ""),
    ("particles = true", " line 1, `particles`: 'true' is not a valid integer", ""),
    ("[solve]\nparticles = [3]", " line 2, `solve.particles`: expected a single value, not a list", ""),
    ("[solve.particles]\nx = 3", " line 1, `solve.particles`: a table is not a string or a number", ""),
    ("budget = 2020-01-01", " line 1, `budget`: `2020-01-01` is not a string or a number", ""),
    ("model = 3", " line 1, `model`: `3` is not a string", "put it in quotes"),
    ("json = 1", " line 1, `json`: `1` is not `true` or `false`", "write true or false"),
    ('select = "fisrt"', " line 1, `select`: 'fisrt' is not one of", ""),
    ("alpha = 0.5", " line 1, `alpha`: `alpha` is 0.5", ""),
    ("[profiles.fast]\nramp = -1", " line 2, `profiles.fast.ramp`: `ramp` is -1", ""),
    ('method = "power-scm"', " line 1, `method`: no method is called `power-scm`", "`power-smc`"),
    ('method = "sample:x=1"', " line 1, `method`: sample has no option `x`", ""),
    ('method = "power-smc:block=8"', " line 1, `method`: `block` has no effect without `rollouts`", "set"),
    ('stop = ""', " line 1, `stop` is empty", ""),
    ("predict = 1\nn_predict = 2", " line 2, `n_predict` is another name of `predict`", ""),
    ('prompt = "x"', " line 1: `prompt` cannot be configured: it gives the problem", "command line"),
    ('trace = "x"', " line 1: `trace` cannot be configured: every command would write to the same file", ""),
    ('[report]\njson = "x"', " line 2: `json` cannot be configured: every command would write", ""),
    ("[quantize]\nforce = true", " line 2: `force` cannot be configured: it overwrites a file", ""),
    ("[models]\nyes = true", " line 2: `yes` cannot be configured: it deletes", ""),
    ("help = true", " line 1: `help` cannot be configured: it prints", ""),
    ('output = "csv"', " line 1: `output` applies to bench only", "move it to the table [bench]"),
    ("particles = [3,\n4", " line 2, at the end: unclosed array", "write TOML"),
    ("a = 1\nb = = 2", " line 2, column 5: invalid value", "write TOML"),
    ("a = 1\na = 2\n", " line 2, column 6: cannot overwrite a value", "write TOML"),
]


@pytest.mark.parametrize(("text", "sentence", "hint"), MISTAKES)
def test_a_mistake_is_one_sentence_with_file_and_line(cli, file, text, sentence, hint):
    file.write_text(text)
    variables = "fast" if "profiles.fast" in text else ""
    code, out, err = cli("solve", "x", *SMALL, *(["--profile", variables] if variables else []))
    assert (code, out) == (2, "")
    error, _, rest = err.partition("\n\n")
    assert error.startswith(f"Error: `{file}`{sentence}")
    assert "\n" not in error
    assert rest.startswith("hint: ")
    assert hint in rest
    # Nothing of it keeps anybody from help.
    assert cli("solve", "--help")[0] == 0


def test_a_file_that_cannot_be_read_says_so(cli, file, monkeypatch):
    file.mkdir()
    assert cli("methods")[0::2] == (
        2,
        f"Error: `{file}` cannot be read: Is a directory\n\n"
        "hint: this is localsmc's configuration file; set LOCALSMC_CONFIG to use another folder\n",
    )
    file.rmdir()
    file.write_bytes(b"model = '\xff'")
    assert "is not UTF-8 text" in cli("methods")[2]
    file.write_text("[" * 5000)
    assert cli("methods")[0] == 2


def test_a_profile_that_is_typed_wrongly_is_no_mistake_of_the_file(cli):
    code, _, err = cli("solve", "x", "--profile", "carfeul")
    assert code == 2
    assert err == "Error: unknown profile `carfeul`\n\nhint: did you mean `careful`?\n"


def test_what_is_for_other_commands_keeps_nobody_from_working(cli, file):
    file.write_text('task = "tiny"\n[bench]\nparticles = [1, 4]\noutput = "csv"\n[eval]\nseeds = 3\n')
    assert cli("solve", "x", *SMALL)[0] == 0


def test_a_bad_variable_is_named(cli, monkeypatch):
    monkeypatch.setenv("LLAMA_ARG_THREADS", "1")
    monkeypatch.setenv("LOCALSMC_THREADS", "many")
    _, _, err = cli("solve", "x")
    assert err.startswith("Error: the environment variable `LOCALSMC_THREADS`: 'many' is")
    monkeypatch.setenv("LOCALSMC_THREADS", "1")
    monkeypatch.setenv("LOCALSMC_ALPHA", "0.5")
    _, _, err = cli("solve", "x")
    assert err.startswith("Error: the environment variable `LOCALSMC_ALPHA`: `alpha` is 0.5")


def test_an_unknown_variable_of_ours_is_a_warning(cli, monkeypatch):
    monkeypatch.setenv("LOCALSMC_ALHPA", "2")
    monkeypatch.setenv("LOCALSMC_SEEDS", "2")  # eval's
    line = "Warning: unknown environment variable `LOCALSMC_ALHPA`; did you mean `LOCALSMC_ALPHA`?\n"
    code, _, err = cli("methods")
    assert (code, err) == (0, line)
    assert line in cli("config")[2]
    assert "LOCALSMC_ALHPA" not in cli("solve", "x", *SMALL, "-q")[2]


# --- every option ---------------------------------------------------------------------------------


def options():
    root = click.Context(group, info_name="localsmc")
    known = Known(root)
    for table in known.tables():
        for command in known.commands(table):
            for param in command.params:
                if isinstance(param, click.Option):
                    yield table, param


def test_every_option_has_a_variable_or_says_why_not():
    for table, option in options():
        assert isinstance(option, Option), (table, option)
        ours = [name for name in option.variables if name.startswith("LOCALSMC_")]
        assert bool(ours) != bool(option.each_time) or option.keys == ("data",), (table, option.name)
        assert not set(ours) & set(RESERVED)
        if option.scope:
            assert all(name.startswith(f"LOCALSMC_{table.upper()}_") for name in ours)
        assert not option.is_flag or option.default is False


# --- the commands ---------------------------------------------------------------------------------


def test_config_alone_shows_what_is_set(cli, file):
    code, out, err = cli("config")
    assert (code, out) == (0, "")
    assert "nothing is set" in err
    file.write_text("particles = 3\n[eval]\nseeds = 2\n")
    code, out, _ = cli("config")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["option", "value", "from", "commands"],
        ["particles", "3", "config.toml", "line", "1", "all"],
        ["seeds", "2", "config.toml", "line", "3", "eval"],
    ]
    assert cli("config", "show", "eval")[1].splitlines()[-1].split() == "seeds 2 config.toml line 3".split()


def test_show_as_json_has_types(cli, file):
    file.write_text('profile = "mine"\nmethod = ["greedy"]\n[profiles.mine]\ngpu-layers = "auto"\n')
    _, out, _ = cli("config", "show", "solve", "--json")
    assert [(row["option"], row["value"], row["from"]) for row in json.loads(out)] == [
        ("profile", "mine", "config.toml line 1"),
        ("method", ["greedy"], "config.toml line 2"),
        ("gpu-layers", "auto", "profile mine, config.toml line 4"),
    ]


def test_show_finds_mistakes_for_other_commands_and_other_profiles(cli, file):
    file.write_text("[profiles.mine.eval]\nseeds = 'x'\n")
    assert cli("solve", "x", *SMALL)[0] == 0
    code, _, err = cli("config", "show")
    assert code == 2
    assert err.startswith(f"Error: `{file}` line 2, `profiles.mine.eval.seeds`: 'x' is not a whole number")


def test_lines_are_those_of_the_file(shown, file):
    file.write_text(
        '# [solve]\nmethod = [ # three\n  "greedy",\n  # x\n  "sample"]\n\n\n'
        'system = """\n[solve]\nalpha = 1\n"""\n"particles" = 3\nsolve.alpha = 2\n\n[ eval ]\nseeds = 2 # x\n'
    )
    assert shown("method")[1] == "config.toml line 2"
    assert shown("system")[1] == "config.toml line 8"
    assert shown("particles")[1] == "config.toml line 12"
    assert shown("alpha") == (2, "config.toml line 13")
    assert shown("seeds", "eval")[1] == "config.toml line 16"


COMMENTED = """\
# mine
threads = 4  # all of them
n_predict = 100

[solve]  # only here
alpha = 2
"""

CHANGES = [
    (["set", "threads", "2"], "threads = 4 ", "threads = 2 "),
    # By another of its names, an option stays where it is.
    (["set", "predict", "50"], "n_predict = 100", "n_predict = 50"),
    (["set", "solve.alpha", "3"], "alpha = 2", "alpha = 3"),
    (["set", "seed", "-1"], "n_predict = 100\n", "n_predict = 100\nseed = -1\n"),
    # Without a say beside the default scheme, with one beside others.
    (["set", "ess-threshold", "0.3"], "n_predict = 100\n", "n_predict = 100\ness-threshold = 0.3\n"),
    (["set", "json", "on"], "n_predict = 100\n", "n_predict = 100\njson = true\n"),
    (["set", "gpu-layers", "12"], "n_predict = 100\n", "n_predict = 100\ngpu-layers = 12\n"),
    (["set", "system", "3"], "n_predict = 100\n", 'n_predict = 100\nsystem = "3"\n'),
    (["set", "stop", "a", "b"], "n_predict = 100\n", 'n_predict = 100\nstop = ["a", "b"]\n'),
    (["set", "profiles.mine.alpha", "3"], "alpha = 2\n", "alpha = 2\n\n[profiles.mine]\nalpha = 3\n"),
    (["set", "eval.seeds", "3"], "alpha = 2\n", "alpha = 2\n\n[eval]\nseeds = 3\n"),
    (["unset", "n_predict"], "n_predict = 100\n", ""),
    (["unset", "solve.alpha"], "alpha = 2\n", ""),
    (["unset", "solve"], "[solve]  # only here\nalpha = 2\n", ""),
]


@pytest.mark.parametrize(("arguments", "before", "after"), CHANGES)
def test_set_and_unset_change_one_thing_and_keep_comments(cli, file, arguments, before, after):
    file.write_text(COMMENTED)
    assert cli("config", *arguments) == (0, "", "")
    assert file.read_text() == COMMENTED.replace(before, after)
    assert cli("config", "show")[0] == 0
    assert os.listdir(file.parent) == ["config.toml"]


REFUSED = [
    (["set", "partcles", "3"], "unknown option `partcles`", "did you mean `particles`?"),
    (["set", "particles", "x"], "`particles`: 'x' is not a valid integer", ""),
    (["set", "alpha", "0.5"], "`alpha` is 0.5", ""),
    (["set", "json", "maybe"], "`maybe` is not `true` or `false`", ""),
    (["set", "particles", "3", "4"], "expected a single value, not a list", ""),
    (["set", "profile", "nix"], "unknown profile `nix`", ""),
    (["set", "method", "greedy:x=1"], "greedy has no option `x`", "it has no options"),
    (["set", "prompt", "x"], "`prompt` cannot be configured", ""),
    (["set", "hf-token", "x"], "`hf-token` cannot be configured: it is a secret", ""),
    (["set", "particles.x", "3"], "unknown command `particles`", ""),
    (["set", "a b", "3"], "`a b` is not a valid key", ""),
    (["set", "particles"], "no value is given", ""),
    (["set", "particles=3"], "no value is given", "localsmc config set particles 3"),
    (["set"], "no option is given", "localsmc config set particles 32"),
    (["unset"], "no option is given", ""),
    (["unset", "alpha"], "`alpha` is not in", ""),
    (["unset", "threads.x"], "`threads.x` is not in", ""),
    (["shwo"], "has no command `shwo`", "show"),
    (["show", "sovle"], "unknown command `sovle`", "did you mean `solve`?"),
]


@pytest.mark.parametrize(("arguments", "sentence", "hint"), REFUSED)
def test_what_is_refused_leaves_the_file_alone(cli, file, arguments, sentence, hint):
    file.write_text(COMMENTED)
    code, out, err = cli("config", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert hint in err
    assert file.read_text() == COMMENTED


def test_a_broken_file_can_be_mended(cli, file):
    file.write_text("partcles = 3\nthreads = 'x'\n")
    assert cli("config", "set", "threads", 2)[0] == 0
    assert cli("config", "unset", "partcles")[0] == 0
    assert file.read_text() == "threads = 2\n"
    assert cli("config")[0] == 0


def test_set_makes_the_folder_and_follows_a_link(cli, file, tmp_path):
    file.parent.rmdir()
    assert cli("config", "set", "threads", 2)[0] == 0
    target = tmp_path / "dotfile"
    file.rename(target)
    target.chmod(0o600)
    file.symlink_to(target)
    assert cli("config", "set", "threads", 3)[0] == 0
    assert file.is_symlink()
    assert target.read_text() == "threads = 3\n"
    assert target.stat().st_mode & 0o777 == 0o600


def test_profiles_are_listed_with_their_values(cli, file):
    file.write_text("[profiles.fast]\nparticles = 2\n[profiles.mine.solve]\nbudget = 5\n")
    code, out, _ = cli("config", "profiles", "--json")
    assert code == 0
    found = {row["name"]: (row["values"], row["from"]) for row in json.loads(out)}
    assert found["fast"] == ({"particles": 2}, "config.toml line 1")
    assert found["mine"] == ({"solve": {"budget": 5}}, "config.toml line 3")
    assert found["balanced"] == ({}, "built in")
    assert "solve.budget = 5" in cli("config", "profiles")[1]


def test_path_is_where_the_file_would_be(cli, file):
    assert cli("config", "path") == (0, f"{file}\n", "")


@pytest.mark.skipif(os.name != "posix", reason="its editors are shell commands")
def test_edit_opens_the_file_and_checks_it(cli, file, monkeypatch, tmp_path):
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    assert cli("config", "edit") == (0, "", "")
    assert not file.exists()  # nothing was written: the examples are taken away again
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "partcles = 3" > "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    code, _, err = cli("config", "edit")
    assert code == 2
    assert err.startswith(f"Error: `{file}` line 1: unknown option `partcles`")


def test_a_program_that_hears_nothing_of_a_file_starts_without_it():
    """In a process: nothing that takes time is imported for the file, and tomlkit for `set` only."""
    code = PROGRAM.replace("main()", "run(['methods', '--help'])").replace("import main", "import run")
    code += "; import sys; heavy = 'numpy', 'tomlkit', 'tomllib', 'platformdirs'"
    code += "; print([name for name in heavy if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
