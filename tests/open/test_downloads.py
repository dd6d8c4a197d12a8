"""What is downloaded is what the copied command line makes."""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import eie
from eie.editing import read_script

from .conftest import EXAMPLES, move


def played(command: str, folder: Path) -> None:
    """Run a command line as a person would, in another folder with the same photo."""
    prelude = f'eie() {{ "{sys.executable}" -m eie "$@"; }}\n'
    subprocess.run(["bash", "-ec", prelude + command], cwd=folder, check=True, capture_output=True)


def test_a_download_is_what_the_command_line_makes(server, client, tmp_path):
    name = "a 'photo' $HOME.jpg"
    photo = (EXAMPLES / "rocket.jpg").read_bytes()
    document = client.post("/documents/upload", params={"name": name}, content=photo).json()
    base = f"/documents/{document['id']}"
    stream = io.BytesIO()
    white = np.zeros((427, 640), np.uint8)
    white[100:180, 400:470] = 255
    Image.fromarray(white).save(stream, "PNG")
    mask = client.post(f"{base}/masks", content=stream.getvalue()).json()["selection"]
    again = client.post(f"{base}/masks", content=stream.getvalue()).json()["selection"]
    assert again == mask
    paste = {"operation": "paste", "file": "other.h5", "selection": "3", "place": "50%,20%"}
    (server.folder / "other.h5").write_bytes(
        eie.dump(eie.decompose(EXAMPLES / "coffee.jpg", segmenter="slic", elements=9))
    )
    for operations in (
        [move("object@320,200", "-90,3"), {"operation": "delete", "selection": "20-23"}],
        [{"operation": "scale", "selection": "object@230,200", "factor": "1,2"}],
        [{"operation": "delete", "selection": mask}],
        [{"operation": "group", "group": "left-eye", "selection": "2"}, paste],
        [{"operation": "rotate", "selection": 'group:"left-eye"', "angle": "-12.5"}],
        [{"operation": "drag", "start": "320,330", "end": "300,330"}],
    ):
        state = client.post(f"{base}/edits", json={"operations": operations})
        assert state.status_code == 200, state.text
    state = client.get(base).json()
    for file in (name, "other.h5", *server.folder.glob("*-mask-*.png")):
        (tmp_path / Path(file).name).write_bytes((server.folder / file).read_bytes())
    played(state["command"], tmp_path)
    picture = shlex.split(state["command"])[-1]
    assert picture.endswith("-edited.png")
    made = client.get(f"{base}/download")
    assert made.content == (tmp_path / picture).read_bytes()
    file = client.get(f"{base}/download", params={"format": "h5"}).content
    assert file == (server.folder / state["file"]).read_bytes()
    assert eie.load(tmp_path / state["file"]).table.equals(eie.load(file).table)
    script = client.get(f"{base}/download", params={"format": "json"}).content
    fresh = eie.decompose(EXAMPLES / "rocket.jpg", segmenter="slic", elements=40)
    again = eie.edit(eie.load(eie.dump(fresh)), read_script(script))
    assert again.table.equals(eie.load(file).table)
    made = client.get(f"{base}/download", params={"format": "jpeg", "quality": 70})
    played(f"eie render {shlex.quote(state['file'])} --quality 70 -o made.jpg", tmp_path)
    assert made.content == (tmp_path / "made.jpg").read_bytes()
    assert made.headers["content-disposition"].startswith("attachment;")
    assert made.headers["content-type"] == "image/jpeg"


def test_what_an_undone_mask_has_parted_stays_parted(server, client, tmp_path):
    """What is seen is what is edited; a command line that cannot tell begins with the file."""
    photo = (EXAMPLES / "rocket.jpg").read_bytes()
    state = client.post("/documents/upload", params={"name": "m.jpg"}, content=photo).json()
    base, count = f"/documents/{state['id']}", len(state["elements"])

    def edited(*operations: dict[str, str]) -> dict[str, Any]:
        answer = client.post(f"{base}/edits", json={"operations": operations})
        assert answer.status_code == 200, answer.text
        return answer.json()

    stream = io.BytesIO()
    white = np.zeros((427, 640), np.uint8)
    white[180:300, 280:380] = 255
    Image.fromarray(white).save(stream, "PNG")
    mask = client.post(f"{base}/masks", content=stream.getvalue()).json()["selection"]
    edited(move("object@230,200", "+9,0"))
    edited({"operation": "delete", "selection": mask}, move("1", "+1,0"))
    undone = client.post(f"{base}/undo", json={"steps": 2}).json()
    assert len(undone["elements"]) > count
    for name in ("m.jpg", "m-mask-1.png"):
        (tmp_path / name).write_bytes((server.folder / name).read_bytes())
    played(undone["command"], tmp_path)
    assert (tmp_path / "m.h5").read_bytes() == (server.folder / "m.h5").read_bytes()
    seen = client.post(f"{base}/select", json={"selection": "object@320,200"}).json()["ids"]
    again = edited(move(",".join(map(str, seen)), "-90,0"))
    assert len(again["elements"]) == len(undone["elements"])
    assert again["command"] == "eie render m.h5 -o m-edited.png"
    (tmp_path / "m.h5").write_bytes((server.folder / "m.h5").read_bytes())
    played(again["command"], tmp_path)
    made = client.get(f"{base}/download")
    assert made.content == (tmp_path / "m-edited.png").read_bytes()


def test_a_paste_of_the_document_itself_is_a_command_of_its_own(server, client, tmp_path):
    photo = (EXAMPLES / "rocket.jpg").read_bytes()
    state = client.post("/documents/upload", params={"name": "own.jpg"}, content=photo).json()
    base = f"/documents/{state['id']}"
    for operation in (
        {"operation": "scale", "selection": "20", "factor": "3"},
        {"operation": "paste", "file": "own.h5", "selection": "20", "place": "160,100"},
    ):
        state = client.post(f"{base}/edits", json={"operations": [operation]}).json()
    assert state["command"].count("eie edit") == 2
    (tmp_path / "own.jpg").write_bytes(photo)
    played(state["command"], tmp_path)
    made = client.get(f"{base}/download")
    assert made.content == (tmp_path / "own-edited.png").read_bytes()
