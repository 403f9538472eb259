"""What forgers put into a stream: pages that measurement projects have documented, one that nobody has, alerts."""

from __future__ import annotations


def page(body: str, status: str = "403 Forbidden") -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def redirect(where: str, status: str = "302 Found") -> bytes:
    return f"HTTP/1.1 {status}\r\nLocation: {where}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def alert(description: int, version: int = 3) -> bytes:
    """A fatal TLS alert in clear."""
    return bytes((21, 3, version, 0, 2, 2, description))


IRAN = page('<html><head><meta http-equiv="Content-Type"></head><body><iframe src="http://10.10.34.34?type=Invalid Site" '
            'style="width: 100%; height: 100%" scrolling="no"></iframe></body></html>')  # fmt: skip
IRAN_REDIRECT = redirect("http://10.10.34.35/", "301 Moved Permanently")
RUSSIA = page("<html><body>Доступ к сайту ограничен в соответствии с Федеральными законами</body></html>")
RUSSIA_REDIRECT = redirect("http://warning.rt.ru/?id=17")
PAKISTAN = page(
    "<html><body>Surf Safely! This content is prohibited for viewership from within Pakistan</body></html>", "200 OK"
)
UNKNOWN = page(
    "<html><body><h1>Acces interzis</h1><p>This resource is not available on this network.</p></body></html>", "200 OK"
)
SCRIPT = page('<html><script src="http://203.0.113.9/stat.js"></script><body></body></html>', "200 OK")
TELLING_REDIRECT = redirect("http://203.0.113.80:8080/denied?host={host}")
PLAIN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 34\r\n\r\n<html>Access restricted.</html>\r\n\r\n"
)
PORTAL = redirect("http://192.168.1.1/login?next=", "302 Found")
