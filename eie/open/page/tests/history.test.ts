import { describe, expect, it } from "vitest";
import { commandLine, inLines } from "../src/core/command";
import { showsPhoto, redoSize, stepsOf } from "../src/core/history";

const entry = (operation: string, more = {}) => ({ operation, text: `--${operation} 1`, ...more });

describe("history", () => {
  it("shows what was done at once as one step", () => {
    const steps = stepsOf([entry("scale"), entry("move", { look: "before" }), entry("delete")]);
    expect(steps.map(({ title, size }) => [title, size])).toEqual([["Resize", 2], ["Delete", 1]]);
    expect(steps[0]!.text).toBe("--scale 1 --move 1");
    expect(redoSize([entry("scale"), entry("move", { later: true }), entry("delete")])).toBe(2);
    expect(redoSize([])).toBe(0);
  });

  it("takes groups for no change of the picture, and a reset for the photo", () => {
    expect(showsPhoto([])).toBe(true);
    expect(showsPhoto([entry("group")])).toBe(true);
    expect(showsPhoto([entry("move"), entry("reset"), entry("ungroup")])).toBe(true);
    expect(showsPhoto([entry("reset"), entry("move"), entry("group")])).toBe(false);
  });
});

describe("command line", () => {
  const told = "eie decompose 'my cat.jpg' -o 'my cat.h5' && eie render 'my cat.h5' -o 'my cat-edited.png'";

  it("is of the format that is saved, with what differs from the defaults", () => {
    const options = { format: "jpeg", quality: 80, decoder: "light", seed: 2 };
    expect(commandLine(told, options)).toMatch(
      /-o 'my cat-edited.jpg' --quality 80 --decoder light --seed 2$/,
    );
    const plain = { format: "png", quality: null, decoder: null, seed: 0 };
    expect(commandLine(told, plain)).toBe(told);
  });

  it("is shown an option a line, as shells read it", () => {
    const lines = inLines("eie edit a.h5 --move 'mask:a --b.png' -5,0 --look && eie render a.h5 -o b.png");
    expect(lines).toBe(
      "eie edit a.h5 \\\n  --move 'mask:a --b.png' -5,0 \\\n  --look &&\neie render a.h5 -o b.png",
    );
  });
});
