"""The palette: told apart by everyone, in both themes, with shape and word beside it."""

import math
import re
from itertools import combinations

import numpy as np
import pytest

from auditlens.resources import reports_folder

CSS = (reports_folder() / "templates" / "report.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w]+):(#[0-9a-f]{3,6})", block))
    for block in re.findall(r":root\{([^}]*)\}", CSS)[:2]
)
THEMES = {"light": LIGHT, "dark": DARK}
LEVELS = ("critical", "high", "medium", "low", "info")
SERIES = ("s1", "s2", "s3", "s4", "s5", "s6")
SIGHT = {
    "usual": np.eye(3),
    "red-blind": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                  [-0.003882, -0.048116, 1.051998]],
    "green-blind": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                    [-0.011820, 0.042940, 0.968881]],
    "blue-blind": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
"""Machado, Oliveira and Fernandes (2009), full severity, over linear RGB."""


def linear(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one, two):
    light = [float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, two)]
    return (max(light) + 0.05) / (min(light) + 0.05)


def lab(rgb):
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
              [0.0193339, 0.1191920, 0.9503041]]  # fmt: skip
    t = np.array(to_xyz) @ rgb / [0.95047, 1, 1.08883]
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def ciede2000(one, two):
    """Colour distance by CIEDE2000."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean**7 / (mean**7 + 25**7)))
    c1, c2 = math.hypot((1 + g) * a1, b1), math.hypot((1 + g) * a2, b2)
    h1 = math.degrees(math.atan2(b1, (1 + g) * a1)) % 360
    h2 = math.degrees(math.atan2(b2, (1 + g) * a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0
    dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    hue = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    waves = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.2, 4, -63))
    t = 1 + sum(k * math.cos(math.radians(n * hue + shift)) for k, n, shift in waves)
    sl = 1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    bend = -2 * math.sqrt(chroma**7 / (chroma**7 + 25**7))
    bend *= math.sin(math.radians(60 * math.exp(-(((hue - 275) / 25) ** 2))))
    dl, dc = (l2 - l1) / sl, (c2 - c1) / sc
    return math.sqrt(dl**2 + dc**2 + (dh / sh) ** 2 + bend * dc * dh / sh)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("names", [LEVELS, SERIES], ids=["levels", "series"])
def test_marks_stand_out_from_the_ground(theme, names):
    """Every mark has a contrast of at least 3:1 with the page and with its panels."""
    colours = THEMES[theme]
    assert min(contrast(colours[one], colours["bg"]) for one in names) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("names", [LEVELS, SERIES], ids=["levels", "series"])
def test_marks_are_told_apart(theme, sight, names):
    """Any two marks are at least 15 apart, as people with each kind of sight see them."""
    seen = [
        lab(np.clip(np.array(SIGHT[sight]) @ linear(THEMES[theme][one]), 0, 1)) for one in names
    ]
    assert min(ciede2000(*pair) for pair in combinations(seen, 2)) >= 15


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("text", ["ink", "soft", "link", "good", "warn", "bad"])
@pytest.mark.parametrize("ground", ["bg", "panel", "goodbg", "warnbg", "badbg"])
def test_text_is_readable(theme, text, ground):
    """Every text colour has at least 4.5:1 on every ground."""
    assert contrast(THEMES[theme][text], THEMES[theme][ground]) >= 4.5


def test_light_theme_marks_are_the_drawings_own():
    """The colours written on the drawings are those of the light theme."""
    macros = reports_folder() / "templates" / "macros"
    charts = (macros / "charts.html").read_text(encoding="utf-8")
    words = (macros / "text.html").read_text(encoding="utf-8")
    assert all(LIGHT[one] in charts for one in SERIES)
    assert all(LIGHT[one] in words for one in LEVELS)


def test_distance_matches_a_published_pair():
    """CIEDE2000 of the first pair of the published test data is 2.0425."""
    assert round(ciede2000((50, 2.6772, -79.7751), (50, 0, -82.7485)), 4) == 2.0425
