"""What a confined process may still do: raw calls, without the audit hook of the program runner."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="rules of the Linux kernel")

SCRIPT = textwrap.dedent(
    """
    import ctypes, json, os, resource, socket, subprocess, sys, threading
    from localsmc.system.confinement import confine

    folder, kept = sys.argv[1:]
    os.chdir(folder)
    is_confined = confine(folder)

    def outcome(action):
        try:
            action()
        except OSError as error:
            return type(error).__name__
        return "done"

    def in_thread(action):
        found = []
        thread = threading.Thread(target=lambda: found.append(outcome(action)))
        thread.start()
        thread.join()
        if found != ["done"]:
            raise PermissionError

    def from_c(*call):
        if ctypes.CDLL(None).syscall(*call) == -1:
            raise PermissionError

    def moved():
        os.mkdir("sub")
        open("a", "w").close()
        os.rename("a", "sub/b")

    def linked():
        os.symlink(kept, "link")
        open("link", "a")

    parent = os.getppid()
    allowed = {
        "write here": lambda: open("x", "w").write("x"),
        "write nowhere": lambda: open(os.devnull, "w").write("x"),
        "move here": moved,
        "remove here": lambda: os.remove("x"),
        "read": lambda: open(kept).read(),
        "thread": lambda: in_thread(os.getpid),
        "signal itself": lambda: os.kill(os.getpid(), 0),
        "own limit": lambda: resource.getrlimit(resource.RLIMIT_CORE),
    }
    refused = {
        "fork": os.fork,
        "fork in a thread": lambda: in_thread(os.fork),
        "fork by a number": lambda: from_c(57 if os.uname().machine == "x86_64" else 220, 17, 0, 0, 0, 0),
        "run": lambda: subprocess.run(["true"]),
        "exec": lambda: os.execv(sys.executable, ["python", "-c", ""]),
        "socket": socket.socket,
        "signal": lambda: os.kill(parent, 0),
        "signal to a group": lambda: os.killpg(os.getpgid(parent), 0),
        "limit of another": lambda: resource.prlimit(parent, resource.RLIMIT_CORE, (0, 0)),
        "memory of another": lambda: open(f"/proc/{parent}/mem", "r+b"),
        "write": lambda: open(kept, "a"),
        "make": lambda: open(kept + "2", "w"),
        "make a folder": lambda: os.mkdir(kept + "3"),
        "write through a link": linked,
        "link": lambda: os.link(kept, "hard"),
        "remove": lambda: os.remove(kept),
        "take": lambda: os.rename(kept, "taken"),
        "cut": lambda: os.truncate(kept, 0),
        "mode": lambda: os.chmod(kept, 0o777),
        "times": lambda: os.utime(kept),
        "new session": os.setsid,
    }
    print(json.dumps({
        "confined": is_confined,
        "allowed": {name: outcome(action) for name, action in allowed.items()},
        "refused": {name: outcome(action) for name, action in refused.items()},
    }))
    """
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder, outside = tmp_path_factory.mktemp("folder"), tmp_path_factory.mktemp("outside")
    kept = outside / "kept"
    kept.write_text("kept")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(kept)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    found = json.loads(done.stdout)
    if not found["confined"]:
        pytest.skip("this kernel has no Landlock or seccomp")
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("kept", "kept")]
    return found


def test_work_in_its_folder_goes_on(outcomes):
    assert set(outcomes["allowed"].values()) == {"done"}, outcomes["allowed"]


def test_nothing_outside_can_be_changed_or_started(outcomes):
    assert len(outcomes["refused"]) == 21
    assert "done" not in outcomes["refused"].values(), outcomes["refused"]
