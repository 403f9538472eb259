"""Facts of certificates made for the purpose, good and bad."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from analyzer.wire import NEVER, Parse
from analyzer.wire.certificate import Certificate, parse_certificate, signers

START = datetime(2026, 1, 1, tzinfo=UTC)


def make(subject: str, issuer: str, *names: x509.GeneralName) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=90))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def der() -> bytes:
    return make(
        "web.whatsapp.com", "Somebody's CA", x509.DNSName("*.whatsapp.com"), x509.IPAddress(ip_address("192.0.2.1"))
    )


def test_facts(der):
    found = parse_certificate(der)
    assert isinstance(found, Certificate)
    assert found.subject == "CN=web.whatsapp.com"
    assert found.issuer == "CN=Somebody's CA"
    assert found.names == ("*.whatsapp.com", "192.0.2.1")
    assert (found.not_before, found.not_after) == (START, START + timedelta(days=90))
    assert not found.self_issued
    assert len(found.sha256) == 64


def test_self_issued_without_names():
    found = parse_certificate(make("box", "box"))
    assert isinstance(found, Certificate)
    assert found.self_issued
    assert found.names == ()


def test_hostile_names_are_harmless():
    found = parse_certificate(make("\x1b[2J", "ca"))
    assert isinstance(found, Certificate)
    assert found.subject.isprintable()


def test_never(der):
    assert {parse_certificate(der[:n]) for n in range(0, len(der), 29)} == {NEVER}


@given(st.data())
def test_a_mutated_certificate_is_an_answer(der, data):
    changed = bytearray(der)
    for at in data.draw(st.lists(st.integers(0, len(der) - 1), max_size=4)):
        changed[at] = data.draw(st.integers(0, 255))
    assert isinstance(parse_certificate(bytes(changed)), (Certificate, Parse))


def test_signers_are_named_once_leaf_first():
    chain = (make("a.example", "Middle"), make("Middle", "Root"), make("Root", "Root"))
    assert signers(chain) == "Middle; Root"
    assert signers((b"no certificate", chain[0])) == "Middle"
    assert signers(()) is None
