"""The documentation and the tools agree with the code and with each other."""

import re
from pathlib import Path
from xml.etree import ElementTree

import localsmc

ROOT = Path(__file__).parents[2]


def test_hooks_have_the_versions_of_the_dev_extra():
    project = (ROOT / "pyproject.toml").read_text()
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    pinned = dict(re.findall(r'"(ruff|mypy)==([\d.]+)"', project))
    assert set(pinned) == {"ruff", "mypy"}
    in_hooks = re.findall(r'"([\w-]+)==([\d.]+)"', hooks)
    assert in_hooks
    assert all(pinned[name] == version for name, version in in_hooks)


def test_every_public_name_is_in_the_reference():
    page = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\.\. (?:auto|py:)\w+:: (\w+)", page, re.MULTILINE))
    assert set(localsmc.__all__) - {"__version__"} <= documented
    assert "`localsmc.__version__`" in page
    assert set(localsmc.METHODS[name].__name__ for name in localsmc.METHODS) <= documented


def test_the_recorded_picture_ends_with_the_answer():
    picture = ElementTree.parse(ROOT / "docs/images/solve.svg")
    *_, last = picture.iter("{http://www.w3.org/2000/svg}g")
    text = "\n".join(line.text for line in last)
    assert text.startswith("$\nlocalsmc solve ")
    assert "Answer: 120 (confidence: medium)" in text
