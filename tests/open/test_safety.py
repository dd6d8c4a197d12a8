"""Nobody is answered who does not know the token, or comes by way of another site."""

from __future__ import annotations

import socket

import httpx
import pytest
from starlette.datastructures import Headers

from eie.open.safety import Guard

from .conftest import TOKEN, Server

PATHS = ("/", "/api/v1/workspace", "/api/v1/docs", "/api/v1/openapi.json", "/page.js", "/none")


@pytest.fixture
def bare(server: Server):
    with httpx.Client(base_url=server.base) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_there_is_nothing(bare, path):
    answer = bare.get(path)
    assert answer.status_code == 401
    assert TOKEN not in answer.text
    assert "eie open printed" in answer.text


@pytest.mark.parametrize("token", ["x", "wrong", TOKEN[:-1], TOKEN + "x", "ä", TOKEN.upper()])
def test_a_wrong_token_is_none(bare, server, token):
    header = {"Authorization": f"Bearer {token}".encode()}
    assert bare.get("/api/v1/workspace", headers=header).status_code == 401
    cookie = {"Cookie": f"eie-{server.port}={token}".encode()}
    assert bare.get("/api/v1/workspace", headers=cookie).status_code == 401
    welcome = bare.get("/", params={"token": token})
    assert welcome.status_code == 401
    assert "set-cookie" not in welcome.headers


def test_the_address_gives_a_cookie_and_forgets_the_token(bare, server):
    welcome = bare.get("/", params={"token": TOKEN, "file": "0a b"})
    assert welcome.status_code == 303
    assert welcome.headers["location"] == "/?file=0a+b"
    cookie = welcome.headers["set-cookie"]
    assert f"eie-{server.port}={TOKEN}" in cookie
    for part in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    assert bare.get("/api/v1/workspace").status_code == 200  # by the cookie, which was kept
    assert bare.get("/api/v1/workspace?token=x").status_code == 200


def test_a_token_in_an_address_of_the_api_is_none(bare):
    assert bare.get("/api/v1/workspace", params={"token": TOKEN}).status_code == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost:{port}.evil",
     "", "127.0.0.1:{port}@evil.example", "[::1]", "evil.127.0.0.1:{port}", "0.0.0.0:{port}"],
)  # fmt: skip
def test_another_host_gets_nothing(server, host):
    name = host.format(port=server.port)
    answer = server.client.get("/workspace", headers={"Host": name})
    assert answer.status_code == 403, name
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_our_hosts_are_known(server, host):
    answer = server.client.get("/workspace", headers={"Host": f"{host}:{server.port}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:{port}",
     "http://127.0.0.1:{port}.evil.example", "http://localhost:1", "file://", ""],
)  # fmt: skip
def test_pages_of_other_sites_get_nothing(server, origin):
    for method, path in (("GET", "/workspace"), ("POST", "/documents"), ("OPTIONS", "/documents")):
        answer = server.client.request(
            method, path, headers={"Origin": origin.format(port=server.port)}
        )
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_our_own_page_is_answered(server):
    answer = server.client.get("/workspace", headers={"Origin": server.base})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/api/v1/workspace", "/api/v1/none", "/"])
def test_every_answer_is_kept_to_this_page(server, path):
    for headers in ({}, {"Authorization": "none"}, {"Host": "evil.example"}):
        answer = server.client.get(f"{server.base}{path}", headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == ("no-store" if "api" in path else "no-cache")


def test_who_listens_everywhere_is_called_by_addresses_and_its_own_name():
    guard = Guard(TOKEN, "0.0.0.0", 8000)
    for name in ("192.168.1.7:8000", "[fe80::1]:8000", f"{socket.gethostname()}:8000"):
        assert guard.names_us(name), name
    for name in ("evil.example:8000", "192.168.1.7:80", "192.168.1.7.evil.example:8000", ""):
        assert not guard.names_us(name), name


def test_port_80_need_not_be_named():
    guard = Guard(TOKEN, "127.0.0.1", 80)
    assert guard.names_us("localhost") and guard.names_us("127.0.0.1:80")
    assert guard.names_us("[::1]")
    assert not guard.names_us("localhost:8000")


@pytest.mark.parametrize(
    "header",
    [
        f"eie-1={TOKEN}",
        f"x=1; eie-8000={TOKEN}; y=2",
        f'a={{"b": [1,2]}}; é; ;;=; eie-8000={TOKEN}',
        f"eie-8000=old; eie-8000={TOKEN}",
    ],
)
def test_the_cookie_of_this_port_is_looked_for(header):
    guard = Guard(TOKEN, "127.0.0.1", 8000)
    assert guard.knows(Headers({"cookie": header})) == ("8000" in header)


def test_cookies_that_cannot_be_read_are_none():
    guard = Guard(TOKEN, "127.0.0.1", 8000)
    assert not guard.knows(Headers({"cookie": "a,b=\x01;;;="}))


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_what_a_page_of_another_port_embeds_gets_nothing(server, site):
    answer = server.client.get("/workspace", headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403, answer.text
    for ours in ("same-origin", "none"):
        answer = server.client.get("/workspace", headers={"Sec-Fetch-Site": ours})
        assert answer.status_code == 200, answer.text
