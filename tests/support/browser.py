"""Open a page in a browser without a window, and read what becomes of it."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


def browsed(address, profile, *options):
    """The DOM that a browser ends with, and the lines of its console."""
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--enable-logging=stderr", f"--user-data-dir={profile}", "--virtual-time-budget=2000"),
        *(*options, "--dump-dom", address),
    ]
    environment = {**os.environ, "HOME": str(profile)}
    done = subprocess.run(command, capture_output=True, timeout=300, env=environment, check=True)
    log = done.stderr.decode(errors="replace").splitlines()
    return done.stdout.decode(), [line for line in log if "CONSOLE" in line]


# A window cannot be as narrow as a telephone, a frame can. What `script` makes of the page becomes the title.
FRAME = """<!DOCTYPE html><iframe src="{page}" width="{width}" height="800" style="border: 0" onload="
  const view = this.contentWindow, page = this.contentDocument;
  document.title = (() => {{ {script} }})();
"></iframe>"""


def asked(page, profile, script, width=1200):
    """What a script returns about a page, which it can read as `page` and `view`, and the console's lines.

    Texts come back as the title, with its blanks.
    """
    frame = profile / "frame.html"
    frame.write_text(FRAME.format(page=page.as_uri(), width=width, script=html.escape(script)))
    dom, console = browsed(frame.as_uri(), profile, "--allow-file-access-from-files")
    return html.unescape(re.search("<title>(.*)</title>", dom)[1]), console
