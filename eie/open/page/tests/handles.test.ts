import { describe, expect, it } from "vitest";
import { apply, followed, rotationAbout, translation } from "../src/core/geometry";
import {
  frameOf,
  gripOf,
  handleAt,
  handlesOf,
  moveOperation,
  scaledBy,
  scaleOperations,
  scaling,
  turning,
} from "../src/core/handles";

const box = { x0: 100, y0: 100, x1: 200, y1: 300 };

describe("handles", () => {
  it("are at corners, sides and above, and the nearest in reach is taken", () => {
    const handles = handlesOf(box, 30, { x: true, y: true });
    expect(handles).toHaveLength(9);
    expect(handleAt(handles, { x: 198, y: 303 }, 10)).toBe("se");
    expect(handleAt(handles, { x: 150, y: 72 }, 10)).toBe("turn");
    expect(handleAt(handles, { x: 150, y: 200 }, 10)).toBeNull();
  });

  it("are on a frame that never hides a small thing", () => {
    const small = { x0: 10, y0: 10, x1: 14, y1: 110 };
    expect(frameOf(small, 3, 40)).toEqual({ x0: -8, y0: 7, x1: 32, y1: 113 });
    expect(gripOf("ne", small)).toEqual({ x: 14, y: 10 });
    expect(gripOf("s", small)).toEqual({ x: 12, y: 110 });
  });

  it("leave out those of short sides", () => {
    expect(handlesOf(box, 30, { x: false, y: true }).map((handle) => handle.name)).not.toContain("n");
  });

  it("keep the opposite corner and the proportions", () => {
    const how = scaling("se", box, { x: 250, y: 400 });
    expect(how).toEqual({ fx: 1.5, fy: 1.5, anchor: { x: 100, y: 100 } });
    expect(apply(scaledBy(how), { x: 100, y: 100 })).toEqual({ x: 100, y: 100 });
  });

  it("stretch one way by sides, both by free corners, about the centre if asked", () => {
    expect(scaling("w", box, { x: 50, y: 0 })).toEqual({ fx: 1.5, fy: 1, anchor: { x: 200, y: 200 } });
    expect(scaling("se", box, { x: 300, y: 200 }, { free: true })).toMatchObject({ fx: 2, fy: 0.5 });
    expect(scaling("e", box, { x: 250, y: 0 }, { centred: true })).toMatchObject({
      fx: 2,
      anchor: { x: 150, y: 200 },
    });
  });

  it("never turn a thing inside out", () => {
    expect(scaling("e", box, { x: -500, y: 0 }).fx).toBeGreaterThan(0);
  });

  it("scale about the anchor by scaling about the centre and moving", () => {
    const how = scaling("se", box, { x: 250, y: 400 });
    const operations = scaleOperations("3", how, { x: 150, y: 200 });
    expect(operations).toEqual([
      { operation: "scale", selection: "3", factor: "1.5" },
      { operation: "move", selection: "3", shift: "+25,+50" },
    ]);
    expect(scaleOperations("3", { ...how, anchor: { x: 150, y: 200 } }, { x: 150, y: 200 })).toHaveLength(1);
    const stretched = scaleOperations("3", { fx: 1.5, fy: 1, anchor: { x: 150, y: 200 } }, { x: 150, y: 200 });
    expect(stretched[0]!.factor).toBe("1.5,1.0");
  });

  it("turn clockwise as seen, by steps if asked", () => {
    const centre = { x: 0, y: 0 };
    expect(turning(centre, { x: 0, y: -10 }, { x: 10, y: 0 }, null)).toBe(90);
    expect(turning(centre, { x: -10, y: -1 }, { x: -10, y: 1 }, null)).toBeCloseTo(-11.4);
    expect(turning(centre, { x: 10, y: 0 }, { x: 10, y: 4 }, 15)).toBe(15);
    expect(apply(rotationAbout(centre, 90), { x: 0, y: -10 }).x).toBeCloseTo(10);
  });

  it("are written with signs and without minus nought", () => {
    expect(moveOperation("3", -0.001, 4.5)).toEqual({ operation: "move", selection: "3", shift: "+0,+4.5" });
  });
});

describe("transforms", () => {
  it("are done one after the other", () => {
    const both = followed(translation(5, 0), rotationAbout({ x: 0, y: 0 }, 90));
    const place = apply(both, { x: 1, y: 0 });
    expect(place.x).toBeCloseTo(0);
    expect(place.y).toBeCloseTo(6);
  });
});
