"""Certificates of the laboratory: authorities by the names of real ones, one that intercepts, a leaf for each name asked for."""

from __future__ import annotations

import datetime
import ssl
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


class Authority:
    """Issues leaves on demand; contexts are kept, one a name."""

    def __init__(self, folder: Path, issuer: str):
        self.folder, self.issuer = folder, _subject(issuer, organisation=issuer)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.leaf_key = ec.generate_private_key(ec.SECP256R1())
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key_file = self._write("leaf.key", _private(self.leaf_key))

    @property
    def root(self) -> Path:
        """File with the authority's own certificate, for those who trust it."""
        path = self.folder / "root.crt"
        if not path.exists():
            now = datetime.datetime.now(datetime.UTC)
            builder = x509.CertificateBuilder(
                self.issuer,
                self.issuer,
                self.key.public_key(),
                x509.random_serial_number(),
                now - 99 * _DAY,
                now + 99 * _DAY,
            )
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            path.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    @lru_cache(maxsize=256)  # noqa: B019  (an authority lives as long as the run)
    def chain(self, name: str, expired: bool = False) -> tuple[Path, Path]:
        """Files with a leaf's certificate and its key."""
        now = datetime.datetime.now(datetime.UTC)
        until = now - _DAY if expired else now + 90 * _DAY
        builder = x509.CertificateBuilder(self.issuer, _subject(name), self.leaf_key.public_key())
        builder = (
            builder.serial_number(x509.random_serial_number()).not_valid_before(now - 30 * _DAY).not_valid_after(until)
        )
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        leaf = builder.sign(self.key, hashes.SHA256())
        return self._write(
            f"{name}{'.expired' * expired}.crt", leaf.public_bytes(serialization.Encoding.PEM)
        ), self._key_file

    @lru_cache(maxsize=256)  # noqa: B019
    def context(self, name: str, expired: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.chain(name, expired))
        return configured(context)

    def _write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


def configured(context: ssl.SSLContext) -> ssl.SSLContext:
    """The client's order of ciphers decides, as with most large sites."""
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _subject(common: str, organisation: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
