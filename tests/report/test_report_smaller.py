"""The page made small: no word, no attribute and no style that applies is lost on the way."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditlens.report import Report, page
from auditlens.report.packed import embedded, packed, read_embedded, unpack
from auditlens.report.stylesheet import NAMED, classes_of, compact, named_short, pruned
from auditlens.report.text import json_plain
from auditlens.shipped import reports_folder

FOLDER = reports_folder() / "templates"
SHEET = compact((FOLDER / "report.css").read_text(encoding="utf-8"))
ROW = '<table><tr><td class="r">{{ x }}</td>\n  <td title="{{ x }}" id="a.b-1">x</td></tr></table>'


class Reader(HTMLParser):
    """Start tags with their attributes, and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))

    def handle_data(self, data):
        if data.strip():
            self.found.append(data.strip())


@given(st.text())
@example('" onclick="x')
@example('=\'="a"> <b id="c">')
@example("a/></td>\n</tr>")
def test_smaller_says_the_same(text):
    """A reader of HTML finds the same tags, attributes and words before and after."""
    whole = page.environment(FOLDER).from_string(ROW).render(x=text)
    assert Reader(page.smaller(whole)).found == Reader(whole).found


def test_smaller_is_smaller():
    """Quotes around plain values, end tags and indentation go; others stay."""
    small = page.smaller('<td class="r">1</td>\n   <td title="a b">2</td><path d="x"/>')
    assert small == '<td class=r>1<td title="a b">2<path d="x"/>'


def test_every_style_of_a_class_on_the_page_stays(make_audit):
    """What is cut from the stylesheet asks for a class that no element of the page has."""
    html = Report(make_audit(3)).html()
    kept = html.partition("<style>")[2].partition("</style>")[0]
    assert named_short(pruned(SHEET, classes_of(html))) == kept
    assert ".decide li" in kept
    assert ".heat" in kept
    assert ".filter" not in Report(make_audit(0)).html().partition("</style>")[0]


@pytest.mark.parametrize(
    ("css", "classes", "kept"),
    [
        ("a{b:c}.x{d:e}", (), "a{b:c}"),
        (".x,.y .z,p{d:e}", ("x",), ".x,p{d:e}"),
        ("@media print{@page{m:1;@x{n:2}}.x{d:e}}", (), "@media print{@page{m:1;@x{n:2}}}"),
        ("@media(min-width:9rem){.x{d:e}}b{c:d}", (), "b{c:d}"),
    ],
)  # fmt: skip
def test_pruning_keeps_what_is_asked_for(css, classes, kept):
    """A list of selectors loses single ones, an empty block goes whole, a page rule stays."""
    assert pruned(css, frozenset(classes)) == kept


def test_short_names_stand_for_the_same_values():
    """Each custom property has one short name, set and used alike; one nobody uses goes."""
    css = ":root{--ink:#000;--spare:red}@media(x){:root{--ink:#fff}}a{color:var(--ink,inherit)}"
    assert named_short(css) == ":root{--a:#000}@media(x){:root{--a:#fff}}a{color:var(--a,inherit)}"


def test_names_stay_apart_beyond_the_alphabet():
    """The twenty-seventh name has two letters."""
    css = "".join(f"a{{--p{n}:{n};color:var(--p{n})}}" for n in range(60))
    short = named_short(css)
    assert "--ba:52;" in short
    assert len(set(re.findall(r"--([a-z]+):", short))) == 60


def test_all_classes_keep_all_styles():
    """With every class on the page nothing is cut."""
    assert pruned(SHEET, frozenset(NAMED.findall(SHEET))) == SHEET


def test_data_inside_is_read_back(make_audit):
    """What the page carries is JSON that cannot close its block, and unpacks to the content."""
    content = Report(make_audit(12)).content()
    inside = embedded(content)
    assert not set("<>&") & set(inside)
    assert read_embedded(inside) == unpack(json_plain(packed(content)))
