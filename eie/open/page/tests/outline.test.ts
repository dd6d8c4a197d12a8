import { describe, expect, it } from "vitest";
import { outline } from "../src/core/outline";
import { joined, regionOfMask, without } from "../src/core/region";

function region(...lines: string[]) {
  const inside = Uint8Array.from(lines.join(""), (sign) => (sign === "#" ? 1 : 0));
  return regionOfMask(lines[0]!.length, lines.length, inside);
}

/** Twice the signed area that a closed line holds; positive if the inside is on the right. */
function area(loop: readonly number[]): number {
  let sum = 0;
  for (let index = 0; index < loop.length; index += 2) {
    const next = (index + 2) % loop.length;
    sum += loop[index]! * loop[next + 1]! - loop[next]! * loop[index + 1]!;
  }
  return sum;
}

describe("outline", () => {
  it("goes round a pixel through the middles of its sides", () => {
    expect(outline(region("...", ".#.", "..."))).toEqual([[1.5, 1, 2, 1.5, 1.5, 2, 1, 1.5]]);
  });

  it("cuts corners of a rectangle by half a pixel and keeps its sides straight", () => {
    const [loop] = outline(region("####", "####", "####"));
    expect(loop).toHaveLength(16);
    expect(area(loop!)).toBe(2 * 12 - 1);
  });

  it("goes round holes the other way", () => {
    const loops = outline(region("###", "#.#", "###"));
    expect(loops.map((loop) => Math.sign(area(loop)))).toEqual([1, -1]);
  });

  it("takes pixels that touch by a corner for two things", () => {
    expect(outline(region("#.", ".#"))).toHaveLength(2);
  });

  it("closes lines at the frame, and has none of nothing", () => {
    expect(outline(region("##", "##"))).toHaveLength(1);
    expect(outline(region("..", ".."))).toEqual([]);
  });

  it("holds as much as the region has pixels, but for the corners", () => {
    let state = 7;
    const noise = () => (state = (state * 16807) % 2147483647) % 3 > 0;
    const lines = Array.from({ length: 40 }, () =>
      Array.from({ length: 50 }, () => (noise() ? "#" : ".")).join(""),
    );
    const any = region(...lines);
    const pixels = any.inside.reduce((sum, bit) => sum + bit, 0);
    const loops = outline(any);
    const held = loops.reduce((sum, loop) => sum + area(loop) / 2, 0);
    const turns = loops.reduce((sum, loop) => sum + loop.length / 2, 0);
    expect(Math.abs(held - pixels)).toBeLessThan(turns / 4);
  });
});

describe("regions", () => {
  it("are joined and taken away pixel by pixel, and know their box", () => {
    const left = region("##..", "##..");
    const right = region(".##.", "....");
    expect(joined(left, right).box).toEqual({ x0: 0, y0: 0, x1: 3, y1: 2 });
    expect(without(right, left).box).toEqual({ x0: 2, y0: 0, x1: 3, y1: 1 });
    expect(without(left, left).box).toBeNull();
  });
});
