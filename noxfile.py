"""The everyday commands: `nox --list` shows them, `nox -s tests` runs one.

Sessions run in the environment that is active, where `pip install -e '.[dev]'` has been run: an environment
per session would compile llama.cpp in each of them. `.ci/run` runs the same checks in a fresh one.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "tests"]


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; what follows `--` goes to pytest: nox -s tests -- -k report."""
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, types and the direction of imports."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run(".ci/types")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html; warnings are errors."""
    session.run("sphinx-build", "-W", "--keep-going", "-n", "-b", "html", "docs", "docs/_build/html")


@nox.session
def reference(session: nox.Session) -> None:
    """Write docs/reference/cli.md from the commands' own help."""
    session.run("python", "-m", "localsmc_cli.reference", "docs/reference/cli.md")


@nox.session
def picture(session: nox.Session) -> None:
    """Make the pictures of the documentation from real runs: docs/images/solve.svg and weights.png."""
    session.run("python", "docs/images/record.py")
    with session.chdir("docs/images"):
        session.run("python", "../examples/plot_weights.py")


@nox.session
def release_check(session: nox.Session) -> None:
    """Build wheel and sdist, and try both outside the checkout; nox -s release_check -- dist keeps them."""
    session.run(".ci/release-check", *session.posargs)
