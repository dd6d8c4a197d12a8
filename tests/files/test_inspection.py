from __future__ import annotations

import json
from dataclasses import replace

import h5py

from eie.elements import Edit
from eie.files import dump, hdf5
from eie.files.inspection import check_file, facts


def test_facts_of_an_edited_file(samples) -> None:
    path = samples / "good" / "1.0-edited.h5"
    told = facts(path)
    assert json.loads(json.dumps(told)) == told
    assert told["bytes"] == path.stat().st_size
    assert told["version"] == "1.0"
    assert told["canvas"] == {"height": 64, "width": 96}
    assert told["elements"] == {
        "count": 19, "visible": 18, "deleted": 1, "moved or resized": 1, "turned": 0,
        "flipped": 0, "untouched": 17,
    }  # fmt: skip
    assert told["groups"] == {"eyes": 2}
    assert [next(iter(step)) for step in told["history"]] == ["move", "group", "delete"]
    assert told["sources"][0]["channels"] == 3
    assert told["sources"][0]["embeddings"]["encoder"] == "tiny"


def test_facts_of_a_file_without_pixels(samples) -> None:
    source = facts(samples / "good" / "1.0-no-pixels.h5")["sources"][0]
    assert (source["channels"], source["pixel bytes"]) == (None, None)


def test_a_valid_file_has_no_findings(make_set) -> None:
    report = check_file(dump(make_set()), origin="photo.h5")
    assert report.valid and report.findings == () and report.origin == "photo.h5"


def test_a_missing_file_is_a_finding(tmp_path) -> None:
    report = check_file(tmp_path / "no.h5")
    assert not report.valid
    assert "No such file" in report.findings[0].message


def test_unknown_attributes_are_noted(make_set) -> None:
    """[E11]"""
    with h5py.File.in_memory(dump(make_set())) as file:
        file.attrs["note"] = "mine"
        file["elements/box"].attrs["unit"] = "px"
        file["sources"].attrs["a"] = 1
        data = hdf5.image(file)
    report = check_file(data)
    assert report.valid
    told = [finding.message for finding in report.findings]
    assert "another program" in told.pop(0)
    assert len(told) == 3
    assert all("would be lost" in message for message in told)
    assert any("attribute unit of /elements/box" in message for message in told)


def test_damage_is_told_for_every_array(make_set) -> None:
    data = bytearray(dump(make_set()))
    with h5py.File.in_memory(bytes(data)) as file:
        for node in ("sources/0/pixels", "sources/0/affinity", "elements/z"):
            array = file[node]
            chunked = array.chunks is not None
            at = array.id.get_chunk_info(0).byte_offset if chunked else array.id.get_offset()
            data[at + 3] ^= 8
    told = " ".join(finding.message for finding in check_file(bytes(data)).findings)
    for node in ("/sources/0/pixels", "/sources/0/affinity", "/elements/z"):
        assert told.count(f"reading {node} ") == 1


def test_sources_that_disappear_are_noted(make_set) -> None:
    elements = make_set()
    steps = tuple(Edit({}, elements.table, {}, count) for count in (2, 1))
    report = check_file(dump(replace(elements, sources=elements.sources * 2, history=steps)))
    assert report.valid
    assert "a source disappears" in report.findings[0].message
