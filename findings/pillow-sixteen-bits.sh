#!/bin/sh
# Pillow cuts 16 bits a channel to 8 in two ways: of a colour PNG it keeps the higher byte, without
# a word; of a grey one `convert("L")` and `convert("RGB")` clip every value over 255 to white.
# Seen: the grey ramp 0, 20000, 30000, 65535 becomes 0, 255, 255, 255; in colour 0, 78, 117, 255.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'pillow==13.0.0'
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import zlib

from PIL import Image

RAMP = (0, 20_000, 30_000, 65_535)


def png(colour: int, channels: int) -> io.BytesIO:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + b"".join(struct.pack(">H", value) * channels for value in RAMP)
    size = struct.pack(">IIBBBBB", len(RAMP), 1, 16, colour, 0, 0, 0)
    parts = ((b"IHDR", size), (b"IDAT", zlib.compress(row)), (b"IEND", b""))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def read(file: io.BytesIO) -> list[int]:
    picture = Image.open(file).convert("RGB")
    return [picture.getpixel((x, 0))[0] for x in range(len(RAMP))]


grey, colour = read(png(0, 1)), read(png(2, 3))
print("grey", grey, "colour", colour)
assert grey == [0, 255, 255, 255]
assert colour == [0, 78, 117, 255]
PYTHON
echo "as described"
