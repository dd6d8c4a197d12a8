"""The page's files, and the description of the API."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from eie.open import app
from eie.open.safety import Guard
from eie.open.service import Service
from eie.open.workspace import Workspace

from .conftest import TOKEN


def answers(folder, *paths: str, **headers: str) -> list[httpx.Response]:
    """What a server without workers answers."""
    served = app.create_app(Service(Workspace(folder)), Guard(TOKEN, "127.0.0.1", 8000))

    async def asked() -> list[httpx.Response]:
        transport = httpx.ASGITransport(served)
        known = {"Authorization": f"Bearer {TOKEN}"} | headers
        base = "http://127.0.0.1:8000"
        async with httpx.AsyncClient(transport=transport, base_url=base, headers=known) as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(asked())


@pytest.fixture
def static(tmp_path, monkeypatch):
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><script src=./page.js></script>")
    (folder / "page.js").write_text("let page = 1;\n" * 200)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr(app, "STATIC", folder)
    return folder


def test_the_page_is_served_from_its_folder(static, tmp_path):
    front, script, *others = answers(
        tmp_path, "/?file=0123", "/page.js", "/none.js", "/../secret.txt", "/%2e%2e/secret.txt",
        "/out.txt", "/api/v1/none",
    )  # fmt: skip
    assert front.status_code == script.status_code == 200
    assert "page.js" in front.text and front.headers["content-type"].startswith("text/html")
    assert script.headers["content-encoding"] == "gzip"
    for answer in (front, script):
        assert answer.headers["cache-control"] == "no-cache" and answer.headers["etag"]
        assert "default-src 'self'" in answer.headers["content-security-policy"]
    for answer in others:
        assert answer.status_code == 404, answer.url
        assert answer.json()["error"]["message"]
        assert "secret" not in answer.json()["error"]["message"]
    [again] = answers(tmp_path, "/page.js", **{"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304


def test_a_page_that_is_not_built_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(app, "STATIC", tmp_path / "none")
    front, other = answers(tmp_path, "/", "/page.js")
    assert front.status_code == 200 and "make page" in front.text
    assert other.status_code == 404


def test_the_api_is_described(client):
    document = client.get("/openapi.json").json()
    paths = document["paths"]
    for path, method in (
        ("/api/v1/documents/upload", "post"),
        ("/api/v1/documents/{identity}/select", "post"),
        ("/api/v1/documents/{identity}/edits", "post"),
        ("/api/v1/documents/{identity}/renders", "post"),
        ("/api/v1/documents/{identity}/download", "get"),
        ("/api/v1/renders/{identity}/events", "get"),
    ):
        assert paths[path][method]["description"]
    for methods in paths.values():
        for operation in methods.values():
            assert operation["summary"] and operation["description"]
            assert operation["responses"]["400"]["content"]
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for path in paths:
        assert path in page.text
    assert "<script" not in page.text
    assert re.findall(r"(?:src|href)=[\"']?([^\"'> ]+)", page.text)
    for link in re.findall(r"(?:src|href)=[\"']?([^\"'> ]+)", page.text):
        assert link.startswith("#") or link == "openapi.json"
