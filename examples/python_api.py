"""Copy the spoon and shrink the copy: the verbs of the command line, as functions."""

import sys
from pathlib import Path

import eie
from eie.editing import Copy, Scale

PHOTOS = Path(__file__).parent


def main(out: Path) -> None:
    elements = eie.decompose(PHOTOS / "coffee.jpg")
    copied = eie.edit(elements, [Copy("object@365,285", "+130,-190")])
    copies = copied.table.id[len(elements) :]
    smaller = eie.edit(copied, [Scale(",".join(map(str, copies)), "0.7")])
    rendering = eie.render(smaller)
    rendering.save(out / "copied.png")
    sys.stdout.write(f"{out / 'copied.png'}: {rendering.changed_pixels} pixels changed\n")

    unedited = eie.render(eie.undo(smaller, 2))
    sys.stdout.write(
        f"after undoing both: {unedited.changed_pixels} pixels differ from the photo\n"
    )


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/examples")
    target.mkdir(parents=True, exist_ok=True)
    main(target)
