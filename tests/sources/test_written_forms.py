"""The key is struck out of every message in whatever form a server gives it back."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlens.errors import UsageError
from auditlens.sources import SecodaSource

# Any text of a server: no single answer holds a key in every form.
from auditlens.sources.address import Key, redacted_logs

KEYS = [
    "sk-4f9A/bC+dE3_xyz~07",
    "0123456789abcdef0123456789abcdef",
    "q\"w\\e'r/t&y<u>i=o",
    "aaaaaaaaaaaa",
]
FORMS = {
    "itself": str,
    "upper": str.upper,
    "url": lambda key: quote(key, safe=""),
    "url, every character": lambda key: "".join(f"%{ord(c):02X}" for c in key),
    "url twice": lambda key: quote(quote(key, safe=""), safe=""),
    "json": json.dumps,
    "json, slashes": lambda key: json.dumps(key).replace("/", "\\/"),
    "json, numbers": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "json twice": lambda key: json.dumps(json.dumps(key)),
    "html": html.escape,
    "html, numbers": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "python bytes": lambda key: repr(key.encode()),
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "hex with colons": lambda key: key.encode().hex(":"),
    "hex with blanks": lambda key: key.encode().hex(" "),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_every_form_of_the_key_is_struck_out(key, form):
    """And nothing but it."""
    told = Key(key).redact(f"before {FORMS[form](key)} after")
    assert re.fullmatch(r"""before b?["'\\]*\[key\]["'\\]* after""", told), told


ALPHABETS = {
    "standard": str,
    "url": lambda text: text.replace("+", "-").replace("/", "_"),
    "url-encoded": lambda text: quote(text, safe=""),
    "json": lambda text: text.replace("/", "\\/"),
    "lines": lambda text: "\n".join(text[n : n + 8] for n in range(0, len(text), 8)),
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_base64_of_the_key_is_struck_out_wherever_it_begins(key, alphabet):
    """As a basic authorization has it; the key's own bits are gone, neighbours' may stay."""
    for before in ("", "k", "ab", "Bearer ", ":", "user:", "user@x.example:"):
        for after in ("", "k", "ab", "\n"):
            text = base64.b64encode((before + key + after).encode()).decode()
            told = Key(key).redact(f"Basic {ALPHABETS[alphabet](text)}.")
            left = unquote(told.replace("[key]", "")).removeprefix("Basic ").replace("\n", "")
            assert "[key]" in told
            assert len(left) <= (len(before) + len(after)) * 4 // 3 + 5


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=64),
       st.binary(max_size=5), st.binary(max_size=5))  # fmt: skip
def test_no_run_of_its_base64_is_left(key, before, after):
    """Of any key, after and before any bytes."""
    text = base64.b64encode(before + key.encode() + after).decode()
    told = Key(key).redact(text)
    assert "[key]" in told
    assert Key(key).redact(told.replace("[key]", " ")).count("[key]") == 0


@pytest.mark.parametrize("key", ["ab", "key", "1234"])
def test_a_short_key_strikes_out_no_chance_likeness(key):
    """Its base64 is too short to be told from other text."""
    assert Key("zz").redact("enp6 ZZtop") == "enp6 [key]top"
    assert "[key]" in Key(key).redact(f"x {key} y")


def test_a_long_text_takes_no_long_time():
    """Nothing in it makes the search go over it again and again."""
    for piece in ("\\", "%25", "&#0", "QUFB", "\n", "4141", "0x"):
        assert Key(KEYS[0]).redact(piece * 50_000) == piece * 50_000


@pytest.mark.parametrize("form", ["itself", "url", "hex"])
def test_the_http_librarys_log_holds_no_form_of_it(form, caplog):
    """Whatever the level at which a person listens."""
    key = KEYS[1]
    with caplog.at_level(logging.DEBUG), redacted_logs(Key(key)):
        logging.getLogger("httpx").debug("answered %s", FORMS[form](key))
        logging.getLogger("httpcore.http11").debug(
            "header %s", base64.b64encode(f":{key}".encode())
        )
    assert key not in caplog.text
    assert caplog.text.count("[key]") == 2


@pytest.mark.parametrize("form", ["itself", "url", "hex"])
def test_an_address_that_holds_the_key_is_refused_without_it(form):
    """It would stand in every message and in the archive's name of its source."""
    key = KEYS[1]
    with pytest.raises(UsageError, match="holds the key") as fault:
        SecodaSource(f"https://api.example/{FORMS[form](key)}", key)
    assert key not in str(fault.value)
