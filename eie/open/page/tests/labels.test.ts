import { describe, expect, it } from "vitest";
import { LabelMap, neighbour } from "../src/core/labels";
import { Objects } from "../src/core/objects";
import { canvasBox, regionOfRows } from "../src/core/region";

const NONE = 65535;
// 0 0 1 1
// 0 2 2 1   on a canvas ten times as large; row 3 is hidden
// . 2 2 1
const labels = new LabelMap(4, 3, Uint16Array.of(0, 0, 1, 1, 0, 2, 2, 1, NONE, 2, 2, 1), 4);
const canvas = { width: 40, height: 30 };

describe("label map", () => {
  it("tells the row at a place of the canvas", () => {
    expect(labels.at({ x: 15, y: 15 }, canvas)).toBe(2);
    expect(labels.at({ x: 39.9, y: 29.9 }, canvas)).toBe(1);
    expect(labels.at({ x: 5, y: 25 }, canvas)).toBeNull();
    expect(labels.at({ x: -1, y: 5 }, canvas)).toBeNull();
    expect(labels.at({ x: 40, y: 5 }, canvas)).toBeNull();
  });

  it("knows what is seen, and a place on it", () => {
    expect(labels.isSeen(3)).toBe(false);
    expect(labels.placeOf(3, canvas)).toBeNull();
    for (const row of [0, 1, 2]) {
      expect(labels.at(labels.placeOf(row, canvas)!, canvas)).toBe(row);
    }
  });

  it("refuses a wrong number of pixels", () => {
    expect(() => new LabelMap(4, 4, new Uint16Array(12), 3)).toThrow("4×4");
  });

  it("gives regions of rows with their box on the canvas", () => {
    const region = regionOfRows(labels, new Set([0, 2]));
    expect([...region.inside]).toEqual([1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0]);
    expect(canvasBox(region, canvas)).toEqual({ x0: 0, y0: 0, x1: 30, y1: 30 });
    expect(regionOfRows(labels, new Set([3])).box).toBeNull();
  });

  it("is gone over by arrow keys", () => {
    expect(neighbour(labels, null, { x: 1, y: 0 }, canvas)).toBe(2);
    expect(neighbour(labels, 2, { x: 1, y: 0 }, canvas)).toBe(1);
    expect(neighbour(labels, 1, { x: -1, y: 0 }, canvas)).not.toBeNull();
    expect(neighbour(labels, 1, { x: 1, y: 0 }, canvas)).toBeNull();
  });
});

describe("objects", () => {
  it("are read from bits, the highest first", () => {
    // 9 elements need 2 bytes a row of bits.
    const bits = new Uint8Array(9 * 3 * 2);
    bits[(3 * 4 + 1) * 2] = 0b10001000;
    bits[(3 * 4 + 2) * 2 + 1] = 0b10000000;
    const objects = new Objects(9, bits);
    expect([...objects.of(4, "object")]).toEqual([0, 4]);
    expect([...objects.of(4, "whole")]).toEqual([8]);
    expect(objects.of(4, "part").size).toBe(0);
    expect(() => new Objects(9, bits.subarray(1))).toThrow("9 elements");
  });
});
