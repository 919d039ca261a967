"""The command `localsmc chat` in real processes, from a pipe and in a terminal."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from program import PROGRAM
from renamed_model import renamed

from localsmc.errors import ConfigError
from localsmc.text.instructions import BOXED, NEUTRAL
from localsmc_cli.chat.line_reader import messages
from localsmc_cli.chat.slash_commands import COMMANDS

DEADLINE, PATIENCE = 120, 30
BRIEF = ["-t", "1", "-N", "4", "-n", "12", "-s", "1"]
posix = pytest.mark.skipif(os.name != "posix", reason="needs a terminal")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith(("LLAMA_ARG_", "LOCALSMC_"))]:
        monkeypatch.delenv(name)
    for name in ("CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"LOCALSMC_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def chat(*arguments, said="", timeout=DEADLINE):
    """A conversation from a pipe: exit code, standard output and error."""
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, "chat", *map(str, arguments)],
        input=said.encode() if isinstance(said, str) else said,
        capture_output=True,
        timeout=timeout,
    )
    return child.returncode, child.stdout.decode(), child.stderr.decode()


def chats(tmp_path):
    return sorted((tmp_path / "data" / "chats").glob("*.jsonl"))


@pytest.fixture(scope="module")
def general(tmp_path_factory):
    """A copy of the embedded model under another name: a model with a template, known for nothing."""
    return renamed(tmp_path_factory.mktemp("general") / "general.gguf")


# --- from a pipe ----------------------------------------------------------------------------------


def test_each_line_is_a_message_and_replies_are_on_standard_output(tmp_path):
    said = 'What is 17 * 23?\n\n"""\nAnd\n18 * 23?\n"""\n/answers\n'
    code, out, err = chat(*BRIEF, said=said)
    assert code == 0
    (path,) = chats(tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.get("role") for line in lines] == [None, "user", "assistant", "user", "assistant"]
    assert [lines[1]["content"], lines[3]["content"]] == ["What is 17 * 23?", "And\n18 * 23?"]
    assert out == f"{lines[2]['content']}\n{lines[4]['content']}\n"
    assert lines[4]["usage"]["cached_tokens"] == lines[2]["usage"]["prompt_tokens"]
    assert err.count("prompt tokens") == 2
    assert chat(*BRIEF, said=said)[1] == out


def test_mistakes_go_on_and_the_first_is_the_exit_code(tmp_path):
    said = [
        "/foo",
        "/alhpa 3",
        "/alpha x",
        "/alpha 0.5",
        "/method nope",
        "/regen",
        "/answers",
        "/load",
        "/box x",
    ]
    said += [
        "/load /no/such",
        f"/save {tmp_path}",
        "/load ~nobody-here/x",
        "/model /no/such.gguf",
        "/method speculative:x=1",
        "word " * 2000,
    ]
    said += ["/think maybe", "/trace /no/such/trace.jsonl", "What is 2 + 2?"]
    code, out, err = chat(*BRIEF, said="\n".join(said))
    assert code == 2
    assert err.count("Error: ") == len(said) - 1
    assert err.count("\nhint: ") == len(said) - 1
    assert "did you mean `/alpha`" in err
    assert "Traceback" not in err
    assert out.strip()


def test_a_conversation_goes_on_where_it_was(tmp_path):
    _, whole, _ = chat(*BRIEF, "-sys", "Be brief.", said="What is 17 * 23?\nWhat is 2 + 2?\n/system")
    (path,) = chats(tmp_path)
    begun = path.read_text().splitlines()[:4]
    path.write_text("\n".join(begun) + "\n")
    code, out, err = chat(*BRIEF[:-2], "-s", "2", "-c", said="/system\nWhat is 2 + 2?\n")
    assert code == 0
    assert "continuing after 1 exchange" in err
    assert "system: Be brief." in err
    assert whole.endswith(out)
    assert chats(tmp_path) == [path]
    assert len(path.read_text().splitlines()) == 6


def test_what_was_typed_stays_with_the_methods(tmp_path):
    said = ["/method greedy", "/method power-smc", "/alpha 3", "/method power-mh", "/method power-smc:N=9"]
    _, _, err = chat(*BRIEF, "--no-save", said="\n".join(said))
    told = [line for line in err.splitlines() if line.startswith(("greedy", "power"))]
    assert told[0] == "greedy"
    assert "particles=4, alpha=4" in told[1]
    assert "particles=4, alpha=3" in told[2]
    assert "particles=4" in told[3]
    assert "alpha=3" in told[3]
    assert "particles=9, alpha=3" in told[4]


def test_a_reply_that_was_cut_says_so(tmp_path):
    assert (
        "cut off at 12 tokens; `-n 24` allows more" in chat(*BRIEF, "--no-save", said="What is 17 * 23?")[2]
    )


@pytest.mark.parametrize(
    ("arguments", "said", "added"),
    [
        ([], "", None),
        (["--box", "on"], "", BOXED),
        (["--box", "auto"], "", NEUTRAL),
        (["--box", "on"], "/box off\n", None),
        ([], "/box on\n", BOXED),
        ([], "/box auto\n", NEUTRAL),
    ],
)
def test_chat_is_plain_unless_it_is_asked_for_answers(tmp_path, general, arguments, said, added):
    file = tmp_path / "talk.jsonl"
    message = "What is 17 * 23?"
    code, _, err = chat(
        "-m", general, *BRIEF, *arguments, "-o", file, said=f"{said}{message}\nThanks!\n/box\n"
    )
    assert code == 0
    (_, first, _, second, _) = map(json.loads, file.read_text().splitlines())
    assert first == {"role": "user", "content": message} | ({} if added is None else {"instruction": added})
    assert ("instruction" in second) is (added == BOXED)
    assert err.splitlines()[-1].startswith("instruction ")
    assert (added or "instruction off") in err.splitlines()[-1]


def test_chat_with_a_base_model_says_so_and_takes_a_template(tmp_path, random_llama):
    arguments = ["-m", random_llama, *BRIEF, "--no-save", "-v"]
    _, _, err = chat(*arguments, said="hi\nyou\n")
    assert (
        err.count("random llama.gguf is a base model: it has no chat template and continues the text of") == 1
    )
    assert "`--chat-template NAME|FILE` gives it one" in err
    assert 'prompt: "hi"\n' in err
    code, _, err = chat(*arguments, "--chat-template", "vicuna", said="hi\n")
    assert code == 0
    assert "base model" not in err
    assert 'prompt: "USER: hi\\nASSISTANT:"\n' in err


def test_a_transcripts_model_is_not_downloaded_unasked(tmp_path):
    file = tmp_path / "talk.jsonl"
    file.write_text('{"localsmc": "chat", "version": 1, "model": "somebody/model:Q4_K_M"}\n')
    code, _, err = chat("-c", file, said="hello")
    assert code == 3
    assert "hint: the conversation was held with it; `-m MODEL` continues with another model" in err


def test_files_of_conversations(tmp_path):
    one, other = tmp_path / "a talk.jsonl", tmp_path / "other.jsonl"
    code, _, err = chat(*BRIEF, "-o", one, said=f"hello\n/save '{other}'\n/clear\n/load '{other}'\n/regen\n")
    assert code == 0
    assert "continuing after 1 exchange\n> hello\n" in err
    assert other.read_text().splitlines()[1] == one.read_text().splitlines()[1]
    assert chats(tmp_path) == []
    chat(*BRIEF, "--no-save", said="hello\n")
    assert chats(tmp_path) == []
    assert chat(*BRIEF, "-c", one, said="more\n")[0] == 0
    assert len(one.read_text().splitlines()) == 5


def test_another_conversation_is_kept_in_another_file(tmp_path):
    other = tmp_path / "other.jsonl"
    assert chat(*BRIEF, said=f"one\n/save {other}\n/clear\ntwo\n/load {other}\nthree\n")[0] == 0
    said = [[line for line in path.read_text().splitlines() if '"user"' in line] for path in chats(tmp_path)]
    assert sorted(map(len, said)) == [1, 1, 2]
    assert len(other.read_text().splitlines()) == 3


def test_a_solved_problem_is_the_beginning_of_a_conversation(tmp_path):
    file = tmp_path / "one problem.jsonl"
    command = [sys.executable, "-c", PROGRAM, "solve", *BRIEF, "-q", "What is 17 * 23?", "-o", str(file)]
    assert subprocess.run(command, capture_output=True, timeout=DEADLINE).returncode == 0
    code, out, err = chat(*BRIEF, "-c", file, said="And 18 * 23?\n")
    assert (code, bool(out)) == (0, True)
    assert "continuing after 1 exchange\n> What is 17 * 23?\n" in err
    assert len(file.read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c"], "there is no conversation to continue yet"),
        (["-c", "{folder}/none"], "cannot be read"),
        (["-c", "~nobody-here/x"], "cannot be read"),
        (["-o", "~nobody-here/x"], "cannot be written"),
        (["-c", "{folder}"], "cannot be read"),
        (["-o", "{folder}"], "cannot be written"),
        (["-o", "{folder}/x", "--no-save"], "cannot be used together"),
        (["-c", "512", "--ctx-size", "512"], "given twice"),
        (["--method", "greedy", "--method", "sample"], "2 methods are given"),
        (["--method", "speculative", "-m", "x.gguf"], "needs a draft model"),
        (["-m", "{folder}/no model.gguf"], "no model at"),
        (["-m", "{text}"], "not a GGUF"),
        (["What is 2 + 2?"], "unexpected extra argument"),
        (["--raw"], "unknown option `--raw`"),
        (["-q", "-v"], "cannot be used together"),
        (["-c", "64"], "the prompt has"),
        (["-o", "{text}"], "already exists and is not empty"),
        (["--grammar", ""], "grammar is empty"),
        (["--grammar", 'root ::= "a'], "grammar"),
    ],
)
def test_mistakes(tmp_path, arguments, message):
    text = tmp_path / "text.gguf"
    text.write_text("this is a text")
    code, out, err = chat(
        *(one.format(folder=tmp_path, text=text) for one in arguments), said="What is 2 + 2? " * 9
    )
    assert code in (2, 3, 4, 7)
    assert out == ""
    assert message in err
    assert "hint: " in err
    assert "Traceback" not in err


def test_the_size_of_the_context_as_hands_are_used_to(tmp_path):
    assert "context: 512 tokens, given" in chat(*BRIEF, "-c", "512", "-v", said="hello\n")[2]


def test_a_disk_that_is_full_ends_the_file_and_not_the_talk(tmp_path):
    (tmp_path / "data").write_text("no folder")
    code, out, err = chat(*BRIEF, said="hello\nhello\n")
    assert code == 0
    assert out.count("\n") >= 2
    assert err.count("this conversation is no longer saved") == 1


def test_the_model_of_a_conversation_is_found_from_elsewhere_or_another_takes_its_place(
    tmp_path, monkeypatch, random_llama
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a model.gguf").symlink_to(random_llama)
    monkeypatch.chdir(tmp_path)
    talk = tmp_path / "talk.jsonl"
    code, _, err = chat(*BRIEF, "-m", "a model.gguf", "-o", talk, said="hello\n")
    assert (code, "no model is given" in err) == (0, False)
    monkeypatch.chdir(tmp_path / "folder")
    assert chat(*BRIEF, "-c", talk, said="")[0] == 0
    (tmp_path / "a model.gguf").unlink()
    code, _, err = chat(*BRIEF, "-c", talk, said="")
    hint = "the conversation was held with it; `-m MODEL` continues with another model"
    assert (code, hint in err) == (3, True)
    assert chat(*BRIEF, "-c", talk, "-m", "tiny", said="")[0] == 0


def test_a_draft_waits_for_a_method_that_has_use_for_it():
    code, out, err = chat(*BRIEF, "-md", "draft", "--no-save", said="hello\n/method speculative\nhello\n")
    assert (code, bool(out)) == (0, True)
    assert "speculative (" in err


def test_a_command_may_go_on_below():
    code, _, err = chat(*BRIEF, "--no-save", said='"""\n/system\nBe brief.\nBe kind.\n"""\n/\n')
    assert code == 2
    assert "system: Be brief.\nBe kind.\n" in err
    assert "unknown command `/`" in err


def test_replies_keep_to_a_grammar(tmp_path):
    grammar = 'root ::= "It is " [0-9] [0-9]? "."'
    code, out, _ = chat(*BRIEF, "--grammar", grammar, said="What is 2 + 2?\nAnd 3 + 4?\n")
    assert code == 0
    assert re.fullmatch(r"(It is \d\d?\.\n){2}", out)


def test_input_that_is_no_text(tmp_path):
    code, out, err = chat(*BRIEF, said=b"\xff\xfe\x00")
    assert (code, out) == (2, "")
    assert "standard input is not UTF-8 text" in err


def test_a_reader_that_goes_away_and_quiet():
    code, _, err = chat(*BRIEF, "-q", said="hello\n")
    assert (code, err) == (0, "")
    command = [sys.executable, "-c", PROGRAM, "chat", *BRIEF]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1) as child:
        child.stdout.close()
        child.stdin.write(b"hello\nhello\n")
        child.stdin.close()
        assert b"Traceback" not in child.stderr.read()
        assert child.wait(DEADLINE) == 141


# --- on a terminal --------------------------------------------------------------------------------


class Terminal:
    """A process on a pseudo-terminal: what is typed goes in, what is shown is waited for."""

    def __init__(self, *arguments, **environment):
        import pty

        self._ours, theirs = pty.openpty()
        self.shown = ""
        # Nobody here answers to where the cursor is.
        environment = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm", **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
            preexec_fn=own_terminal,
        )  # fmt: skip
        os.close(theirs)

    def type(self, keys):
        os.write(self._ours, keys.encode())

    def wait(self, pattern):
        """Until a pattern is shown; forgets what stands before."""
        until = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.shown)):
            assert select.select([self._ours], [], [], until - time.monotonic())[0], self.shown[-800:]
            self.shown += os.read(self._ours, 65536).decode(errors="replace")
        before, self.shown = self.shown[: found.end()], self.shown[found.end() :]
        return before

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


def own_terminal():
    """In the child: what was opened is the terminal that Ctrl-C comes from."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


PROMPT = r"> ?(\x08)?\x1b"


@posix
def test_a_conversation_on_a_terminal(tmp_path):
    with Terminal("chat", *BRIEF) as terminal:
        terminal.wait(PROMPT)
        terminal.type("\x1aWhat is 17 * 23?\r")  # Ctrl-Z is no letter
        assert "step " in terminal.wait("prompt tokens")
        terminal.wait(PROMPT)
        terminal.type("half a mess\x03")
        terminal.wait(PROMPT)
        terminal.type("one\\\r")
        terminal.wait("…")
        terminal.type("two\r")
        terminal.wait("prompt tokens")
        terminal.wait(PROMPT)
        terminal.type("/met\t")
        terminal.wait("od")
        terminal.type(" greedy\r")
        terminal.wait("greedy\r\n")
        terminal.wait(PROMPT)
        terminal.type("\x1b[A\x1b[A\r")  # two back in the history
        terminal.wait("prompt tokens")
        terminal.wait(PROMPT)
        terminal.type("\x04")
        assert terminal.process.wait(DEADLINE) == 0
    (path,) = chats(tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    said = [line["content"] for line in lines if line.get("role") == "user"]
    assert said == ["What is 17 * 23?", "one\ntwo", "two"]
    assert lines[-1]["method"]["name"] == "greedy"


@posix
def test_ctrl_c_stops_a_reply_and_not_the_program(tmp_path):
    arguments = ["chat", "-t", "1", "-s", "1", "--method", "sample:N=250,share=off", "-n", "-1"]
    with Terminal(*arguments) as terminal:
        terminal.wait(PROMPT)
        for _ in range(2):
            terminal.type("What is 17 * 23?\r")
            terminal.wait("step ")
            terminal.type("\x03")
            assert "stopping after this step" in terminal.wait("interrupted: the best result after")
            terminal.wait(PROMPT)
        terminal.type("/exit\r")
        assert terminal.process.wait(DEADLINE) == 0
    assert len(chats(tmp_path)[0].read_text().splitlines()) == 5


@posix
def test_ctrl_c_ends_what_comes_from_a_pipe():
    arguments = ["chat", "-t", "1", "--method", "sample:N=250,share=off", "-n", "-1", "-v"]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdin=-1, stdout=-1, stderr=-1
    ) as child:
        child.stdin.write(b"What is 17 * 23?\nWhat is 18 * 23?\n")
        child.stdin.flush()
        while b"seed:" not in child.stderr.readline():
            pass
        child.send_signal(signal.SIGINT)
        child.stdin.close()
        assert child.wait(DEADLINE) == 130
        assert child.stderr.read().count(b"prompt tokens") == 1


# --- lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], []),
        (["a", "", "b"], ["a", "", "b"]),
        (["a\\", "b\\", "c"], ["a\nb\nc"]),
        (['"""', "a", "", "b", '"""', "c"], ["a\n\nb", "c"]),
        (['"""a', 'b"""'], ["a\nb"]),
        (['"""a"""'], ["a"]),
        (['"""', "a"], []),
        (["a\\"], []),
        (["a\\", KeyboardInterrupt, "b"], ["", "b"]),
    ],
)
def test_messages(lines, found):
    waiting = iter(lines)

    def read(_goes_on):
        line = next(waiting, EOFError)
        if not isinstance(line, str):
            raise line
        return line

    assert list(messages(read)) == found


def test_every_command_that_takes_nothing_says_so():
    from localsmc_cli.chat.slash_commands import run_command

    for name in (name for name, one in COMMANDS.items() if not one.takes):
        with pytest.raises(ConfigError, match=f"`/{name}` takes no argument"):
            run_command(None, f"/{name} x")
