"""Where the key may go: https anywhere, http to this machine, and nothing with two readings."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlens.errors import UsageError

# The parsed address beside httpx: no public name returns it.
from auditlens.sources.address import Key, read_address, shown

GOOD = {
    "https://api.secoda.co": "https://api.secoda.co",
    "https://api.secoda.co/": "https://api.secoda.co",
    "HTTPS://API.Secoda.CO:443/api/v1/": "https://api.secoda.co",
    "https://catalog.example.org:8443/secoda/api/v1": "https://catalog.example.org:8443/secoda",
    "http://localhost:8000": "http://localhost:8000",
    "http://127.0.0.1": "http://127.0.0.1",
    "http://127.9.8.7:1": "http://127.9.8.7:1",
    "http://[::1]:8000/api/v1": "http://[::1]:8000",
}
BAD = [
    "",
    "api.secoda.co",
    "//api.secoda.co",
    "http://api.secoda.co",
    "http://127.0.0.1.example.org",
    "http://localhost.example.org",
    "http://localhost.",
    "http://0.0.0.0",
    "http://2130706433",
    "http://127.1",
    "http://0x7f.1",
    "http://[::ffff:127.0.0.1]",
    "http://[::]",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "https://",
    "https://user@api.secoda.co",
    "https://user:word@api.secoda.co",
    "https://api.secoda.co@other.example",
    "https://api.secoda.co%40other.example",
    "https://other.example\\@api.secoda.co",
    "https://api.secoda.co\\.other.example",
    "https://api.secoda.co?x=1",
    "https://api.secoda.co#x",
    "https://api.secoda.co/../x",
    "https://api.secoda.co/./x",
    "https://api.secoda.co//x",
    "https://api.secoda.co/%2e%2e/x",
    "https://api.secoda.co:0",
    "https://api.secoda.co:99999",
    "https://api.secoda.co:80:80",
    "https://api..secoda.co",
    "https://.secoda.co",
    "https://api.secoda.co ",
    " https://api.secoda.co",
    "https://api.secoda.co\n",
    "https://api.secoda.co\r\nHost: other.example",
    "https://\u0430pi.secoda.co",
    "https://api.secoda.co\u3002other.example",
    "https://[::1",
    "https://[1::2::3]",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_addresses_have_one_form(text):
    """Case, usual ports, slashes and the API's version do not make another workspace."""
    assert read_address(text).text == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_other_addresses_are_refused_with_an_example(text):
    """The error is one line, and says what an address looks like."""
    with pytest.raises(UsageError) as caught:
        read_address(text)
    assert "https" in str(caught.value) or "65535" in str(caught.value)
    assert "\n" not in str(caught.value)


ALPHABET = st.sampled_from(
    [*"ahx01.:/@[]%\\?#\t\n -_~\u0430\u3002", "//", "localhost", "127.0.0.1"]
)


@given(st.sampled_from(["https://", "http://", "HTTPS://", "http:/", ""]), st.lists(ALPHABET))
def test_an_accepted_address_is_read_alike_by_the_client(scheme, parts):
    """Scheme, host and port that were checked are those that httpx connects to."""
    try:
        address = read_address(scheme + "".join(parts))
    except UsageError:
        return
    url = httpx.URL(address.url("/api/v1/x/", {"page": "1"}))
    assert url.scheme == address.scheme
    assert url.host == address.host.strip("[]")
    assert url.port == address.port
    assert not url.userinfo
    assert url.path == address.path + "/api/v1/x/"
    assert address.scheme == "https" or url.host in {"localhost", "::1"} or url.host[:4] == "127."


@given(st.text(), st.integers(4, 200))
def test_foreign_text_is_shown_in_one_safe_line(text, limit):
    """Printable ASCII, no line ends, never longer than asked."""
    line = shown(text, limit)
    assert len(line) <= limit
    assert all(" " <= mark <= "~" for mark in line)


def test_the_key_is_redacted_however_it_is_written():
    """As it is, in another case, and percent-encoded."""
    key = Key("Ab/c+d")
    for text in ("x Ab/c+d y", "x aB/C+D y", "x Ab%2Fc%2Bd y", "x ab%2fc%2bd y"):
        assert key.redact(text) == "x [key] y"
    assert "Ab/c+d" not in repr(key)
    assert "Ab/c+d" not in str(key)
