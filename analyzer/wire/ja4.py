"""Fingerprints of a ClientHello: JA4 (FoxIO, 2023, BSD 3-Clause) and JA3 (Salesforce, 2017, BSD 3-Clause).

Middleboxes act on the client's fingerprint too, so a control is only a control when its fingerprint is the same.
JA4 sorts ciphers and extensions, which is why it holds still where browsers shuffle them and JA3 does not.
Of the JA4 family only JA4 itself is here: the others are not under a free licence.

Reference: https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
"""

from functools import lru_cache
from hashlib import md5, sha256

GREASE = frozenset(n << 12 | 0xA00 | n << 4 | 0xA for n in range(16))  # RFC 8701 §2: 0x0A0A, 0x1A1A, ... 0xFAFA

_SERVER_NAME, _ALPN = 0x0000, 0x0010
_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_EMPTY = "000000000000"  # what the specification prints for the hash of nothing
_REMEMBERED = 1024  # clients have few distinct lists; bounded, because a hostile capture has many


def ja4(
    quic: bool,
    version: int,
    versions: tuple[int, ...],
    ciphers: tuple[int, ...],
    extensions: tuple[int, ...],
    sig_algs: tuple[int, ...],
    alpn: bytes,
) -> str:
    """JA4 of a hello; `alpn` is its first protocol, empty where there is none."""
    offered = [v for v in versions if v not in GREASE]
    transport = "q" if quic else "t"
    spoken = _VERSIONS.get(max(offered) if offered else version, "00")
    target = "d" if _SERVER_NAME in extensions else "i"
    cipher_count, cipher_hash = _ciphers(ciphers)
    extension_count, extension_hash = _extensions(tuple(sorted(extensions)), sig_algs)
    return f"{transport}{spoken}{target}{cipher_count}{extension_count}{_ends(alpn)}_{cipher_hash}_{extension_hash}"


def ja3(
    version: int,
    ciphers: tuple[int, ...],
    extensions: tuple[int, ...],
    groups: tuple[int, ...],
    point_formats: bytes,
) -> str:
    """JA3: MD5 of the lists in the order sent, GREASE left out."""
    lists = ("-".join(str(n) for n in values if n not in GREASE) for values in (ciphers, extensions, groups))
    parts = (str(version), *lists, "-".join(map(str, point_formats)))
    return md5(",".join(parts).encode(), usedforsecurity=False).hexdigest()


@lru_cache(_REMEMBERED)
def _ciphers(ciphers: tuple[int, ...]) -> tuple[str, str]:
    kept = sorted(c for c in ciphers if c not in GREASE)
    return _count(kept), _hash(_hex(kept))


@lru_cache(_REMEMBERED)
def _extensions(extensions: tuple[int, ...], sig_algs: tuple[int, ...]) -> tuple[str, str]:
    kept = [e for e in extensions if e not in GREASE]
    listed = _hex([e for e in kept if e != _SERVER_NAME and e != _ALPN])
    signatures = _hex([s for s in sig_algs if s not in GREASE])
    return _count(kept), _hash(f"{listed}_{signatures}" if signatures else listed)


def _count(values: list[int]) -> str:
    return f"{min(len(values), 99):02d}"


def _hex(values: list[int]) -> str:
    return ",".join([f"{v:04x}" for v in values])


def _hash(listed: str) -> str:
    return sha256(listed.encode()).hexdigest()[:12] if listed else _EMPTY


def _ends(alpn: bytes) -> str:
    """First and last character of a protocol, of its hexadecimal form where one is not alphanumeric."""
    if not alpn:
        return "00"
    ends = alpn[:1] + alpn[-1:]
    return ends.decode() if ends.isalnum() else f"{alpn[0] >> 4:x}{alpn[-1] & 15:x}"
