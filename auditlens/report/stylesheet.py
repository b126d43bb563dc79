"""The stylesheet of one page: what stands in our file, less what this page has no use for."""

from __future__ import annotations

import re

__all__ = ["classes_of", "compact", "named_short", "pruned"]

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
INDENT = re.compile(r"\n\s*")
CLASSES = re.compile(r'\bclass="?([\w -]+)')
PROPERTY = re.compile(r"--[a-z][a-z0-9]*")
USED = re.compile(rf"var\(({PROPERTY.pattern})")
SET = re.compile(rf"({PROPERTY.pattern}):[^;{{}}]+;?")
NAMED = re.compile(r"\.([a-zA-Z][\w-]*)")


def compact(text: str) -> str:
    """A stylesheet or script without comments, indentation and line breaks."""
    return INDENT.sub("", COMMENT.sub("", text)).strip()


def classes_of(body: str) -> frozenset[str]:
    """Every class that an element of ``body`` may have."""
    return frozenset(name for text in set(CLASSES.findall(body)) for name in text.split())


def pruned(css: str, classes: frozenset[str]) -> str:
    """``css`` without the selectors that ask for a class which is not in ``classes``.

    ``css`` is one of ours, compacted: no strings with braces in it, no commas inside brackets.
    """
    kept, at = [], 0
    while (start := css.find("{", at)) >= 0:
        end = closing(css, start)
        head, inside = css[at:start], css[start + 1 : end]
        if head.startswith("@media"):
            if inside := pruned(inside, classes):
                kept.append(f"{head}{{{inside}}}")
        elif head.startswith("@"):
            kept.append(css[at : end + 1])
        elif wanted := [one for one in head.split(",") if classes.issuperset(NAMED.findall(one))]:
            kept.append(f"{','.join(wanted)}{{{inside}}}")
        at = end + 1
    return "".join(kept)


def named_short(css: str) -> str:
    """``css`` with the custom properties that are used, each under a short name."""
    used = dict.fromkeys(USED.findall(css))
    css = SET.sub(lambda match: match[0] if match[1] in used else "", css).replace(";}", "}")
    short = {name: f"--{letters(at)}" for at, name in enumerate(used)}
    return PROPERTY.sub(lambda match: short[match[0]], css)


def letters(number: int) -> str:
    """``a`` to ``z``, then ``aa`` and so on."""
    before, last = divmod(number, 26)
    return (letters(before - 1) if before else "") + chr(ord("a") + last)


def closing(css: str, start: int) -> int:
    """Where the brace that opens at ``start`` is closed."""
    depth = 1
    at = start
    while depth:
        at += 1
        depth += (css[at] == "{") - (css[at] == "}")
    return at
