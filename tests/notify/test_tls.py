"""Receivers over TLS: the certificate is always checked, before anything is said."""

from __future__ import annotations

import ssl
import time

import pytest

from auditlens.notify import DeliveryError, Waiting, deliver
from auditlens.settings import Target
from tests.notify.conftest import DRIP, NOTICE, NOW, target
from tests.sources.test_https import certificate  # noqa: F401 - a fixture

MESSAGE = Waiting("N-1", "2025-10", "team", NOTICE, NOW)


@pytest.fixture
def context(certificate):  # noqa: F811
    """The server's side of TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


@pytest.fixture
def trusted(certificate, monkeypatch):  # noqa: F811
    """The certificate is named where the organisation's own are."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture
def hook(receiver, context):
    """The receiver, speaking TLS; the environment that names it."""
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    return {"HOOK": receiver.url.replace("http:", "https:")}


def test_a_receiver_without_a_trusted_certificate_hears_nothing(receiver, hook):
    """No setting turns the check off."""
    with pytest.raises(DeliveryError, match="certificate is not trusted"):
        deliver(target("slack", receiver), MESSAGE, hook)
    assert receiver.heard == []


@pytest.mark.usefixtures("trusted")
def test_a_receiver_with_a_trusted_certificate_is_told(receiver, hook):
    """By the name that stands in the certificate."""
    deliver(target("slack", receiver), MESSAGE, hook)
    assert len(receiver.heard) == 1


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name_is_refused(receiver, hook):
    """localhost is not 127.0.0.1."""
    away = {"HOOK": hook["HOOK"].replace("127.0.0.1", "localhost")}
    with pytest.raises(DeliveryError, match="certificate is not trusted"):
        deliver(target("slack", receiver), MESSAGE, away)
    assert receiver.heard == []


@pytest.mark.usefixtures("trusted")
def test_a_receiver_that_drips_over_tls_is_cut_at_the_deadline(receiver, hook):
    """Each byte comes in time, the whole answer does not."""
    receiver.script = [4.0]
    began = time.monotonic()
    with pytest.raises(DeliveryError, match=r"no complete answer within 0\.3 s"):
        deliver(target("webhook", receiver), MESSAGE, hook, seconds=0.3)
    assert time.monotonic() - began < 3


def mailbox(sink, security: str) -> Target:
    options = {"host": "127.0.0.1", "port": sink.port, "security": security,
               "sender": "a@house.test", "to": ("b@house.test",)}  # fmt: skip
    return Target("team", "email", allow=("loopback",), options=options)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_over_tls(sink, context, security):
    """From the first byte, or from STARTTLS on."""
    sink.tls, sink.implicit = context, security == "tls"
    deliver(mailbox(sink, security), MESSAGE, {})
    assert len(sink.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_server_nobody_trusts_gets_no_mail(sink, context, security):
    """Nor a password."""
    sink.tls, sink.implicit = context, security == "tls"
    with pytest.raises(DeliveryError):
        deliver(mailbox(sink, security), MESSAGE, {})
    assert sink.mails == []


def test_a_mail_server_that_offers_no_tls_gets_no_mail(sink):
    """It is not sent in the clear instead."""
    with pytest.raises(DeliveryError):
        deliver(mailbox(sink, "starttls"), MESSAGE, {})
    assert sink.mails == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_server_that_drips_over_tls_is_cut_at_the_deadline(sink, context, security):
    """The deadline is of the whole session, also after it was made secure."""
    sink.tls, sink.implicit, sink.refuses = context, security == "tls", {"MAIL": DRIP}
    began = time.monotonic()
    with pytest.raises(DeliveryError, match=r"no complete answer within 0\.3 s"):
        deliver(mailbox(sink, security), MESSAGE, {}, seconds=0.3)
    assert time.monotonic() - began < 3
    assert sink.mails == []
