#!/bin/sh
# Pillow reads some TIFFs and PNGs as other pixels than they say, without a word or an error.
# - 16-bit grey TIFF of which 0 is white (PhotometricInterpretation 0): not inverted; 8 bits are.
# - 16-bit RGB TIFF whose channels lie apart (PlanarConfiguration 2), unpacked: bytes are mixed up;
#   packed by deflate it is read right.
# - grey PNG of 4 bits with a transparent grey (tRNS): the grey is compared with pixels stretched to
#   8 bits, so that nothing is transparent.
# Seen: 0 and 65535 stay so, where 8 bits become 255 and 0; the first pixels (1, 65, 129), (2, 66,
# 130) are other ones; the alpha of transparent grey 3 is 255. tifffile writes the TIFFs and reads them as they are meant.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'pillow==13.0.0' 'tifffile==2026.3.3'
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image


def tiff(pixels: np.ndarray, **options: object) -> io.BytesIO:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    assert (tifffile.imread(io.BytesIO(stream.getvalue())) == pixels).all()
    return io.BytesIO(stream.getvalue())


ends = np.array([[0, 255]] * 2)
eight = np.asarray(Image.open(tiff(ends.astype(np.uint8), photometric="miniswhite")))
deep = np.asarray(Image.open(tiff(ends.astype(np.uint16) * 257, photometric="miniswhite")))
print("white is zero: 8 bits", eight[0], "16 bits", deep[0])
assert eight[0].tolist() == [255, 0]
assert deep[0].tolist() == [0, 65_535]

planes = (np.arange(1, 193).reshape(3, 8, 8) * 257).astype(np.uint16)
expected = (planes >> 8).astype(np.uint8).transpose(1, 2, 0)
apart = {"photometric": "rgb", "planarconfig": "separate"}
plain = np.asarray(Image.open(tiff(planes, **apart)))
deflated = np.asarray(Image.open(tiff(planes, **apart, compression="zlib")))
print("channels apart:", plain[0, :2].tolist(), "deflated", deflated[0, :2].tolist())
assert (deflated == expected).all()
assert (plain != expected).any()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


parts = (
    (b"IHDR", struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)),
    (b"tRNS", struct.pack(">H", 3)),
    (b"IDAT", zlib.compress(b"\0\x3f")),
    (b"IEND", b""),
)
png = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
alpha = np.asarray(Image.open(io.BytesIO(png)).convert("LA"))[0]
print("greys 3 (transparent) and 15:", alpha.tolist())
assert alpha.tolist() == [[51, 255], [255, 255]]
PYTHON
echo "as described"
