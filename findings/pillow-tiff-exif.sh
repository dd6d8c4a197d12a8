#!/bin/sh
# Pillow writes a photo's EXIF block into a TIFF's own table of tags, also those that say how the
# photo's file stored its pixels. A JPEG of 60x40 whose EXIF says what many cameras write, size and
# kind of its pixels (tags 256, 257, 262), becomes a TIFF that cannot be read, or reads as noise.
# Seen: with ImageWidth and ImageLength of the camera's full photo the TIFF is cut off; with
# PhotometricInterpretation 6 other pixels come back; with DocumentName all is well.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'pillow==13.0.0'
"$folder/venv/bin/python" - <<'PYTHON'
import io

from PIL import Image

picture = Image.new("RGB", (60, 40), (200, 90, 30))


def written(tags: dict[int, object]) -> str:
    photo, tiff, block = io.BytesIO(), io.BytesIO(), Image.Exif()
    for tag, value in tags.items():
        block[tag] = value
    picture.save(photo, "JPEG", quality=100, subsampling=0, exif=block)
    opened = Image.open(photo)
    opened.save(tiff, "TIFF", exif=opened.getexif())
    try:
        back = Image.open(tiff).convert("RGB")
    except (OSError, SyntaxError) as error:
        return f"unreadable: {error}"
    return "the same" if back.tobytes() == opened.tobytes() else "other pixels"


seen = {
    "DocumentName": written({269: "a"}),
    "ImageWidth, ImageLength": written({256: 4000, 257: 3000}),
    "PhotometricInterpretation": written({262: 6}),
}
print(seen)
assert seen["DocumentName"] == "the same"
assert seen["ImageWidth, ImageLength"].startswith("unreadable")
assert seen["PhotometricInterpretation"] != "the same"
PYTHON
echo "as described"
