"""Each kind of receiver gets what it reads, at an address that may be spoken to."""

from __future__ import annotations

import base64
import email
import json
import socket
from dataclasses import replace

import pytest

from auditlens.notify import (
    DeliveryError,
    Waiting,
    address_kind,
    connect,
    deliver,
    idempotency_id,
)
from auditlens.settings import Target
from tests.notify.conftest import NOTICE, NOW, TAKEN, body, target


def message(notice=NOTICE) -> Waiting:
    return Waiting(idempotency_id("2025-10", "team", notice), "2025-10", "team", notice, NOW)


def mailbox(sink, **more) -> Target:
    options = {"host": "127.0.0.1", "port": sink.port, "security": "none",
               "sender": "audit@house.test", "to": ("a@house.test", "b@house.test")}  # fmt: skip
    return Target("team", "email", allow=("loopback",), options=options | more)


@pytest.mark.parametrize("kind", sorted(TAKEN))
def test_each_kind_carries_words_and_id(kind, receiver, environ):
    """And takes the answer that its service gives."""
    receiver.usual = (201 if kind == "jira" else 200, TAKEN[kind])
    deliver(target(kind, receiver), message(), environ)
    ((headers, raw),) = receiver.heard
    assert headers["Idempotency-Key"] == message().id
    assert message().id.encode() in raw
    assert b"F-ABCDEFGH23" in raw
    assert json.loads(raw)


def test_slack_cannot_be_made_to_read_markup(receiver, environ):
    """Angle brackets would be links and calls of everybody."""
    notice = NOTICE | {"listed": [NOTICE["listed"][0] | {"title": "<!channel> & \u202eevil"}]}
    deliver(target("slack", receiver), message(notice), environ)
    text = body(receiver.heard[0])["text"]
    assert "&lt;!channel&gt; &amp; \ufffdevil" in text
    assert "<" not in text


LONG = [
    "x" * 50_000,
    "&<>" * 9_000,
    "\N{SMILING FACE WITH OPEN MOUTH}" * 9_000,
    "\N{BULLET} " * 9_000,
]


@pytest.mark.parametrize("text", LONG, ids=["letters", "marks", "astral", "spaced"])
@pytest.mark.parametrize(
    ("kind", "measure", "most"),
    [
        ("slack", lambda sent: len(sent["text"]), 3_000),
        ("teams", lambda sent: len(json.dumps(sent)), 28 * 1024),
        ("jira", lambda sent: len(json.dumps(sent["fields"]["description"])), 4 * 32_767),
        ("jira", lambda sent: sum(len(one["content"][0]["text"]) for one in
                                  sent["fields"]["description"]["content"]), 32_767),
        ("jira", lambda sent: len(sent["fields"]["summary"]), 255),
        ("pagerduty", lambda sent: len(sent["payload"]["summary"]), 1_024),
        ("pagerduty", lambda sent: max(len(one["title"]) for one in
                                       sent["payload"]["custom_details"]["listed"]), 1_024),
    ],
)  # fmt: skip
def test_no_text_of_a_log_makes_a_message_too_long(receiver, environ, kind, measure, most, text):
    """Lines are cut to what the receiver takes, say so, and the id stands at the end."""
    listed = [NOTICE["listed"][0] | {"title": text, "state": text}] * 20
    notice = NOTICE | {"listed": listed, "cases": 31, "head": text}
    receiver.usual = (200, TAKEN[kind])
    deliver(target(kind, receiver), message(notice), environ)
    sent = body(receiver.heard[0])
    assert 0 < measure(sent) <= most
    assert message(notice).id in json.dumps(sent)


CASE = {
    "about": "case", "report": "C-ABCDEFGH23.1", "case": "C-ABCDEFGH23", "change": "new",
    "level": "critical", "period": "2025-10", "first_at": "2025-10-03T09:30:00+00:00",
    "last_at": "2025-10-04T10:00:00+00:00", "events": 39, "findings": 5, "coverage": "complete",
    "explain": "auditlens explain C-ABCDEFGH23 --period 2025-10",
    "headline": "An account: Mass Deletion of Catalog Resources",
}  # fmt: skip


def test_a_case_is_told_in_a_few_lines(sink):
    """Subject, headline, when and how much, the command to read on, and no accusation."""
    deliver(mailbox(sink), message(CASE), {})
    mail = email.message_from_bytes(sink.mails[0])
    assert mail["Subject"] == "AuditLens: new critical case C-ABCDEFGH23"
    assert mail.get_payload(decode=True).decode().splitlines()[1:5] == [
        "An account: Mass Deletion of Catalog Resources",
        "2025-10-03 09:30 to 2025-10-04 10:00 UTC: 39 events, 5 findings; coverage complete",
        "auditlens explain C-ABCDEFGH23 --period 2025-10",
        "Unusual activity is not proof of misuse.",
    ]


@pytest.mark.parametrize("kind", sorted(TAKEN))
def test_each_kind_carries_a_case(kind, receiver, environ):
    """Level, headline and command reach every receiver; PagerDuty takes the case's level."""
    receiver.usual = (200, TAKEN[kind])
    deliver(target(kind, receiver), message(CASE), environ)
    raw = receiver.heard[0][1].decode()
    assert "critical" in raw
    assert "auditlens explain C-ABCDEFGH23" in raw
    if kind == "pagerduty":
        assert json.loads(raw)["payload"]["severity"] == "critical"


def test_a_message_of_an_earlier_version_still_leaves(receiver, environ):
    """One that waited in the outbox counts findings, and says so."""
    old = {key: value for key, value in NOTICE.items() if key not in ("cases", "observations")}
    deliver(target("slack", receiver), message(old), environ)
    assert "report 2025-10: 1 finding (1 high)" in body(receiver.heard[0])["text"]


def test_pagerduty_gets_the_id_as_its_key_and_the_worst_level(receiver, environ):
    """A second delivery is the same incident."""
    receiver.usual = (202, TAKEN["pagerduty"])
    deliver(target("pagerduty", receiver), message(), environ)
    sent = body(receiver.heard[0])
    assert (sent["dedup_key"], sent["routing_key"]) == (message().id, "r0uting")
    assert sent["payload"]["severity"] == "error"


def test_jira_gets_an_issue_with_the_id_as_a_label(receiver, environ):
    """In the project of the settings, with the token in the header alone."""
    receiver.usual = (201, TAKEN["jira"])
    deliver(target("jira", receiver), message(), environ)
    headers, raw = receiver.heard[0]
    fields = json.loads(raw)["fields"]
    assert (fields["project"], fields["labels"]) == ({"key": "AU"}, ["auditlens", message().id])
    assert headers["Authorization"].startswith("Basic ")
    assert b"t0ken" not in raw


def test_a_webhook_is_signed_with_a_shared_secret(receiver, environ):
    """HMAC-SHA256 over the body."""
    import hashlib
    import hmac

    receiver.usual = (204, b"")
    deliver(target("webhook", receiver, secret_env="SIGN"), message(), environ)
    headers, raw = receiver.heard[0]
    wanted = hmac.new(b"sh4red", raw, hashlib.sha256).hexdigest()
    assert headers["X-AuditLens-Signature"] == f"sha256={wanted}"


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("slack", (200, b"invalid_token")), ("slack", (200, b"")), ("slack", (302, b"ok")),
        ("teams", (200, b"Webhook message delivery failed with error")),
        ("pagerduty", (202, b'{"status": "invalid event"}')), ("pagerduty", (202, b"")),
        ("jira", (200, b"<html>")), ("jira", (201, b"{}")),
        ("webhook", (200, b"<html>sign in")), ("webhook", (200, b'{"ok": false}')),
        ("webhook", (200, b'{"error": "x"}')), ("webhook", (200, b'{"status": "error"}')),
        ("webhook", (307, b"", {"Location": "http://127.0.0.1:9/"})), ("webhook", (500, b"ok")),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_say_so_is_no_delivery(kind, answer, receiver, environ):
    """2xx alone is not enough, and a redirect is an answer, not a way."""
    receiver.usual = answer
    with pytest.raises(DeliveryError, match=f"answered {answer[0]}"):
        deliver(target(kind, receiver), message(), environ)
    assert len(receiver.heard) == 1


@pytest.mark.parametrize(("status", "taken"), [(200, True), (299, True), (300, False)])
def test_any_2xx_may_say_that_it_was_taken(status, taken, receiver, environ):
    """And no status beside."""
    receiver.usual = (status, b"")
    if taken:
        deliver(target("webhook", receiver), message(), environ)
    else:
        with pytest.raises(DeliveryError, match="answered 300"):
            deliver(target("webhook", receiver), message(), environ)


@pytest.mark.parametrize("size", [(1 << 16) - 1, 1 << 16, (1 << 16) + 1])
def test_so_much_of_an_answer_is_read_and_no_more(size, receiver, environ):
    """64 KiB; a longer JSON is cut, so it says nothing."""
    receiver.usual = (200, b'{"ok": true, "x": "' + b"x" * (size - 21) + b'"}')
    assert len(receiver.usual[1]) == size
    if size <= 1 << 16:
        deliver(target("webhook", receiver), message(), environ)
    else:
        with pytest.raises(DeliveryError, match="does not say that it took"):
            deliver(target("webhook", receiver), message(), environ)


def test_a_missing_secret_is_told_by_its_variable(receiver):
    """Nothing is sent."""
    with pytest.raises(DeliveryError, match="HOOK is not set"):
        deliver(target("slack", receiver), message(), {})
    assert receiver.heard == []


def test_a_mail_goes_to_all_with_a_stable_id(sink):
    """Message-ID, Subject and the lines; the same bytes each time."""
    for _ in range(2):
        deliver(mailbox(sink), message(), {})
    first, second = sink.mails
    assert first == second
    mail = email.message_from_bytes(first)
    assert mail["Message-ID"] == f"<{message().id}@auditlens>"
    assert mail["Subject"] == "AuditLens: report 2025-10: 1 case to decide (1 high)"
    assert b"A <b> & *c*" in mail.get_payload(decode=True)


@pytest.mark.parametrize("command", ["MAIL", "RCPT TO:<B@", "DATA"])
def test_a_mail_that_one_recipient_may_not_have_is_sent_to_none(sink, command):
    """A retry then reaches nobody twice."""
    sink.refuses = {command: b"550 no"}
    with pytest.raises(DeliveryError, match="answered 550"):
        deliver(mailbox(sink), message(), {})
    assert sink.mails == []


def test_a_mail_server_without_tls_is_used_on_this_machine_alone(sink, monkeypatch):
    """Whoever listens in between would read the findings."""
    monkeypatch.setattr(socket, "getaddrinfo", leading_to("10.0.0.1"))
    aim = Target("team", "email", allow=("private",), options=mailbox(sink).options)
    with pytest.raises(DeliveryError, match="no TLS"):
        deliver(aim, message(), {})


def leading_to(*addresses):
    """A resolver that knows one answer."""
    return lambda *_, **__: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses
    ]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"), ("127.9.9.9", "loopback"), ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"), ("10.1.1.1", "private"), ("172.16.0.1", "private"),
        ("192.168.0.1", "private"), ("100.64.0.1", "private"), ("fc00::1", "private"),
        ("169.254.169.254", "link-local"), ("fe80::1%eth0", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"), ("2002:7f00:1::", "loopback"),
        ("0.0.0.0", "reserved"), ("255.255.255.255", "reserved"), ("224.0.0.1", "reserved"),
        ("ff02::1", "reserved"), ("240.0.0.1", "reserved"), ("::", "reserved"),
        ("93.184.216.34", "public"), ("2606:4700::1111", "public"),
    ],
)  # fmt: skip
def test_every_range_has_its_kind(address, kind, monkeypatch):
    """Wrapped addresses are unwrapped; what is not public is not dialled unless allowed."""
    assert address_kind(address) == kind
    monkeypatch.setattr(socket, "getaddrinfo", leading_to(address))
    if kind != "public":
        with pytest.raises(DeliveryError, match=f"at a {kind} address"):
            connect("receiver.test", 443, (), 1.0)


def test_one_bad_address_among_good_ones_is_enough(monkeypatch):
    """A name may not lead to both."""
    monkeypatch.setattr(socket, "getaddrinfo", leading_to("93.184.216.34", "169.254.169.254"))
    with pytest.raises(DeliveryError, match="link-local"):
        connect("receiver.test", 443, ("private",), 1.0)


def test_a_name_is_resolved_once_and_the_checked_address_is_dialled(receiver, monkeypatch):
    """A resolver that changes its mind after the check changes nothing."""
    asked = []
    right = leading_to("127.0.0.1")

    def once(host, port, *_, **__):
        asked.append(host)
        assert len(asked) == 1
        return [(*one[:4], ("127.0.0.1", port)) for one in right()]

    monkeypatch.setattr(socket, "getaddrinfo", once)
    url = receiver.url.replace("127.0.0.1", "receiver.test")
    deliver(target("slack", receiver), message(), {"HOOK": url})
    assert asked == ["receiver.test"]
    assert len(receiver.heard) == 1


def test_plain_http_goes_to_this_machine_alone(receiver, monkeypatch):
    """Even where private addresses are allowed."""
    monkeypatch.setattr(socket, "getaddrinfo", leading_to("10.0.0.1"))
    aim = Target("team", "slack", allow=("private",), options={"url_env": "HOOK"})
    with pytest.raises(DeliveryError, match="no TLS"):
        deliver(aim, message(), {"HOOK": "http://inside.test/x"})


@pytest.mark.parametrize(
    "url", ["ftp://a.test/", "https:///x", "xyz", "https://a@b.test/", "https://a b/", "https://[::1",
            "https://a.test:x/", "https://a.test/\u00e9", "file:///etc/hostname"],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_not_shown(url, receiver):
    """It may be a secret with a slip in it."""
    with pytest.raises(DeliveryError, match="address cannot be used") as told:
        deliver(target("slack", receiver), message(), {"HOOK": url})
    assert url not in str(told.value)


LOGS_KEY = "sk-4f9A/bC+dE3_xyz~07"


@pytest.mark.parametrize("ours", ["SECODA_API_KEY", "AUDITLENS_IDENTITY_KEY"])
@pytest.mark.parametrize(
    ("kind", "variable"),
    [("slack", "HOOK"), ("teams", "HOOK"), ("webhook", "HOOK"), ("webhook", "SIGN"),
     ("pagerduty", "ROUTING"), ("jira", "TOKEN"), ("email", "PASSWORD")],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", ["{0}", " {0}\n", "x{0}y", "https://h.example/{0}?a=b", "{1}", "{2}"]
)
def test_no_receiver_gets_a_secret_of_ours(kind, variable, ours, form, receiver, sink, environ):
    """Whatever the variable is called that holds it, alone, inside other text or in base64."""
    coded = base64.b64encode(LOGS_KEY.encode()).decode()
    held = form.format(LOGS_KEY, coded, LOGS_KEY.encode().hex())
    told = environ | {variable: held, ours: LOGS_KEY}
    if kind == "email":
        aim = replace(mailbox(sink), options=mailbox(sink).options | {
            "user": "a", "password_env": variable})  # fmt: skip
    else:
        aim = target(kind, receiver, **({"secret_env": "SIGN"} if kind == "webhook" else {}))
    with pytest.raises(DeliveryError, match=f"{variable} holds a secret of AuditLens") as fault:
        deliver(aim, message(), told)
    assert receiver.heard == []
    assert sink.mails == []
    assert LOGS_KEY not in str(fault.value)
