"""Photos, masks and edit scripts with something wrong, by seed: the same number, the same file.

    python -m tests.mutations 20000          so many of each kind through the commands, in process
    python -m tests.mutations 1 --first 4711 one of each, to look into

Every file must be read or refused in one plain line, within ten seconds and a gigabyte, and leave
nothing but a whole output.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

import eie
from eie.cli import main
from tests.odd_pictures import disc, encoded, exif, long, png, scene, short, text

KINDS = ("photo", "mask", "script")
SECONDS, BYTES = 10, 1 << 30
SIZE = (40, 30)

_TELLING = (0, 1, 2, 3, 8, 0x7F, 0x80, 0xFE, 0xFF)
_WIDE = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def photos() -> list[bytes]:
    """Small pictures of every format and mode, with all that goes with them."""
    width, height = SIZE
    rgb = Image.fromarray(scene(width, height))
    clear = Image.fromarray(disc(width, height, 20, 15, 9).astype(np.uint8) * 255)
    rgba = rgb.copy()
    rgba.putalpha(clear)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    block = exif(short(274, 6), text(271, b"Maker"), long(256, 40), long(0x8769, 8))
    made = []
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = (rgba if "A" in mode else rgb).convert("L" if mode == "I;16" else mode)
        image = image.convert("I;16") if mode == "I;16" else image
        made.append(encoded(image, "PNG", exif=block, icc_profile=icc))
        made.append(encoded(image, "TIFF"))
    made.append(encoded(rgb.quantize(16), "PNG", transparency=bytes([0, 128] + [255] * 14)))
    made.append(png(scene(width, height).astype(np.uint16) * 257))
    made.append(encoded(rgb, "PNG", save_all=True, append_images=[rgba.convert("RGB")]))
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            made.append(
                encoded(rgb.convert(mode), "JPEG", exif=block, icc_profile=icc,
                        progressive=progressive, comment=b"words")
            )  # fmt: skip
    made.append(encoded(rgb, "MPO", save_all=True, append_images=[rgb.convert("L")]))
    for image in (rgb, rgba):
        for lossless in (False, True):
            made.append(encoded(image, "WEBP", lossless=lossless, exif=block, icc_profile=icc))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4"):
        image = rgb.convert("1") if compression == "group4" else rgb
        plain = exif(short(274, 6), text(271, b"Maker"))
        made.append(encoded(image, "TIFF", compression=compression, exif=plain))
    made.append(encoded(rgb, "TIFF", save_all=True, append_images=[rgb]))
    made += [encoded(rgb.convert(mode), "BMP") for mode in ("1", "L", "P", "RGB")]
    made.append(encoded(rgba, "BMP"))
    for format in ("JPEG", "PNG", "TIFF", "BMP"):
        made.append(encoded(rgb, format, dpi=(300, 150)))
    made.append(encoded(rgb, "WEBP", save_all=True, append_images=[rgb.convert("L")]))
    srgb, lab = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
    made.append(encoded(ImageCms.profileToProfile(rgb, srgb, lab, outputMode="LAB"), "TIFF"))
    with contextlib.suppress(OSError, KeyError):
        made.append(encoded(rgba, "AVIF", exif=block))
    with contextlib.suppress(ImportError):
        import pillow_heif

        stream = io.BytesIO()
        pillow_heif.from_pillow(rgb).save(stream, quality=60, exif=block)
        made.append(stream.getvalue())
    return made


def masks() -> list[bytes]:
    """Masks of the size of the photos, in most ways of marking."""
    width, height = SIZE
    thing = disc(width, height, 20, 15, 9)
    white = thing * np.uint8(255)
    kinds = (thing, white, thing.astype(np.uint8), np.dstack([white] * 4),
             np.dstack([white * 0] * 3 + [white]), white.astype(np.uint16) * 257)  # fmt: skip
    made = [encoded(kind, "PNG", exif=exif(short(274, 6))) for kind in kinds]
    made += [encoded(thing.astype(kind), "TIFF") for kind in (bool, np.float32, np.int32)]
    return [*made, encoded(white, "JPEG"), encoded(white, "BMP"), encoded(white, "TIFF")]


def scripts() -> list[bytes]:
    """Edit scripts with every operation."""
    operations = [
        {"operation": "move", "selection": "1", "shift": "+4,-3"},
        {"operation": "scale", "selection": "@50%,50%", "factor": "150%"},
        {"operation": "delete", "selection": "box:0,0,20,20 - 3"},
        {"operation": "restore", "selection": "all"},
        {"operation": "copy", "selection": "object@20,15~0.3", "shift": "10%,0"},
        {"operation": "drag", "start": "20,15", "end": "30,15"},
        {"operation": "swap", "selection": "1", "other": "2"},
        {"operation": "group", "group": "a", "selection": "1,2,4-6"},
        {"operation": "flip", "selection": "group:a", "direction": "h"},
        {"operation": "rotate", "selection": "3", "angle": "-12.5°"},
        {"operation": "appearance", "selection": "1", "of": "2"},
        {"operation": "paste", "file": "base.h5", "selection": "1", "place": "9,9"},
        {"operation": "reset"},
    ]
    alone = [[entry] for entry in operations if "group:a" not in entry.values()]
    return [
        json.dumps({"format": "eie-edits", "version": 1, "operations": some}).encode()
        for some in (operations, *alone)
    ]


def mutated(seeds: list[bytes], number: int) -> bytes:
    """One of the seeds with a few things changed; a pure function of the number."""
    chance = random.Random(number)
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        chance.choice(_CHANGES)(data, chance, seeds)
    if data[:4] == b"\x89PNG" and chance.random() < 0.6:
        _mend_checksums(data)
    return bytes(data)


def mutated_script(seeds: list[bytes], number: int) -> bytes:
    """An edit script with other values, or other bytes."""
    chance = random.Random(number)
    if chance.random() < 0.4:
        return mutated(seeds, number)
    script = json.loads(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 4))):
        entry = chance.choice(script["operations"])
        if not entry:
            continue
        key = chance.choice(list(entry))
        value = entry[key]
        entry[key] = chance.choice((
            None, 0, -1, 1e308, [], {}, True, "", "\0", "é" * 300, "9" * 25, f"{value}-1",
            f"-{value}", f"{value}%", str(value) * 2, str(value)[::-1], "1e9,1e9", "999999,0",
            "-999999,-1", "0.0000001", "@-1,-1", "box:9,9,1,1", "mask:/dev/zero", "mask:.",
            "mask:nothing.png", "group:", "all-all", "0-65535", "object@1,1~2",
            chance.choice(list(entry.values())),
        ))  # fmt: skip
        if chance.random() < 0.1:
            entry.pop(chance.choice(list(entry)))
    return json.dumps(script).encode()


def _flip(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice(_TELLING)


def _number(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if len(data) > 4:
        place = chance.randrange(min(len(data), chance.choice((64, 4096))) - 3)
        order = chance.choice("<>")
        data[place : place + 4] = struct.pack(f"{order}I", chance.choice(_WIDE))


def _cut(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if data:
        del data[chance.randrange(len(data)) :]


def _drop(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if data:
        place = chance.randrange(len(data))
        del data[place : place + chance.choice((1, 4, 32))]


def _double(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if data:
        place = chance.randrange(len(data))
        data[place:place] = data[place : place + chance.choice((1, 12, 200))]


def _splice(data: bytearray, chance: random.Random, seeds: list[bytes]) -> None:
    other = chance.choice(seeds)
    place = chance.randrange(len(data) + 1)
    data[place:] = other[chance.randrange(len(other)) :]


_CHANGES: tuple[Callable[[bytearray, random.Random, list[bytes]], None], ...] = (
    _flip, _flip, _byte, _byte, _number, _number, _cut, _drop, _double, _splice,
)  # fmt: skip


def _mend_checksums(data: bytearray) -> None:
    """Let a PNG's changes get past its checksums."""
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(data):
            return
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[place + 4 : end]))
        place = end + 4


class TooLongError(Exception):
    """A command took longer than it may."""


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(arguments: list[str]) -> tuple[int, str]:
    """The exit code of a command in this process, and what it said."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    with contextlib.redirect_stderr(said):
        try:
            main(arguments)
        except SystemExit as stop:
            said.flush()
            return int(stop.code or 0), said.buffer.getvalue().decode()
    raise AssertionError("a command always leaves")


def problem_with(kind: str, data: bytes, folder: Path) -> tuple[int, str | None]:
    """The exit code that a mutated file ends with, and what is wrong with that, if anything is."""
    name, output = (
        folder / {"photo": "p.img", "mask": "m.png", "script": "s.json"}[kind],
        folder / "o.h5",
    )
    name.write_bytes(data)
    output.unlink(missing_ok=True)
    base = str(folder / "base.h5")
    commands = {
        "photo": ["decompose", str(name), "--segmenter", "slic", "--elements", "8"],
        "mask": ["edit", base, "--delete", f"mask:{name}"],
        "script": ["edit", base, "--script", str(name)],
    }
    before = {path.name for path in folder.iterdir()}
    started = time.monotonic()
    try:
        with within(3 * SECONDS):
            code, said = run([*commands[kind], "-o", str(output)])
    except TooLongError:
        return -1, "hangs"
    except BaseException as error:
        return -1, f"{type(error).__name__} escapes: {error}"
    if (took := time.monotonic() - started) > SECONDS:
        return code, f"takes {took:.0f} s"
    if code not in (0, 2, 3, 4, 5) or "this is a bug" in said or "Traceback" in said:
        return code, said.strip().splitlines()[-1][:300] if said.strip() else f"exit {code}"
    if code and len(said.strip().splitlines()) > 3:
        return code, f"says too much: {said[:300]}"
    left = {path.name for path in folder.iterdir()} - before - {output.name}
    if left:
        return code, f"leaves {left}"
    if output.exists() != (code == 0):
        return code, f"exit {code}, output {'there' if output.exists() else 'missing'}"
    if code == 0:
        np.asarray(eie.load(output).sources[0].pixels)
    return code, None


def most_memory() -> int:
    """Bytes that this process has held at most."""
    # What getrusage says of a process that was just forked is its parent's, even after exec.
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def trial(count: int, first: int = 0, kinds: tuple[str, ...] = KINDS) -> list[str]:
    """What went wrong with `count` files of each kind, from the number `first` on."""
    seeds = {"photo": photos(), "mask": masks(), "script": scripts()}
    problems = []
    # Where the process is told to stay below, a file that wants more memory is refused, or not.
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        folder = Path(place)
        (folder / "p.img").write_bytes(encoded(scene(*SIZE), "PNG"))
        cut = ["--segmenter", "slic", "--elements", "8", "-o", str(folder / "base.h5")]
        code, said = run(["decompose", str(folder / "p.img"), *cut])
        if code:
            raise RuntimeError(said)
        for kind in kinds:
            codes: Counter[int] = Counter()
            make = mutated_script if kind == "script" else mutated
            for number in range(first, first + count):
                code, problem = problem_with(kind, make(seeds[kind], number), folder)
                codes[code] += 1
                if problem:
                    problems.append(f"{kind} {number}: {problem}")
                    sys.stderr.write(f"{problems[-1]}\n")
            told = ", ".join(f"{n} × exit {code}" for code, n in sorted(codes.items()))
            sys.stderr.write(f"{kind}: numbers {first} to {first + count - 1}: {told}\n")
    peak = most_memory()
    sys.stderr.write(f"most memory: {peak / 2**20:.0f} MiB\n")
    if peak > BYTES:
        problems.append(f"memory rose to {peak / 2**20:.0f} MiB")
    return problems


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    found = trial(options.count, options.first, tuple(options.kinds))
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.exit(bool(found))
