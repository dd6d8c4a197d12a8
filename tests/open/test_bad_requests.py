"""Bad requests get a plain error with the right status; nothing is written, the server goes on."""

from __future__ import annotations

import io
import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eie.open import safety

from .conftest import EXAMPLES, TOKEN, move

SAMPLES = Path(__file__).parents[2] / "formats" / "samples"

HOSTILE = sorted((SAMPLES / "bad").glob("*.h5"))


def files(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.fixture
def unchanged(server, document):
    """The folder is the same afterwards, and the server answers."""
    before = files(server.folder)
    yield
    assert files(server.folder) == before
    assert document.get().status_code == 200


def refused(answer, status: int) -> dict[str, str | None]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "where", "hint"}
    assert error["message"] and "Traceback" not in answer.text and "bug" not in error["message"]
    return error


@pytest.mark.parametrize("what", ["", "/labels", "/objects", "/picture", "/cutout?selection=1"])
@pytest.mark.parametrize("identity", ["0000000000000000", "..", "%2e%2e%2fx", "x" * 3000, "ä", "'"])
def test_unknown_documents(client, unchanged, identity, what):
    refused(client.get(f"/documents/{identity}{what}"), 404)


@pytest.mark.parametrize("path", ["", "/events", "/pictures/0"])
def test_unknown_renders(client, unchanged, path):
    refused(client.get(f"/renders/0123456789abcdef{path}"), 404)


@pytest.mark.parametrize("path", ["/none", "/documents/x/y/z", "/../../etc/passwd"])
def test_unknown_addresses(client, unchanged, path):
    refused(client.get(path), 404)


def test_unknown_methods(client, unchanged):
    for method, path in (("DELETE", "/workspace"), ("PUT", "/documents"), ("TRACE", "/workspace")):
        refused(client.request(method, path), 405)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"operations": 3}', b'{"operations": [3]}',
     b'{"operations": [], "more": 1}', b'{"operations": []}', b'{"operations": [{}]}',
     b'{"operations": [{"operation": "explode"}]}',
     b'{"operations": [{"operation": "move", "selection": "3"}]}',
     b'{"operations": [{"operation": "move", "selection": 3, "shift": "1,1"}]}',
     b'{"operations": [{"operation": "move", "selection": "3", "shift": ["1"]}]}',
     b'{"operations": [{"operation": "move", "selection": "3", "shift": "1,1", "x": "1"}]}',
     b'{"operations": [{"operation": "move", "selection": "3", "shift": "nan,1"}]}',
     b'{"operations": [{"operation": "move", "selection": "3", "shift": "1e9,1"}]}',
     b'{"operations": [{"operation": "scale", "selection": "3", "factor": "0"}]}',
     b'{"operations": [{"operation": "group", "group": "<b>x</b>", "selection": "3"}]}',
     b'{"operations": [{"operation": "delete", "selection": "\\ud800"}]}',
     b'{"operations": [{"operation": "delete", "selection": "3"}], "tolerance": 2}',
     b'{"operations": [{"operation": "delete", "selection": "3"}], "tolerance": "x"}',
     b'{"operations": [{"operation": "delete", "selection": "3"}], "revision": 3}',
     b'{"operations": [{"operation": "delete", "selection": "@-5,-5"}]}',
     b'{"operations": ' + b"[" * 100_000 + b"}"],
    ids=range(26),
)  # fmt: skip
def test_senseless_edits(document, unchanged, body):
    headers = {"Content-Type": "application/json"}
    answer = document.client.post(f"/documents/{document.id}/edits", content=body, headers=headers)
    refused(answer, 400)


def test_ten_thousand_operations_at_once(document, unchanged):
    error = refused(document.post("/edits", operations=[move("3", "+1,0")] * 10_000), 400)
    assert "10000 operations at once" in error["message"] and error["hint"]


def test_too_long_a_selection(document, unchanged):
    for text in (
        "3," * 20_000 + "3",
        "+".join(["object@3,3"] * 1000),
        "3" + ":grow=1000:shrink=1000" * 200,
    ):
        for answer in (
            document.post("/select", selection=text),
            document.post("/edits", operations=[move(text)]),
            document.get("/cutout", selection="3" + ":fill" * 101),
        ):
            assert "allowed are" in refused(answer, 400)["message"]
    many = [move("+".join(["object@3,3"] * 90))] * 20
    refused(document.post("/edits", operations=many), 400)


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "/etc/passwd.png", "/dev/stdin", "/proc/self/fd/0", ".hidden.png", "none.png",
     "a/b.png", "..\\secret.png", "out.png"],
)  # fmt: skip
def test_no_mask_from_outside(server, document, unchanged, name, tmp_path_factory):
    secret = server.folder.parent / "secret.png"
    Image.new("L", (640, 427), 255).save(secret)
    shutil.copy(secret, server.folder / ".hidden.png")
    (server.folder / "out.png").symlink_to(secret)
    before = files(server.folder)
    selection = f'mask:"{name}"'
    try:
        for answer in (
            document.post("/select", selection=selection),
            document.post("/edits", operations=[move(selection)]),
            document.get("/cutout", selection=selection),
        ):
            assert answer.status_code in (400, 404), answer.text
            assert answer.json()["error"]["message"]
        assert files(server.folder) == before
    finally:
        (server.folder / ".hidden.png").unlink()
        (server.folder / "out.png").unlink()


@pytest.mark.parametrize("name", ["../other.h5", "/etc/passwd", "none.h5", ".eie-x.tmp", ""])
def test_no_paste_from_outside(server, document, unchanged, name, element_bytes):
    (server.folder.parent / "other.h5").write_bytes(element_bytes)
    paste = {"operation": "paste", "file": name, "selection": "1", "place": "9,9"}
    answer = document.post("/edits", operations=[paste])
    assert answer.status_code in (400, 404), answer.text


@pytest.mark.parametrize("name", ["../x.jpg", "/tmp/x.jpg", ".x.jpg", "", "a/b.jpg", "x" * 300])
def test_no_upload_to_elsewhere(client, unchanged, name):
    photo = (EXAMPLES / "coffee.jpg").read_bytes()
    refused(client.post("/documents/upload", params={"name": name}, content=photo), 400)


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_hostile_element_files(client, unchanged, path):
    answer = client.post("/documents/upload", params={"name": path.name}, content=path.read_bytes())
    status = {"empty": 400, "text": 415, "user-block": 415}.get(path.stem, 422)
    refused(answer, status)


def test_hostile_element_files_in_the_folder(server, client):
    for path in HOSTILE:
        place = server.folder / f"hostile-{path.name}"
        shutil.copy(path, place)
        answer = client.post("/documents", json={"file": place.name})
        if path.stem == "flipped-bit":  # in the pixels, which are read when they are shown
            answer = client.get(f"/documents/{answer.json()['id']}/picture")
        assert answer.status_code == 422, answer.text
        assert place.name in answer.text
    assert client.get("/workspace").status_code == 200
    for path in server.folder.glob("hostile-*"):
        path.unlink()


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.jpg", b"", 400),
        ("a.jpg", b"GIF89a" + b"x" * 99, 415),
        ("a.jpg", b"<html><script>alert(1)</script>", 415),
        ("a.jpg", b"hello", 415),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"x" * 99, 422),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + b"x" * 99, 422),
        ("a.jpg", (EXAMPLES / "coffee.jpg").read_bytes()[:5000], 422),
    ],
    ids=range(7),
)
def test_uploads_of_other_kinds(client, unchanged, name, content, status):
    refused(client.post("/documents/upload", params={"name": name}, content=content), status)


def test_a_photo_of_too_many_pixels(client, unchanged):
    stream = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(stream, "PNG")
    error = refused(
        client.post("/documents/upload", params={"name": "a.png"}, content=stream.getvalue()), 422
    )
    assert "pixels" in error["message"]


@pytest.mark.parametrize("path", ["/documents/upload?name=a.jpg", "/documents/{id}/masks",
                                  "/documents/{id}/edits", "/documents"])  # fmt: skip
@pytest.mark.parametrize("told", [True, False], ids=["told", "chunked"])
def test_oversized_bodies(document, unchanged, monkeypatch, path, told):
    monkeypatch.setattr(safety, "MOST_BYTES", 100_000)
    monkeypatch.setattr(safety, "LARGER", {"/upload": 200_000, "/masks": 200_000})
    content = b"\xff\xd8\xff" + b"x" * 300_000

    def parts():
        for start in range(0, len(content), 10_000):
            yield content[start : start + 10_000]

    headers = {"Content-Type": "application/json"}
    answer = document.client.post(
        path.format(id=document.id), content=content if told else parts(), headers=headers
    )
    error = refused(answer, 413)
    assert "larger than" in error["message"]


def test_a_truncated_upload_leaves_nothing(server, document, unchanged):
    photo = (EXAMPLES / "coffee.jpg").read_bytes()
    head = (
        f"POST /api/v1/documents/upload?name=cut.jpg HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(photo)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + photo[: len(photo) // 2])
    for _ in range(100):
        if not list(server.folder.glob(".eie-*")):
            break
    assert document.get().status_code == 200


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9\r\n\r\n",
        b"\0" * 100,
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=range(4),
)
def test_what_is_no_request(server, document, unchanged, junk):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(2)
        connection.sendall(junk)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = connection.recv(1000)
        except OSError:
            answer = b""
    assert not answer or b" 40" in answer[:20] or b" 43" in answer[:20]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"decoder": "none"}, 400),
        ({"decoder": "light", "seed": 3}, 400),
        ({"variations": 0}, 400),
        ({"variations": 1000}, 400),
        ({"seed": -1}, 400),
        ({"seed": 1.5}, 400),
        ({"edge": "wavy"}, 400),
        ({"side": 10**9}, 400),
        ({"model": "/etc"}, 400),
    ],
    ids=range(9),
)
def test_senseless_renders(document, unchanged, body, status):
    refused(document.post("/renders", **body), status)


@pytest.mark.parametrize(
    "query",
    [{"format": "gif"}, {"format": "../x"}, {"quality": 0}, {"format": "png", "quality": 50},
     {"decoder": "none"}, {"seed": -1}, {"edge": "x"}],
)  # fmt: skip
def test_senseless_downloads(document, unchanged, query):
    refused(document.get("/download", **query), 400)


def mask_of(values) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.asarray(values, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 415),
        (b"hello", 415),
        ((EXAMPLES / "coffee.jpg").read_bytes(), 415),
        (mask_of(np.zeros((427, 640))), 422),
        (mask_of(np.full((100, 100), 255)), 422),
        (mask_of(np.full((427, 640), 255))[:-200], 422),
    ],
    ids=["nothing", "text", "jpeg", "black", "square", "cut"],
)
def test_masks_that_are_none(document, unchanged, content, status):
    answer = document.client.post(f"/documents/{document.id}/masks", content=content)
    error = refused(answer, status)
    assert ".eie" not in json.dumps(error)


def test_a_bug_is_told_as_one_and_the_server_goes_on(server, client, unchanged, monkeypatch):
    def fails() -> None:
        raise KeyError("x")

    with monkeypatch.context() as patch:
        patch.setattr(server.service, "told", fails)
        answer = client.get("/workspace")
    assert answer.status_code == 500
    assert "this is a bug" in answer.json()["error"]["message"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/workspace").status_code == 200
