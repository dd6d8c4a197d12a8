from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from eie.errors import BadInputError, UsageError
from eie.files import Photo, encode_photo, photo_format, read_photo, write_photo
from eie.files.photo import CHANNELS

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = ["PNG", "TIFF", "WEBP"]


def noise(channels: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(channels).integers(
        0, 256, (height, width, channels), dtype=np.uint8
    )


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def picture(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(skimage.data.astronaut()[:24, :32]).convert(mode)


def exif_block(orientation: int | None = None) -> bytes:
    block = Image.Exif()
    block[0x010F] = "Maker"
    block[0x8769] = {0x9003: "2024:05:06 07:08:09"}
    block[0x8825] = {1: "N"}
    if orientation is not None:
        block[0x0112] = orientation
    return block.tobytes()


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossless_formats_give_the_pixels_back(format: str, channels: int) -> None:
    pixels = noise(channels)
    back = read_photo(encode_photo(Photo(pixels, icc=ICC), format))
    if format == "WEBP" and channels < 3:  # WebP has no grey
        pixels = np.concatenate([pixels[..., :1]] * 3 + [pixels[..., 1:]], axis=-1)
    assert np.array_equal(back.pixels, pixels)
    assert back.icc == ICC


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_large_png_says_all_that_a_small_one_does(channels: int) -> None:
    soft = np.add.outer(np.arange(2000), np.arange(6000)) // 23
    pixels = np.stack([soft, soft // 2, soft // 3, soft // 5], axis=2)[..., -channels:]
    pixels = pixels.astype(np.uint8)
    words = {"Software": "eie", "eie:decoder": "classical"}
    large, small = (
        encode_photo(Photo(some, icc=ICC, exif=exif_block()), "PNG", text=words)
        for some in (pixels, pixels[:20, :30])
    )
    with Image.open(io.BytesIO(large)) as image, Image.open(io.BytesIO(small)) as other:
        assert image.mode == other.mode
        assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)
        assert image.text == other.text == words  # type: ignore[attr-defined]
        assert image.info["icc_profile"] == ICC
        assert dict(image.getexif()) == dict(other.getexif())
        assert image.getexif().get_ifd(0x8769) == {0x9003: "2024:05:06 07:08:09"}
    assert read_photo(large).notes == ()


def test_jpeg_is_close_grey_stays_grey_and_colour_is_not_subsampled() -> None:
    photo = skimage.data.astronaut()
    for pixels in (photo, photo[..., :1]):
        back = read_photo(encode_photo(Photo(pixels), "JPEG")).pixels
        assert back.shape == pixels.shape
        assert np.abs(back.astype(int) - pixels).mean() < 2
    image = Image.open(io.BytesIO(encode_photo(Photo(photo), "JPEG")))
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_quality_sets_the_size() -> None:
    photo = Photo(skimage.data.astronaut())
    for format in ("JPEG", "WEBP"):
        sizes = [len(encode_photo(photo, format, quality=q)) for q in (20, 60, 95)]
        assert sizes == sorted(sizes)
    assert encode_photo(photo, "JPEG", quality=95) == encode_photo(photo, "JPEG")


@pytest.mark.parametrize(
    ("format", "quality", "message"),
    [("PNG", 90, "no quality"), ("JPEG", 0, "from 1 to 100"), ("WEBP", 101, "from 1 to 100")],
)
def test_odd_qualities_are_refused(format: str, quality: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        encode_photo(Photo(noise(3)), format, quality=quality)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_encoding_is_deterministic(format: str) -> None:
    photo = Photo(noise(3), ICC, exif_block())
    assert encode_photo(photo, format, text={"a": "b"}) == encode_photo(
        photo, format, text={"a": "b"}
    )


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_orientation_is_applied_and_its_tag_removed(format: str, orientation: int) -> None:
    upright = np.asarray(picture())
    turn = {
        1: lambda u: u, 2: np.fliplr, 3: lambda u: np.rot90(u, 2), 4: np.flipud,
        5: lambda u: u.swapaxes(0, 1), 6: lambda u: np.rot90(u, 1),
        7: lambda u: np.rot90(u, 2).swapaxes(0, 1), 8: lambda u: np.rot90(u, -1),
    }[orientation]  # fmt: skip
    stored = Image.fromarray(np.ascontiguousarray(turn(upright)))
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}
    data = encoded(stored, format, exif=exif_block(orientation), **options.get(format, {}))
    photo = read_photo(data)
    assert photo.pixels.shape == upright.shape
    assert np.abs(photo.pixels.astype(int) - upright).mean() < (3 if format == "JPEG" else 1e-9)
    kept = Image.Exif()
    kept.load(photo.exif)
    assert 0x0112 not in kept
    assert kept[0x010F] == "Maker"
    assert kept.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
    # And written again, nobody turns it a second time.
    again = read_photo(encode_photo(photo, "PNG"))
    assert np.array_equal(again.pixels, photo.pixels)
    assert again.exif == photo.exif


def test_orientation_of_a_tiff() -> None:
    upright = np.asarray(picture())
    data = encoded(
        Image.fromarray(np.ascontiguousarray(np.rot90(upright))), "TIFF", exif=exif_block(6)
    )
    photo = read_photo(data)
    assert np.array_equal(photo.pixels, upright)
    kept = Image.Exif()
    kept.load(photo.exif)
    assert 0x0112 not in kept and kept[0x010F] == "Maker" and 0x0111 not in kept


def test_the_thumbnail_does_not_survive() -> None:
    """It would show the photo before its edits."""
    marker = b"\xff\xd8THUMBNAIL\xff\xd9"
    head = b"Exif\0\0II*\0" + struct.pack("<I", 8)
    first = struct.pack("<HHHIIHHIII", 2, 0x010F, 2, 4, 0x00616263, 0x0112, 3, 1, 1, 38)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 68, 0x0202, 4, 1, len(marker), 0)
    data = encoded(picture(), "JPEG", exif=head + first + second + marker)
    assert marker in data
    assert marker not in read_photo(data).exif


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\0\0", exif_block()[:-20]]
)
def test_a_damaged_exif_block_does_not_spoil_the_photo(exif: bytes) -> None:
    photo = read_photo(encoded(picture(), "JPEG", exif=exif))
    assert photo.pixels.shape == (24, 32, 3)
    encode_photo(photo, "JPEG")


def test_palettes_and_bits_are_expanded_exactly() -> None:
    coloured = picture().quantize(16)
    assert np.array_equal(
        read_photo(encoded(coloured, "PNG")).pixels, np.asarray(coloured.convert("RGB"))
    )
    clear = read_photo(encoded(coloured, "PNG", transparency=bytes([0, 128] + [255] * 14)))
    assert clear.pixels.shape[2] == 4 and {0, 128, 255} >= set(np.unique(clear.pixels[..., 3]))
    bits = picture("1")
    assert np.array_equal(
        read_photo(encoded(bits, "PNG")).pixels[..., 0], np.asarray(bits) * np.uint8(255)
    )


def test_a_transparent_colour_becomes_alpha() -> None:
    pixels = noise(3)
    colour = tuple(pixels[3, 4].tolist())
    photo = read_photo(encoded(Image.fromarray(pixels), "PNG", transparency=colour))
    assert np.array_equal(photo.pixels[..., :3], pixels)
    assert np.argwhere(photo.pixels[..., 3] == 0).tolist() == [[3, 4]]


def png(height: int, width: int, depth: int, colour: int, data: bytes) -> bytes:
    """A PNG made by hand, of kinds that Pillow does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


REFUSED = {
    "float": (encoded(picture("F"), "TIFF"), "32 bits"),
    "GIF": (encoded(picture("P"), "GIF"), "not a PNG, JPEG, WebP or TIFF"),
    "text": (b"hello", "not a PNG"),
    "empty": (b"", "the file is empty"),
    "bomb": (png(60_000, 60_000, 8, 2, b""), "more than 178 megapixels"),
    "just over": (png(10_000, 17_801, 8, 0, b""), "more than 178 megapixels"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_handled_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(data)
    with pytest.raises(BadInputError, match=message) as caught:
        read_photo(tmp_path / "photo.png")
    assert caught.value.where == str(tmp_path / "photo.png")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_truncated_pictures_are_refused(format: str) -> None:
    data = encode_photo(Photo(noise(3, 60, 80)), format)
    for part in (0.02, 0.1, 0.3, 0.5, 0.8):
        with pytest.raises(BadInputError):
            read_photo(data[: int(len(data) * part)], "photo")


@settings(max_examples=60, deadline=None)
@given(
    format=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF"]),
    place=st.floats(0, 1, exclude_max=True),
    value=st.integers(0, 255),
)
def test_damaged_pictures_are_read_or_refused(format: str, place: float, value: int) -> None:
    data = bytearray(encode_photo(Photo(noise(3), ICC, exif_block()), format))
    data[int(place * len(data))] = value
    try:
        photo = read_photo(bytes(data), "photo")
    except BadInputError:
        return
    assert photo.pixels.shape[2] in CHANNELS


@pytest.mark.parametrize(
    ("name", "message"), [("no.png", "No such file"), (".", "directory"), ("a\0b", "null")]
)
def test_missing_files(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        read_photo(tmp_path / name)


def test_transparency_does_not_go_into_a_jpeg() -> None:
    with pytest.raises(UsageError, match=r"JPEG cannot hold transparency \(write \.png"):
        encode_photo(Photo(noise(4)), "JPEG")
    for channels in (2, 4):
        opaque = noise(channels)
        opaque[..., -1] = 255
        back = read_photo(encode_photo(Photo(opaque), "JPEG"))
        assert back.pixels.shape[2] == channels - 1


def test_provenance_is_kept_where_the_format_has_a_place() -> None:
    photo, text = Photo(noise(3), exif=exif_block()), {"eie:seed": "7", "eie:note": "größer 猫"}
    stored = {
        format: Image.open(io.BytesIO(encode_photo(photo, format, text=text)))
        for format in ("PNG", "JPEG", "WEBP", "TIFF")
    }
    assert {key: stored["PNG"].text[key] for key in text} == text
    assert json.loads(stored["JPEG"].info["comment"]) == text
    for format in ("WEBP", "TIFF"):
        assert json.loads(stored[format].getexif()[0x0131]) == text
        assert stored[format].getexif()[0x010F] == "Maker"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_metadata_can_be_left_out_but_colours_stay(format: str) -> None:
    photo = Photo(noise(3), ICC, exif_block())
    data = encode_photo(photo, format, metadata=False, text={"secret": "place"})
    assert b"Maker" not in data and b"secret" not in data
    assert read_photo(data).icc == ICC


def test_sizes_beyond_a_format_are_refused() -> None:
    with pytest.raises(UsageError, match="WEBP cannot hold this photo"):
        encode_photo(Photo(np.zeros((1, 20_000, 3), np.uint8)), "WEBP")
    with pytest.raises(UsageError, match="JPEG cannot hold this photo"):
        encode_photo(Photo(np.zeros((1, 66_000, 3), np.uint8)), "JPEG")


def test_extensions_choose_the_format(tmp_path: Path) -> None:
    assert photo_format("a.b/C.JPeG") == "JPEG"
    for name in ("a.bmp", "a"):
        with pytest.raises(UsageError, match=r"use one of \.png \.jpg"):
            photo_format(name)
    write_photo(Photo(noise(3)), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes()[:2] in (b"II", b"MM")


def test_a_failed_write_leaves_the_old_photo(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"old")
    with pytest.raises(UsageError):
        write_photo(Photo(noise(4)), tmp_path / "a.jpg")
    with pytest.raises(UsageError):
        write_photo(Photo(noise(3)), tmp_path / "no" / "a.jpg")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_photos_of_phones_with_further_pictures_inside() -> None:
    data = encoded(picture(), "MPO", save_all=True, append_images=[picture("L").convert("RGB")])
    assert read_photo(data).pixels.shape == (24, 32, 3)


def density(data: bytes) -> tuple[float, float] | None:
    """Pixels per inch, (x, y), as programs read them that look into no EXIF block."""
    with Image.open(io.BytesIO(data)) as image:
        told = image.info.get("dpi") if image.format != "WEBP" else None
        return told and (round(float(told[0])), round(float(told[1])))


@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("target", ["JPEG", "PNG", "TIFF"])
def test_the_resolution_is_kept_whatever_the_format(source: str, target: str) -> None:
    photo = read_photo(encoded(picture(), source, dpi=(300, 150)))
    assert photo.notes == ()
    assert density(encode_photo(photo, target)) == (300, 150)
    assert density(encode_photo(photo, target, metadata=False)) in (None, (1, 1))


def test_a_resolution_is_turned_with_the_photo_and_webp_keeps_it_in_exif() -> None:
    turned = read_photo(encoded(picture(), "JPEG", dpi=(300, 150), exif=exif_block(6)))
    assert density(encode_photo(turned, "JPEG")) == (150, 300)
    block = Image.open(io.BytesIO(encode_photo(turned, "WEBP"))).getexif()
    assert (block[0x011A], block[0x011B], block[0x0128]) == (150, 300, 2)
    assert block[0x010F] == "Maker"


def test_a_resolution_in_exif_alone_reaches_the_other_formats_as_well() -> None:
    block = Image.Exif()
    block[0x011A], block[0x011B], block[0x0128] = 100.0, 50.0, 3  # by the centimetre
    photo = read_photo(encoded(picture(), "WEBP", exif=block.tobytes()))
    assert density(encode_photo(photo, "PNG")) == density(encode_photo(photo, "JPEG")) == (254, 127)
    assert density(encode_photo(photo, "TIFF")) == (254, 127)


def test_a_resolution_by_the_centimetre_is_kept_to_the_last_digit() -> None:
    stored = bytearray(encoded(picture(), "JPEG"))
    place = stored.index(b"JFIF\0") + 7
    stored[place : place + 5] = struct.pack(">BHH", 2, 118, 59)
    written = encode_photo(read_photo(bytes(stored)), "PNG")
    assert b"pHYs" + struct.pack(">IIB", 11_800, 5_900, 1) in written


def test_what_is_no_resolution_is_not_made_one() -> None:
    for data in (
        encoded(picture(), "JPEG"),
        encoded(picture(), "PNG"),
        encoded(picture(), "PNG", dpi=(0, 0)),
    ):
        assert read_photo(data).exif is None
    plain = bytearray(encoded(picture(), "JPEG"))
    place = plain.index(b"JFIF\0") + 7
    plain[place : place + 5] = struct.pack(">BHH", 0, 2, 1)  # pixels twice as wide as high
    photo = read_photo(bytes(plain))
    assert photo.exif is None
    assert photo.notes == ("that its pixels are not square (2:1) is not kept",)
    block = Image.Exif()
    block[0x011A], block[0x011B], block[0x0128] = 0.0, 1e9, 2
    nonsense = read_photo(encoded(picture(), "WEBP", exif=block.tobytes()))
    assert density(encode_photo(nonsense, "PNG")) is None
    assert b"JFIF\0\1\1" + struct.pack(">BHH", 0, 1, 1) in encode_photo(nonsense, "JPEG")
