"""Texts that would run, load, style, close, format or reorder something if a report let them."""

from __future__ import annotations

MARK = "window.__ran=1"

SCRIPTS = [
    f"<script>{MARK}</script>",
    f"</script><script>{MARK}</script>",
    f"</ScRiPt ><sCrIpT>{MARK}</sCrIpT>",
    f"<script src=//x.invalid/a.js></script>{MARK}",
    f"<!--<script>{MARK}</script>-->",
    f"--><script>{MARK}</script><!--",
    f"<![CDATA[<script>{MARK}</script>]]>",
    f"</title><script>{MARK}</script>",
    f"</style><script>{MARK}</script>",
    f"</textarea><script>{MARK}</script>",
    f"</noscript><script>{MARK}</script>",
    f"<svg><script>{MARK}</script></svg>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={MARK}>",
    f"<script\x00>{MARK}</script>",
    f"<script>\u2028{MARK}</script>",
    f"]]></script><script>{MARK}//",
    f"\\u003cscript\\u003e{MARK}\\u003c/script\\u003e",
    f"\uff1cscript\uff1e{MARK}\uff1c/script\uff1e",
    f"<script type=module>{MARK}</script>",
    f'"}}</script><script>{MARK}</script>',
]
HANDLERS = [
    f"<img src=x onerror={MARK}>",
    f"<img/src/onerror={MARK}>",
    f"<svg onload={MARK}>",
    f"<body onload={MARK}>",
    f"<input autofocus onfocus={MARK}>",
    f"<details open ontoggle={MARK}>",
    f"<video><source onerror={MARK}></video>",
    f"<audio src=x onerror={MARK}>",
    f"<marquee onstart={MARK}>",
    f"<iframe onload={MARK}></iframe>",
    f"<select autofocus onfocus={MARK}>",
    f"<a href=# onclick={MARK}>x</a>",
    f"<div style=animation-name:x onanimationstart={MARK}>",
    f'" onmouseover="{MARK}" x="',
    f"' onmouseover='{MARK}' x='",
    f"x onerror={MARK} y",
    f"` onload={MARK} `",
    f'" autofocus onfocus={MARK} tabindex=1 "',
]
LOADS = [
    "<img src=//x.invalid/b.png>",
    "<link rel=stylesheet href=//x.invalid/c.css>",
    "<link rel=preload as=script href=//x.invalid/p.js>",
    "<iframe src=//x.invalid></iframe>",
    "<object data=//x.invalid/d></object>",
    "<embed src=//x.invalid/e>",
    "<base href=//x.invalid/>",
    "<meta http-equiv=refresh content='0;url=//x.invalid/f'>",
    "<form action=//x.invalid/g><button>x</button></form>",
    "<style>@import url(//x.invalid/h.css);body{display:none}</style>",
    "<svg><image href=//x.invalid/i.png /></svg>",
    "<svg><use href=//x.invalid/s.svg#a /></svg>",
    "<table background=//x.invalid/t.png>",
    "![beacon](https://x.invalid/beacon.png)",
    "[click](javascript:window.__ran=1)",
    "https://x.invalid/?q=1",
    "javascript:window.__ran=1",
    "data:text/html,<script>window.__ran=1</script>",
    "java\tscript:window.__ran=1",
    "#conclusion",
]
TEMPLATES = [
    "{{ 7 * 7 }}{{ cover.__class__.__mro__ }}",
    "{% for x in range(9) %}x{% endfor %}",
    "{# hidden #}{{ config }}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "%s%n%x{0.__class__}",
]
FORMULAS = [
    '=HYPERLINK("https://x.invalid","x")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "\uff1d1+1",
    "\u200b=1+1",
    '","=1+1',
    "\n=1+1",
]
TERMINAL = [
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;https://x.invalid\x07link\x1b]8;;\x07",
    "\x1b]0;title\x07\x1b[2J",
    "\x9b31m\x85",
    "bell\x07 back\x08\x08 nul\x00",
]
ORDER = [
    "user\u202egnp.exe",
    "\u2066admin\u2069\u2067",
    "\u200fright\u200e",
    "zero\u200bwidth\ufeffspace",
    "\u0430dmin (Cyrillic a)",
    "tag\U000e0041\U000e0042",
    "a" + "\u0301" * 40,
    "soft\u00adhyphen\u061c",
]

STRINGS = [*SCRIPTS, *HANDLERS, *LOADS, *TEMPLATES, *FORMULAS, *TERMINAL, *ORDER]
