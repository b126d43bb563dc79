"""The templates: no raw output, no inline style or handler, one environment that escapes."""

import base64
import hashlib
import re

import pytest

from auditlens.errors import UsageError
from auditlens.report import Report
from auditlens.resources import reports_folder

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
    """Text is marked safe in the page module and nowhere else."""
    marks = ("do_mark_safe(", "Markup(", "|safe")
    texts = {path.name: path.read_text(encoding="utf-8") for path in SOURCES}
    assert [name for name in texts if any(mark in texts[name] for mark in marks)] == ["page.py"]


def own(tmp_path, name, text):
    """A folder with one template of the user's."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return tmp_path


def test_own_template_goes_before_the_shipped_one(make_audit, tmp_path):
    """It replaces ours of the same name; markup and direction characters are shown there too."""
    folder = own(tmp_path, "sections/change.html", "<p>Own words for {{ cover.workspace }}</p>")
    html = Report(make_audit(1, workspace="<i>x</i>\u202e"), templates=folder).html()
    assert "Own words for &lt;i&gt;x&lt;/i&gt;\\u202e" in html
    assert "Control coverage" in html


def test_own_stylesheet_is_named_in_the_policy(make_audit, tmp_path):
    """A user's stylesheet stands in the page under its own hash."""
    sheet = "p { color: red }"
    html = Report(make_audit(1), templates=own(tmp_path, "report.css", sheet)).html()
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in html.replace("&#39;", "'").replace("&#43;", "+")


@pytest.mark.parametrize(
    "text",
    [
        "{{ cover.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__cl' ~ 'ass__'] }}",
        "{{ (cover|attr('__class__')).__name__ }}",
        "{{ '{0.__class__}'.format(cover) }}",
        "{{ hour_names.append('24') }}",
        "{{ nothing }}",
        "{% for %}",
        "{% include '../../../etc/passwd' %}",
    ],
)
def test_own_template_cannot_reach_out(make_audit, tmp_path, text):
    """A template that reaches for internals, changes ours or is broken gives one clear error."""
    folder = own(tmp_path, "sections/change.html", text)
    with pytest.raises(UsageError, match="cannot be used"):
        Report(make_audit(1), templates=folder).html()


def test_missing_template_folder_is_told(make_audit, tmp_path):
    """A folder that is not there is named."""
    with pytest.raises(UsageError, match="absent"):
        Report(make_audit(1), templates=tmp_path / "absent")
