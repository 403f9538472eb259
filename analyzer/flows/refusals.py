"""Who turned a conversation away in plain words: a server that answers "no", or a client that refuses a certificate.

Both are answers, and no failure of the path; only whether anybody got in is another matter. Of TLS 1.3 nothing is
known here: it encrypts the certificate and what the client says of it.
"""

from __future__ import annotations

import re

from analyzer.wire.server_flight import client_alerts
from analyzer.wire.tls import ALERT, RECORD_HEADER

CERTIFICATE_ALERTS = (
    "bad_certificate", "unsupported_certificate", "certificate_revoked", "certificate_expired", "certificate_unknown",
    "unknown_ca",
)  # fmt: skip  # RFC 5246 §7.2.2
FATAL = 2
STATUSES = (403, 451)  # refused whoever asks (RFC 9110 §15.5.4, RFC 7725); 401 and 407 ask for a password, 404 looked

_ALERT_RECORD = bytes((ALERT, 3))
_LAST = 2 * (RECORD_HEADER + 2)  # bytes: a fatal alert is the last thing said, close_notify apart
_STATUS = re.compile(rb"HTTP/1\.[01] +([2-5]\d\d)")
_REQUEST = re.compile(rb" HTTP/1\.[01]\r?\n")


def of_certificate(up: bytes) -> str | None:
    """`alert NAME` where a client's kept stream ends with its fatal alert in clear about the server's certificate."""
    if _ALERT_RECORD not in up[-_LAST:]:
        return None
    fatal = (alert.name for alert in client_alerts(up) if alert.level == FATAL)
    return next((f"alert {name}" for name in fatal if name in CERTIFICATE_ALERTS), None)


def of_requests(up: bytes, down: bytes, status: int) -> str | None:
    """`http STATUS`, that of the first answer, where all answers in the kept streams are refusals, one to each request."""
    if status not in STATUSES:
        return None
    said = [int(code) for code in _STATUS.findall(down)]
    all_refused = len(said) >= len(_REQUEST.findall(up)) and all(code in STATUSES for code in said)
    return f"http {status}" if all_refused else None
