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
    assert "Answer: 54 (confidence: medium)" in text


def test_every_file_and_folder_that_the_architecture_names_exists():
    """Paths in the map and in the life of a request, relative to the repository or to localsmc/."""
    page = (ROOT / "docs/development/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", page))
    assert len(named) > 40
    missing = [name for name in named if not any((top / name).exists() for top in (ROOT, ROOT / "localsmc"))]
    assert missing == []


def test_the_architecture_names_every_folder():
    page = (ROOT / "docs/development/architecture.md").read_text(encoding="utf-8")
    for top in ("localsmc", "cli", "models"):
        for init in (ROOT / top).rglob("__init__.py"):
            folder = init.parent
            assert folder.name in page, f"{folder.relative_to(ROOT)} is not in the map"


def test_readme_stays_short_and_links_to_what_exists():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 200
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", readme)
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
