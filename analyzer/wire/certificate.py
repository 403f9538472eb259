"""What a person asks of a certificate: whose, by whom, for which names, until when.

A forged certificate is the plainest proof of interception that a capture can hold (TLS 1.2 and older only: in 1.3
it is encrypted). Such certificates are often made badly, so whatever can be read of one is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any
from warnings import catch_warnings

from analyzer.wire import NEVER, Parse
from analyzer.wire.names import text

MAX_CHAIN = 4  # certificates of a chain that are read: leaf, two intermediates, a root that need not be sent
MAX_NAMES = 256  # more than any public authority signs (100 to 250); a hostile one may hold thousands
MAX_DISTINGUISHED = 1024  # bytes of a subject or issuer that are kept


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate's readable facts; a part that cannot be read is empty, a date None. Dates are UTC."""

    subject: str  # RFC 4514
    issuer: str
    names: tuple[str, ...]  # subjectAltName: DNS names and addresses
    not_before: datetime | None
    not_after: datetime | None
    self_issued: bool
    sha256: str


def parse_certificate(der: bytes) -> Certificate | Parse:
    """Facts of a DER certificate."""
    # Imported here: it costs tens of milliseconds, and few captures need it.
    from cryptography import x509

    loaded = _tolerant(lambda: x509.load_der_x509_certificate(der))
    if loaded is None:
        return NEVER
    subject = _tolerant(lambda: loaded.subject.rfc4514_string()) or ""
    issuer = _tolerant(lambda: loaded.issuer.rfc4514_string()) or ""
    alternative = _tolerant(lambda: loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) or ()
    names = [str(name.value) for name in alternative if isinstance(name, (x509.DNSName, x509.IPAddress))]
    return Certificate(
        subject=_safe(subject, MAX_DISTINGUISHED),
        issuer=_safe(issuer, MAX_DISTINGUISHED),
        names=tuple(map(_safe, names[:MAX_NAMES])),
        not_before=_tolerant(lambda: loaded.not_valid_before_utc),
        not_after=_tolerant(lambda: loaded.not_valid_after_utc),
        self_issued=bool(subject) and subject == issuer,
        sha256=sha256(der).hexdigest(),
    )


def signers(chain: tuple[bytes, ...]) -> str | None:
    """Who signed the certificates of a chain, leaf first: organisations or else common names, each once."""
    names = (_signer(der) for der in chain[:MAX_CHAIN])
    return "; ".join(dict.fromkeys(name for name in names if name)) or None


@lru_cache(1024)  # servers show the same chain again and again
def _signer(der: bytes) -> str | None:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    loaded = _tolerant(lambda: x509.load_der_x509_certificate(der))
    for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        found = loaded and _tolerant(partial(_attribute, loaded.issuer, kind))
        if found:
            return _safe(str(found))
    return None


def _attribute(name: Any, kind: Any) -> Any:
    return name.get_attributes_for_oid(kind)[0].value


def _tolerant(read: Callable[[], Any]) -> Any:
    """What a reading of hostile DER gives; None where the library refuses it."""
    try:
        with catch_warnings(action="ignore"):  # a negative serial number is a warning of the library; here it is data
            return read()
    except Exception:  # the kinds of refusal are many and differ from version to version
        return None


def _safe(value: str, limit: int = 255) -> str:
    return text(value.encode("utf-8", "surrogatepass"), limit)
