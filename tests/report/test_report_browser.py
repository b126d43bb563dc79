"""The page in a real Chromium: nothing loaded, nothing lost, readable by everyone."""

import http.server
import re
import threading
from dataclasses import replace

import pytest

from auditlens.report import Report

EXPAND = "document.querySelectorAll('details').forEach(one => one.open = true)"
UNBOX = "document.querySelectorAll('.scroll').forEach(one => one.style.overflow = 'visible')"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
THEMES = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"forced_colors": "active"},
}


@pytest.fixture(scope="module")
def html(specimens):
    return Report(specimens.make_audit(40)).html()


def test_loads_nothing_and_says_nothing(open_page, html):
    """Opening the page makes no request, no console message, no error."""
    page, seen = open_page(html)
    page.wait_for_timeout(200)
    assert seen == []
    assert page.locator("#filter").is_visible()


def test_keeps_the_policy_as_a_header_too(browser, html):
    """Served under the same policy by header, nothing is violated and the script still runs."""
    policy = re.search(r'Policy" content="([^"]+)"', html)[1].replace("&#39;", "'")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy + "; frame-ancestors 'none'")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *args):
            pass

    asked, said = [], []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"http://127.0.0.1:{server.server_port}/report.html")
    page.wait_for_timeout(200)
    assert page.locator("#filter").is_visible()
    page.close()
    server.shutdown()
    server.server_close()
    assert (asked, said) == (["/report.html"], [])


def test_nothing_is_lost_without_script(open_page, html):
    """Without script the page says all it says with it, but for the filter's own count."""
    plain, _ = open_page(html, java_script_enabled=False)
    live, _ = open_page(html)
    text = "main => main.textContent.replace(/\\s+/g, ' ')"
    assert plain.locator("main").evaluate(text) == live.locator("main").evaluate(text)
    assert not plain.locator("#filter").is_visible()


def test_readable_without_style(open_page, html):
    """With styles blocked the text is in order and no drawing takes over the page."""
    bare = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    page, _ = open_page(bare)
    text = page.locator("main").inner_text()
    assert (
        text.index("Is anything wrong?") < text.index("Control coverage") < text.index("Sign-off")
    )
    tall = "all => all.filter(one => one.getBoundingClientRect().height > 400).length"
    assert page.locator("svg").evaluate_all(tall) == 0
    fills = "all => all.every(one => one.getAttribute('fill') || one.getAttribute('stroke'))"
    assert page.locator("svg path").evaluate_all(fills)


def axe(page):
    """Violations, and what axe could not tell and nobody explained.

    Explained: the axis labels of the timeline, which stand over a drawing; their colour on
    the page's ground is held by the test of colours.
    """
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(EXPAND)
    page.evaluate(UNBOX)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}}).response

    def told(kind):
        nodes = [(one["id"], node["html"][:150]) for one in found[kind] for node in one["nodes"]]
        return [one for one in nodes if not one[1].startswith("<text x=")]

    return told("violations"), told("incomplete")


def small(make_audit):
    """An audit with one framework: axe's time grows with every cell."""
    audit = make_audit(4, 40)
    audit.settings = replace(audit.settings, frameworks=("soc2",))
    return audit


def test_axe_finds_nothing(open_page, make_audit):
    """axe-core: WCAG 2.0 to 2.2 A and AA and best practice, everything expanded."""
    page, _ = open_page(Report(small(make_audit)).html(), bypass_csp=True)
    assert axe(page) == ([], [])


@pytest.mark.parametrize("theme", ["dark", "forced colours"])
def test_axe_finds_nothing_in_other_themes(open_page, make_audit, theme):
    """The same in the dark and in forced colours, on the brief edition."""
    html = Report(small(make_audit), edition="brief").html()
    page, _ = open_page(html, **THEMES[theme], bypass_csp=True)
    assert axe(page) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("options", [{"identity": "aggregate"}, {}], ids=["aggregate", "full"])
def test_axe_finds_nothing_in_long_reports(open_page, make_audit, theme, options):
    """The same for forty findings, in every theme."""
    html = Report(make_audit(40), **options).html()
    page, _ = open_page(html, **THEMES[theme], bypass_csp=True)
    assert axe(page) == ([], [])


@pytest.mark.parametrize("count", [0, 40])
def test_fits_a_phone(open_page, make_audit, count):
    """At 320 pixels nothing reaches beyond the screen, expanded or not."""
    page, _ = open_page(Report(make_audit(count)).html(), width=320)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) == 0
    page.evaluate(EXPAND)
    assert page.evaluate(wide) == 0


def test_keyboard_reaches_everything(open_page, make_audit):
    """Tab visits the skip link first, then every link, button, field and scroll area, visibly."""
    page, _ = open_page(Report(make_audit(3, 60)).html())
    page.evaluate(EXPAND)
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href],button,input,select,summary,[tabindex=\"0\"]')]"
        ".filter(one => one.checkVisibility()).length"
    )
    visited, outlined = [], 0
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "(() => { const one = document.activeElement; if (one === document.body) return null;"
            "one.dataset.at = one.dataset.at || Math.random();"
            "return [one.dataset.at, one.className, getComputedStyle(one).outlineStyle] })()"
        )
        if seen is None:
            break
        visited.append(seen[0])
        outlined += seen[2] != "none"
    assert len(set(visited)) == wanted
    assert outlined == len(visited)


def test_prints_every_finding(open_page, make_audit):
    """On paper every case is open: each finding's row has a place."""
    page, _ = open_page(Report(make_audit(120)).html())
    shut = "document.querySelectorAll('details:not([open])').length"
    assert page.evaluate(shut) > 0
    page.emulate_media(media="print")
    rows = "all => all.filter(one => one.getBoundingClientRect().height > 5).length"
    assert page.locator("tr[id^=F-]").evaluate_all(rows) == 120


def test_link_opens_a_closed_group(open_page, make_audit):
    """A link to a case that is shut opens it without script."""
    page, _ = open_page(Report(make_audit(120)).html(), java_script_enabled=False)
    page.locator(".decide a").first.click()
    target = page.locator("dl:target")
    assert target.is_visible()


def test_filter_counts_what_it_shows(open_page, make_audit):
    """The filter narrows by text and level and says how many are left; clearing shows all."""
    page, _ = open_page(Report(make_audit(120)).html())
    page.fill("[name=q]", "orders table 4")
    shown = page.locator("tr[id^=F-]:not([hidden])")
    assert 0 < shown.count() < 120
    assert page.locator("#filter output").inner_text() == f"{shown.count()} shown"
    page.fill("[name=q]", "")
    page.select_option("[name=level]", "low")
    rows = [
        page.locator(f"{one} tr[id^=F-]").count() for one in ("#cases", ".group[data-level=low]")
    ]
    assert rows[1] < shown.count() < rows[0]  # Low cases, and low ones among the observations.
    page.select_option("[name=level]", "")
    assert shown.count() == 120


def test_rules_sort_by_their_headers(open_page, make_audit):
    """A click on a header sorts the rules and says so to assistive technology."""
    page, _ = open_page(Report(make_audit(120)).html())
    page.get_by_role("button", name="Hits").click()
    column = "rows => rows.map(row => Number(row.cells[4].textContent.replace(',', '')))"
    hits = page.locator(".rules tbody tr").evaluate_all(column)
    assert hits == sorted(hits, reverse=True)
    assert page.locator(".rules th[aria-sort=descending]").count() == 1


def test_notebook_frame_runs_nothing(open_page, make_audit):
    """The sandboxed frame shows every finding and runs no script."""
    shown = Report(make_audit(4))._repr_html_()
    page, _ = open_page(f"<!doctype html><title>t</title>{shown}")
    frame = page.frame_locator("iframe")
    assert frame.locator("tr[id^=F-]").count() == 4
    assert not frame.locator("#filter").is_visible()
