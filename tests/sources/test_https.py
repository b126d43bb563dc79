"""Over TLS: certificates are always checked, and the deadline holds there too."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditlens.errors import SourceError, UsageError
from auditlens.sources import SecodaSource
from tests.secoda import KEY, Reply, Server, good


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody trusts, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "auditlens test")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(pem) + key.private_bytes(pem, form, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Server]:
    """A scripted server that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Server(lambda _: good(), tls=context) as server:
        yield server


def source_of(secure: Server, **settings) -> SecodaSource:
    return SecodaSource(secure.url, KEY, environ={}, sleep=lambda _: None, **settings)


def test_an_unknown_certificate_is_refused_at_once(secure):
    """No request is sent, none is repeated, and the fix names the variable."""
    source = source_of(secure)
    with pytest.raises(SourceError, match="SSL_CERT_FILE"):
        source.page(1)
    source.close()
    assert secure.asked == []


def test_a_certificate_named_in_the_environment_is_trusted(secure, certificate, monkeypatch):
    """An organisation's own certificate works by SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    source = source_of(secure)
    assert len(source.page(1).records) == 2
    source.close()


def test_a_certificate_file_that_is_none_is_a_usage_error(secure, tmp_path, monkeypatch):
    """A wrong path never falls back to no check."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        source_of(secure).page(1)


def test_the_deadline_holds_over_tls(secure, certificate, monkeypatch):
    """A server that drips inside TLS is cut off as any other."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def drip(wire) -> None:
        wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(200):
            time.sleep(0.05)
            wire.write(b" ")

    secure.respond = lambda _: Reply(parts=drip)
    source = source_of(secure, page_deadline=0.4, retry_budget=0)
    started = time.monotonic()
    with pytest.raises(SourceError, match="longer than"):
        source.page(1)
    source.close()
    assert time.monotonic() - started < 8
