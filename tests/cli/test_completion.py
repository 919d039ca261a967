"""Shell completion, in real processes with the variables that the shell scripts set."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from program import PROGRAM

from localsmc.methods import METHODS
from localsmc.methods.base import options_of
from localsmc_cli.completion.shells import _rejoined
from localsmc_cli.main import run
from localsmc_cli.options.choices import METHOD_OPTIONS

DEADLINE = 60


def process(*arguments, program=PROGRAM, **variables):
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE, env={**os.environ, **variables}
    )
    return done.returncode, done.stdout, done.stderr


def offered(*words, shell="bash", **variables):
    """What is offered for the last of these words, behind `localsmc`."""
    line = ["localsmc", *words]
    asked = {
        "bash": {"COMP_WORDS": "\n".join(line), "COMP_CWORD": str(len(words))},
        "zsh": {"COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(words))},
        "fish": {"COMP_WORDS": " ".join(line), "COMP_CWORD": line[-1]},
    }
    code, out, err = process(**asked[shell], _LOCALSMC_COMPLETE=f"{shell}_complete", **variables)
    assert (code, err) == (0, "")
    return out.splitlines()


OFFERED = [
    (["so"], ["plain,solve"]),
    (["nix", "x"], [""]),
    (["solve", "--alp"], ["plain,--alpha"]),
    (["solve", "--resampling", "sys"], ["plain,systematic"]),
    (["solve", "--method", "power-t"], ["plain,power-tempering"]),
    (["solve", "--method", "power-smc:al"], ["plain,power-smc:alpha="]),
    (["solve", "-fa", ""], ["plain,on", "plain,off", "plain,auto"]),
    (["solve", "-ngl", "a"], ["plain,auto", "plain,all"]),
    (["solve", "-f", "x"], ["file,x"]),
    (["eval", "-o", "x"], ["dir,x"]),
    (["report", "x"], ["file,x"]),
    (["methods", "cas"], ["plain,cascade"]),
    (["models", "show", "dra"], ["plain,draft"]),
    (["config", "prof"], ["plain,profiles"]),
    (["config", "show", "ev"], ["plain,eval"]),
    (["config", "set", "solve.al"], ["plain,solve.alpha"]),
    (["config", "set", "bench.part"], ["plain,bench.particles"]),
    (["config", "set", "promp"], [""]),
    # bash parts words at : and =, and puts what it is told in the place of the last part.
    (["solve", "--method", "power-smc", ":", "al"], ["plain,alpha="]),
    (
        ["solve", "--method", "draft-smc", ":"],
        [f"plain,{key}=" for key in METHOD_OPTIONS["draft-smc"].split()],
    ),
    (["solve", "--method", "power-smc", ":", "N", "=", "4,resa"], ["plain,4,resampling="]),
    (["solve", "--method", "power-smc", ":", "select", "=", "maj"], ["plain,majority"]),
    (["solve", "--resampling", "=", "sys"], ["plain,systematic"]),
    (["solve", "--method", "=", "power-smc", ":", "al"], ["plain,alpha="]),
    (["solve", "--method", "nix", ":", "al"], [""]),
]


@pytest.mark.parametrize(("words", "lines"), OFFERED)
def test_bash_is_offered(monkeypatch, capsys, words, lines):
    monkeypatch.setenv("_LOCALSMC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "\n".join(["localsmc", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    assert run([]) == 0
    found = capsys.readouterr().out.splitlines()
    if words[-1] == ":":  # every method selects
        assert found.pop() == "plain,select="
    assert (found or [""]) == lines


@pytest.mark.parametrize(("shell", "separator"), [("zsh", "\n"), ("fish", ",")])
def test_other_shells_are_offered_whole_words(shell, separator):
    def words(*typed):
        """In a process of its own."""
        return "\n".join(offered(*typed, shell=shell))

    assert words("so").startswith(f"plain{separator}solve")
    assert words("solve", "--method", "power-smc:al").startswith(f"plain{separator}power-smc:alpha=")
    assert words("solve", "--method=power-smc:al").startswith(f"plain{separator}--method=power-smc:alpha=")
    assert words("solve", "--alp").startswith(f"plain{separator}--alpha")


def test_models_by_name_and_file(tmp_path):
    (tmp_path / "aliases.json").write_text(json.dumps({"tinker": "tiny"}))
    (tmp_path / "a model.gguf").touch()
    (tmp_path / "a text.txt").touch()
    (tmp_path / "a folder").mkdir()
    variables = {"LOCALSMC_CONFIG": str(tmp_path), "HF_HOME": str(tmp_path), "HOME": str(tmp_path)}
    assert offered("solve", "-m", "tin", **variables) == ["plain,tiny", "plain,tinker"]
    assert offered("solve", "-md", "dra", **variables) == ["plain,draft"]
    files = ["path,~/a folder/", "path,~/a model.gguf"]
    assert offered("solve", "-m", "'~/a '", **variables) == files
    (tmp_path / "aliases.json").write_text("[")
    assert offered("solve", "-m", "tin", **variables) == ["plain,tiny"]


def test_profiles_of_the_users_own(tmp_path):
    (tmp_path / "config.toml").write_text("[profiles.careless]\n")
    variables = {"LOCALSMC_CONFIG": str(tmp_path)}
    assert offered("solve", "--profile", "care", **variables) == ["plain,careful", "plain,careless"]
    (tmp_path / "config.toml").write_text("[")
    assert offered("solve", "--profile", "care", **variables) == ["plain,careful"]


def test_nothing_that_takes_time_is_imported():
    program = PROGRAM.replace("main()", "run([])").replace("import main", "import run")
    program += "; import sys; heavy = 'numpy', 'llama_cpp', 'huggingface_hub', 'rich'"
    program += "; print([name for name in heavy if name in sys.modules])"
    for words in ("localsmc solve --method power-smc:al", "localsmc solve -m ti", "localsmc config set al"):
        variables = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        code, out, _ = process(program=program, _LOCALSMC_COMPLETE="bash_complete", **variables)
        assert code == 0
        assert out.endswith("[]\n")


def test_a_request_that_nobody_makes_is_no_traceback():
    assert process(_LOCALSMC_COMPLETE="powershell_complete") == (2, "", "")
    assert process(_LOCALSMC_COMPLETE="bash_complete") == (1, "", "")  # without words


def test_the_options_of_methods_written_out_are_the_librarys():
    assert METHOD_OPTIONS == {name: " ".join(options_of(method)) for name, method in METHODS.items()}


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["a", ":", "b", "c"], ["a:b", "c"]),
        (["a", "=", ""], ["a="]),
        (["a", ":"], ["a:"]),
        (["a:b", "c"], ["a:b", "c"]),
        (["a", ":", "b", "=", "c"], ["a:b=c"]),
        ([""], [""]),
    ],
)
def test_words_that_bash_has_parted_are_joined(words, joined):
    assert _rejoined(words) == joined


# --- scripts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_its_shell(shell):
    code, out, err = process("completion", shell)
    assert (code, err) == (0, "")
    assert f"_LOCALSMC_COMPLETE={shell}_complete" in out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=out, text=True, check=True, timeout=DEADLINE)


MISTAKES = [
    ([], "/bin/zsh", "no shell is given", "localsmc completion zsh"),
    ([], "/bin/tcsh", "no shell is given", "localsmc completion bash"),
    (["bsh"], "", "no completion for the shell `bsh`", "did you mean `bash`?"),
    (["powershell"], "", "no completion for the shell `powershell`", "choose from: bash, zsh, fish"),
]


@pytest.mark.parametrize(("arguments", "used", "sentence", "hint"), MISTAKES)
def test_a_shell_that_there_is_not(arguments, used, sentence, hint):
    assert process("completion", *arguments, SHELL=used) == (2, "", f"Error: {sentence}\n\nhint: {hint}\n")


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_takes_the_script(tmp_path):
    command = tmp_path / "localsmc"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{PROGRAM}" "$@"\n')
    command.chmod(0o700)
    script = """
        eval "$(localsmc completion bash)"; complete -p localsmc
        compopt() { echo compopt "$2"; }
        COMP_WORDS=(localsmc solve --method power-smc : al) COMP_CWORD=5; _localsmc_completion localsmc
        printf '<%s>' "${COMPREPLY[@]}"; echo
        COMP_WORDS=(localsmc solve --profile ca) COMP_CWORD=3; _localsmc_completion localsmc
        printf '<%s>' "${COMPREPLY[@]}"; echo
        COMP_WORDS=(localsmc solve -m "'$HOME/a '") COMP_CWORD=3; _localsmc_completion localsmc
        printf '<%s>' "${COMPREPLY[@]}"; echo
    """
    (tmp_path / "a model.gguf").touch()
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment, timeout=DEADLINE
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -o nosort -F _localsmc_completion localsmc",
        "compopt nospace",
        "<alpha=>",
        "<careful>",
        "compopt filenames",
        f"<{tmp_path}/a model.gguf>",
    ]
