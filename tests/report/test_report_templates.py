"""The templates: no raw output, no inline style or handler, one environment that escapes."""

import re

import jinja2
import pytest

from auditlens.report import page
from auditlens.shipped import reports_folder

FOLDER = reports_folder() / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
SOURCES = sorted((reports_folder().parent / "auditlens" / "report").glob("*.py"))


def names(paths):
    return [path.name for path in paths]


@pytest.mark.parametrize("path", TEMPLATES, ids=names(TEMPLATES))
@pytest.mark.parametrize(
    "forbidden",
    [
        r"\|\s*safe",
        r"\|\s*xmlattr",
        r"\|\s*tojson",
        r"autoescape",
        r"\sstyle\s*=",
        r"\son[a-z]+\s*=",
        r"href=\"(?!#|data:,\")",
        r"src=",
    ],
)
def test_template_forbids(path, forbidden):
    """No template marks text safe, styles inline, handles events, or links outside the page."""
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(forbidden, text)


@pytest.mark.parametrize("path", TEMPLATES, ids=names(TEMPLATES))
def test_every_attribute_is_quoted(path):
    """Escaping does not help an attribute without quotes, so there is none."""
    bare = re.sub(r'"[^"]*"', '""', path.read_text(encoding="utf-8"))
    assert not re.search(r'<[a-z][^>]*\s[a-z-]+=(?!"")', bare)


def test_only_one_module_marks_text_safe():
    """``Markup(`` stands in the page module and nowhere else."""
    assert [p.name for p in SOURCES if "Markup(" in p.read_text(encoding="utf-8")] == ["page.py"]


def test_environment_escapes_whatever_the_name():
    """Escaping is on for every template name, not chosen by its ending."""
    env = page.environment(FOLDER)
    assert env.from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"
    assert env.autoescape is True


def test_unknown_name_is_an_error():
    """A misspelt variable fails loudly."""
    with pytest.raises(jinja2.UndefinedError):
        page.environment(FOLDER).from_string("{{ nothing }}").render()


def test_every_expression_shows_hidden_characters():
    """A template cannot forget to show a direction character."""
    shown = page.environment(FOLDER).from_string("{{ x }}").render(x="a\u202eb")
    assert shown == "a\\u202eb"
