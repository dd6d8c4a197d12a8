"""Pictures of all kinds through the one reader."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from eie.errors import BadInputError, MissingModelError
from eie.files import Photo, encode_photo, read_photo
from tests.odd_pictures import (
    chunk,
    disc,
    encoded,
    exif,
    long,
    png,
    scene,
    short,
    text,
    tiff_of_pages,
)

SIXTEEN = np.random.default_rng(0).integers(0, 65_536, (9, 7, 3), dtype=np.uint16)


def test_sixteen_bits_are_cut_to_their_higher_eight() -> None:
    higher = (SIXTEEN >> 8).astype(np.uint8)
    grey = SIXTEEN[..., 0]
    for data, expected in (
        (png(SIXTEEN), higher),
        (encoded(grey, "PNG"), higher[..., :1]),
        (encoded(grey, "TIFF"), higher[..., :1]),
    ):
        photo = read_photo(data)
        assert np.array_equal(photo.pixels, expected)
        assert any("16 bits" in note for note in photo.notes)


def test_eight_bits_stored_in_sixteen_stay_what_they_are() -> None:
    values = np.arange(256, dtype=np.uint16).reshape(16, 16)
    assert np.array_equal(read_photo(encoded(values, "PNG")).pixels[..., 0], values)


def test_cmyk_becomes_srgb_with_a_note() -> None:
    image = Image.fromarray(scene(40, 30)).convert("CMYK")
    photo = read_photo(encoded(image, "JPEG", quality=100))
    assert np.abs(photo.pixels.astype(int) - np.asarray(image.convert("RGB"))).max() <= 8
    assert photo.icc is None
    assert any("CMYK" in note for note in photo.notes)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_bmp_is_read_exactly(mode: str) -> None:
    image = Image.fromarray(scene(31, 20)).convert(mode)
    photo = read_photo(encoded(image, "BMP"))
    expected = np.asarray(image.convert("L" if mode == "L" else "RGB"))
    colours = photo.pixels[..., :3]
    assert np.array_equal(colours, expected.reshape(colours.shape))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_avif_is_read_upright() -> None:
    stored = scene(64, 40)
    photo = read_photo(encoded(stored, "AVIF", quality=95, exif=exif(short(274, 6))))
    assert photo.pixels.shape == (64, 40, 3)
    assert np.abs(photo.pixels.astype(int) - np.rot90(stored, -1)).mean() < 4


def test_heic_is_read_upright_once() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    stored, stream = scene(64, 40), io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(stored)).save(
        stream, quality=95, exif=exif(short(274, 6), text(271, b"Maker"))
    )
    photo = read_photo(stream.getvalue())
    assert photo.pixels.shape == (64, 40, 3)
    assert np.abs(photo.pixels.astype(int) - np.rot90(stored, -1)).mean() < 4
    assert photo.exif is not None and b"Maker" in photo.exif


def test_heic_without_its_reader_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(200)
    with pytest.raises(BadInputError, match="damaged"):
        read_photo(data, "a.jpg")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingModelError, match=r"HEIC.*pip install .*eie\[heic\]"):
        read_photo(data, "a.jpg")


FOREIGN = {
    "gif": (encoded(scene(8, 8), "GIF"), "a GIF.*as PNG"),
    "psd": (b"8BPS\0\1" + bytes(40), "Photoshop"),
    "jxl": (b"\xff\x0a" + bytes(40), "JPEG XL"),
    "jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "JPEG 2000"),
    "svg": (b'<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="">', "SVG"),
    "html": (b"<!DOCTYPE html><html>", "web page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "LFS pointer"),
    "pdf": (b"%PDF-1.7", "document"),
    "mac": (bytes.fromhex("0005160700020000") + bytes(99), r"without \._"),
    "cr3": (b"\0\0\0\x18ftypcrx \0\0\0\1", "raw file"),
    "raf": (b"FUJIFILMCCD-RAW 0201", "raw file"),
    "film": (b"\0\0\0\x18ftypisom\0\0\2\0", "film"),
}


@pytest.mark.parametrize(("data", "message"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_not_read_is_named(data: bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        read_photo(data, "a.png")


def test_a_raw_files_thumbnail_is_not_taken(tmp_path: Path) -> None:
    picture = Image.fromarray(scene(32, 24))
    dng = encoded(picture, "TIFF", tiffinfo={50706: (1, 4, 0, 0), 254: 1})
    nef = encoded(picture, "TIFF", tiffinfo={254: 1, 330: 8})
    for data in (dng, nef):
        with pytest.raises(BadInputError, match="raw file"):
            read_photo(data)
    (tmp_path / "a.NEF").write_bytes(encoded(picture, "TIFF"))
    with pytest.raises(BadInputError, match="raw file"):
        read_photo(tmp_path / "a.NEF")


def test_of_a_tiff_the_page_that_is_no_smaller_copy_is_read(tmp_path: Path) -> None:
    first = tiff_of_pages(tmp_path / "a.tif", ((80, 60), 0), ((16, 12), 1), ((80, 60), 4))
    last = tiff_of_pages(tmp_path / "b.tif", ((16, 12), 1), ((80, 60), 0))
    for path in (first, last):
        photo = read_photo(path)
        assert np.array_equal(photo.pixels, scene(80, 60))
        assert any("pages" in note for note in photo.notes)


@pytest.mark.parametrize("format", ["TIFF", "PNG", "WEBP", "AVIF"])
def test_of_pages_and_frames_the_first_is_taken_with_a_note(format: str) -> None:
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    further = [Image.fromarray(scene(80, 60, seed)) for seed in (1, 2)]
    lossless = {"lossless": True} if format == "WEBP" else {}
    first = Image.fromarray(scene(80, 60))
    data = encoded(first, format, save_all=True, append_images=further, **lossless)
    photo = read_photo(data)
    off = np.abs(photo.pixels[..., :3].astype(int) - scene(80, 60))
    assert off.max() == 0 if format != "AVIF" else off.mean() < 4
    expected = "first of its 3 pages" if format == "TIFF" else "animated, its first frame"
    assert [expected in note for note in photo.notes] == [True]


STORAGE = {
    "size as stored": (long(256, 60), long(257, 40)),
    "size of another": (long(256, 4000), long(257, 3000)),
    "YCbCr": (short(262, 6),),
    "alpha": (short(338, 0),),
    "planes": (short(284, 2),),
    "predictor": (short(317, 2),),
    "tiles": (long(322, 16), long(323, 16), long(324, 8), long(325, 100)),
    "fill order": (short(266, 2),),
    "bits": (short(258, 16), short(277, 1), short(339, 3)),
}


@pytest.mark.parametrize("tags", STORAGE.values(), ids=STORAGE)
@pytest.mark.parametrize("format", ["TIFF", "PNG", "JPEG", "WEBP"])
def test_an_exif_block_does_not_say_how_another_file_stores_its_pixels(
    tags: tuple, format: str
) -> None:
    stored = scene(60, 40)
    block = exif(short(274, 6), text(271, b"Samsung"), *tags)
    photo = read_photo(encoded(stored, "JPEG", quality=95, exif=block))
    with Image.open(io.BytesIO(encode_photo(photo, format))) as image:
        written = np.asarray(image.convert("RGB")).astype(int)
        assert image.getexif()[271] == "Samsung"
    assert written.shape == (60, 40, 3)
    assert np.abs(written - photo.pixels).max() <= (0 if format != "JPEG" else 12)
    # A block from an element file of an older version is mended when it is written.
    older = Photo(photo.pixels, exif=block)
    back = read_photo(encode_photo(older, format))
    assert back.pixels.shape == (60, 40, 3)


def test_the_size_that_exif_states_follows_the_picture() -> None:
    block = Image.Exif()
    block[274] = 6
    block[0x8769] = {0xA002: 60, 0xA003: 40, 0x9003: "2024:05:06 07:08:09"}
    photo = read_photo(encoded(scene(60, 40), "JPEG", exif=block.tobytes()))
    kept = Image.Exif()
    kept.load(photo.exif)
    folder = kept.get_ifd(0x8769)
    assert (folder[0xA002], folder[0xA003]) == (40, 60)
    assert folder[0x9003] == "2024:05:06 07:08:09"


def test_a_damaged_folder_does_not_cost_the_orientation() -> None:
    block = exif(short(274, 6), long(0x8769, 4_000_000))
    assert read_photo(encoded(scene(60, 40), "JPEG", exif=block)).pixels.shape == (60, 40, 3)


BAD_CHUNKS = {
    "checksum": chunk(b"tEXt", b"a\0b", checksum=1),
    "bomb": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 23))),
    "method": chunk(b"zTXt", b"a\0\7x"),
    "short gamma": chunk(b"gAMA", b"\0"),
    "profile": chunk(b"iCCP", b"name\0\7x"),
}


@pytest.mark.parametrize("bad", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_a_png_chunk_does_not_cost_the_picture(bad: bytes) -> None:
    photo = read_photo(png(scene(20, 10), bad))
    assert np.array_equal(photo.pixels, scene(20, 10))
    assert photo.notes


def test_damaged_pixels_are_still_refused() -> None:
    data = bytearray(png(scene(20, 10), chunk(b"tEXt", b"a\0b")))
    data[data.index(b"IDAT") + 20] ^= 255
    with pytest.raises(BadInputError, match="damaged"):
        read_photo(bytes(data))


def test_gamma_and_primaries_become_a_profile_of_the_same_colours() -> None:
    chunks = (
        chunk(b"gAMA", struct.pack(">I", 100_000)),
        chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
    )
    photo = read_photo(png(np.full((4, 4, 3), 55, np.uint8), *chunks))
    assert photo.icc is not None and any("gAMA and cHRM" in note for note in photo.notes)
    seen = ImageCms.profileToProfile(
        Image.fromarray(photo.pixels),
        ImageCms.ImageCmsProfile(io.BytesIO(photo.icc)),
        ImageCms.createProfile("sRGB"),
    )
    # Linear 55/255 is sRGB 129, and grey in whatever primaries.
    assert np.abs(np.asarray(seen).astype(int) - 129).max() <= 1
    p3 = read_photo(png(scene(9, 9), chunk(b"cICP", bytes([12, 13, 0, 1]))))
    assert p3.icc is not None and ImageCms.getProfileDescription(
        ImageCms.ImageCmsProfile(io.BytesIO(p3.icc))
    ).startswith("cICP 12/13")


@pytest.mark.parametrize(
    "chunks",
    [
        (chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 45_455))),
        (chunk(b"gAMA", struct.pack(">I", 45_455)),),
        (chunk(b"cICP", bytes([1, 13, 0, 1])), chunk(b"gAMA", struct.pack(">I", 100_000))),
    ],
)
def test_srgb_told_otherwise_is_nothing_to_tell(chunks: tuple[bytes, ...]) -> None:
    photo = read_photo(png(scene(9, 9), *chunks))
    assert photo.icc is None and not photo.notes


def test_colours_that_cannot_be_kept_are_told_of() -> None:
    hdr = read_photo(png(scene(9, 9), chunk(b"cICP", bytes([9, 16, 0, 1]))))
    assert hdr.icc is None and any("cICP" in note and "HDR" in note for note in hdr.notes)
    nonsense = read_photo(png(scene(9, 9), chunk(b"cHRM", bytes(32))))
    assert nonsense.icc is None and any("cHRM" in note for note in nonsense.notes)


def test_a_profile_of_other_colours_is_left_out() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for icc, message in ((lab, "Lab"), (b"rubbish", "damaged")):
        photo = read_photo(encoded(scene(9, 9), "PNG", icc_profile=icc))
        assert photo.icc is None and any(message in note for note in photo.notes)


def test_gain_maps_and_further_pictures_are_told_of() -> None:
    xmp = b'<rdf xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>'
    gain = Image.new("L", (20, 15), 90)
    photo = Image.fromarray(scene(80, 60))
    told = read_photo(encoded(photo, "MPO", save_all=True, append_images=[gain], xmp=xmp)).notes
    assert any("gain map" in note for note in told) and any("XMP" in note for note in told)
    told = read_photo(encoded(photo, "MPO", save_all=True, append_images=[gain])).notes
    assert any("further pictures" in note for note in told)
    assert not read_photo(encoded(photo, "JPEG")).notes


def test_what_eie_writes_is_read_without_a_word() -> None:
    photo = Photo(scene(40, 30), exif=exif(text(271, b"Maker")))
    for format in ("PNG", "JPEG", "WEBP", "TIFF"):
        data = encode_photo(photo, format, text={"Software": "eie", "eie:seed": "7"})
        assert read_photo(data).notes == ()


def test_an_exif_block_too_long_for_a_jpeg_loses_its_longest_entries() -> None:
    block = exif(text(270, b"x" * 70_000), text(271, b"Maker"))
    photo = Photo(scene(16, 16), exif=block)
    with pytest.warns(match="too long for a JPEG.*ImageDescription"):
        data = encode_photo(photo, "JPEG")
    kept = read_photo(data).exif
    assert kept is not None and b"Maker" in kept and b"xxxx" not in kept


def test_a_grey_picture_keeps_the_disc_that_is_in_it() -> None:
    deep = np.where(disc(96, 96, 48, 48, 25), 20_000, 30_000).astype(np.uint16)
    assert set(np.unique(read_photo(encoded(deep, "PNG")).pixels)) == {78, 117}


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_coded_colours_of_an_avif_become_a_profile() -> None:
    data = encoded(scene(32, 24), "AVIF", quality=90)
    place = data.index(b"colrnclx") + 8
    assert read_photo(data).icc is None
    p3 = data[:place] + struct.pack(">HH", 12, 13) + data[place + 4 :]
    photo = read_photo(p3)
    assert photo.icc is not None and any("12/13" in note for note in photo.notes)
    hdr = data[:place] + struct.pack(">HH", 9, 16) + data[place + 4 :]
    assert any("HDR" in note for note in read_photo(hdr).notes)
