/** Regions of the canvas as masks at the label map's size, and their outlines. */

import type { Box, Size } from "./geometry";
import type { LabelMap, Rows } from "./labels";

export interface Region {
  readonly width: number;
  readonly height: number;
  /** (height · width) 1 inside, 0 outside. */
  readonly inside: Uint8Array;
  /** Around all that is inside, in pixels of the region; null if nothing is. */
  readonly box: Box | null;
}

export function regionOfRows(labels: LabelMap, rows: Rows): Region {
  const { width, height } = labels;
  const inside = new Uint8Array(width * height);
  let box: Box | null = null;
  for (const row of rows) box = united(box, labels.boxOf(row));
  if (box) {
    const members = new Uint8Array(labels.count + 1);
    for (const row of rows) if (row < labels.count) members[row] = 1;
    for (let y = box.y0; y < box.y1; y++) {
      for (let index = y * width + box.x0, end = y * width + box.x1; index < end; index++) {
        const row = labels.labels[index]!;
        if (row < labels.count) inside[index] = members[row]!;
      }
    }
  }
  return { width, height, inside, box };
}

/** Whatever a mask of the same size has inside. */
export function regionOfMask(width: number, height: number, inside: Uint8Array): Region {
  return { width, height, inside, box: measured(width, height, inside) };
}

export function joined(a: Region, b: Region): Region {
  return combined(a, b, (here, there) => here | there);
}

export function without(a: Region, b: Region): Region {
  return combined(a, b, (here, there) => here & ~there & 1);
}

function combined(a: Region, b: Region, bit: (a: number, b: number) => number): Region {
  const inside = new Uint8Array(a.inside.length);
  for (let index = 0; index < inside.length; index++) {
    inside[index] = bit(a.inside[index]!, b.inside[index]!);
  }
  return regionOfMask(a.width, a.height, inside);
}

/** The box of a region in pixels of the canvas. */
export function canvasBox(region: Region, canvas: Size): Box | null {
  const { box, width, height } = region;
  if (!box) return null;
  const fx = canvas.width / width;
  const fy = canvas.height / height;
  return { x0: box.x0 * fx, y0: box.y0 * fy, x1: box.x1 * fx, y1: box.y1 * fy };
}

function united(a: Box | null, b: Box | null): Box | null {
  if (!a || !b) return a ?? b;
  return {
    x0: Math.min(a.x0, b.x0),
    y0: Math.min(a.y0, b.y0),
    x1: Math.max(a.x1, b.x1),
    y1: Math.max(a.y1, b.y1),
  };
}

function measured(width: number, height: number, inside: Uint8Array): Box | null {
  let x0 = width;
  let y0 = height;
  let x1 = 0;
  let y1 = 0;
  for (let y = 0; y < height; y++) {
    const first = inside.indexOf(1, y * width) - y * width;
    if (first < 0) break; // none from here on
    if (first >= width) continue;
    const last = inside.lastIndexOf(1, (y + 1) * width - 1) - y * width;
    y0 = Math.min(y0, y);
    y1 = y + 1;
    x0 = Math.min(x0, first);
    x1 = Math.max(x1, last + 1);
  }
  return y1 ? { x0, y0, x1, y1 } : null;
}
