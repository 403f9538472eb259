"""Block pages and redirects, servers' own pages, and sign-in pages."""

import pytest

import signatures
from signatures.knowledge.pages import known_page, pages
from tests.conversation import Conversation, analyze

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NONE = b"HTTP/1.1 204 No Content\r\n\r\n"
LAW = "<html>Доступ к сайту ограничен в соответствии с Федеральными законами</html>"


@pytest.fixture(scope="module")
def loaded():
    return signatures.load()


def page(body, status="200 OK", **headers):
    data = body if isinstance(body, bytes) else body.encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def redirect(where, status="302 Found"):
    return f"HTTP/1.1 {status}\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()


def visit(name, answer, *, at=0.0, flags="PA", server=None):
    server = server or f"192.0.2.{sum(name.encode()) % 250 + 1}"
    return Conversation(name, server, at=at, dport=80).open().request().down(flags, answer).up().close()


def rules(result, start="http."):
    return sorted({f.rule.id for f in result.findings if f.rule.id.startswith(start)})


def state(result, name):
    return next(v for v in result.answers if v.target == name).state


@pytest.mark.parametrize(
    "answer",
    [
        page(LAW), page(LAW.encode("cp1251"), "403 Forbidden"), redirect("http://warning.rt.ru/?id=17"),
        b"<html>" + b"prohibited for viewership from within Pakistan", redirect("http://10.10.34.35/"),
        page("x", Server="Protected by WireFilter 2"),
    ],
)  # fmt: skip
def test_documented_pages(loaded, answer):
    result = analyze(visit("web.telegram.org", answer), loaded=loaded)
    assert rules(result) == ["http.page_known"]
    assert state(result, "web.telegram.org") == "blocked"


def test_only_what_brought_the_page_is_forged(loaded):
    """The server's own answer comes too, for the same bytes and beyond them."""
    forged = page(LAW)
    half = len(forged) // 2
    talk = Conversation("web.telegram.org", dport=80).open().request()
    begin = talk.peer
    talk.down("PA", forged[:half], after=5, ttl=61).down("PA", forged[half:], after=1, ttl=61, seq=begin + half)
    own = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b"x" * 900
    talk.down("PA", own[:half], after=75, seq=begin).down("PA", own[half:], after=1, seq=begin + half)
    talk.down("PA", b"y" * 50, after=1, seq=begin + len(own))
    (found,) = (f for f in analyze(talk, loaded=loaded).findings if f.rule.id == "http.page_known")
    assert [w.frame for w in found.witnesses if w.role == "forged"] == [5, 6]


@pytest.mark.parametrize(
    "answer",
    [
        page("<title>Web Site Not Found</title>" + LAW), page("an article about http://eais.rkn.example/"), OK,
        redirect("https://www.telegram.org/"), redirect("http://login.example/?next=http://web.telegram.org/"),
        redirect("http://192.0.2.77/web.telegram.org"), page("<h1>403 Forbidden</h1>", "403 Forbidden"),
    ],
)  # fmt: skip
def test_a_servers_own_pages(loaded, answer):
    result = analyze(visit("web.telegram.org", answer, server="192.0.2.77"), loaded=loaded)
    assert not rules(result)
    assert state(result, "web.telegram.org") == ("impaired" if b" 403 " in answer else "ok")


def test_a_redirect_that_tells_the_name(loaded):
    where = "http://198.51.100.59:8183/redirect.cgi?u=www.bglad.com&c=x"
    result = analyze(*(visit("www.bglad.com", redirect(where), at=at) for at in (0, 12_000)), loaded=loaded)
    assert rules(result) == ["http.redirect_tells_name"]
    assert state(result, "www.bglad.com") == "likely_blocked"
    untold = redirect("http://198.51.100.59:8183/redirect.cgi")
    assert not rules(analyze(visit("www.bglad.com", untold), loaded=loaded))


def test_a_page_that_says_goodbye_at_once(loaded):
    assert rules(analyze(visit("example.org", page("Access denied"), flags="FPA"), loaded=loaded)) == [
        "http.fin_with_page"
    ]
    said = page("Access denied", Connection="close")
    assert not rules(analyze(visit("example.org", said, flags="FPA"), loaded=loaded))


def test_names_that_lead_to_one_stranger(loaded):
    stop = redirect("http://stop.isp.example/")
    blocked = [visit("one.example.org", stop), visit("two.example.net", stop, at=2_000)]
    result = analyze(*blocked, visit("three.example.com", OK, at=4_000), loaded=loaded)
    assert rules(result) == ["http.redirects_alike"]
    assert not rules(analyze(blocked[0], visit("three.example.com", OK, at=4_000), loaded=loaded))


def test_a_sign_in_page_for_all_is_no_block(loaded):
    portal = redirect("http://portal.hotel.example/login")
    check = visit("connectivitycheck.gstatic.com", portal)
    others = [visit("example.org", portal, at=1_000), visit("web.telegram.org", portal, at=2_000)]
    result = analyze(check, *others, loaded=loaded)
    assert rules(result) == ["http.portal_everywhere", "http.portal_page"]
    assert result.network.state == "captive_portal"
    signed_in = [visit("connectivitycheck.gstatic.com", NONE, at=9_000), visit("example.org", OK, at=10_000)]
    result = analyze(check, *others, *signed_in, loaded=loaded)
    assert rules(result) == ["http.portal_page"]
    assert result.network.state == "normal"
    assert not rules(analyze(visit("connectivitycheck.gstatic.com", NONE), loaded=loaded))


def test_the_data_says_scope_and_source():
    assert {page.scope for page in pages()} == {"nat", "isp", "fp"}
    assert all(page.source.endswith("2024-10-01") for page in pages())
    ids = [page.id for page in pages() if page.scope != "fp"]
    assert len(ids) == len(set(ids))
    assert known_page(None, b"") is None
