/** The outline of a region: closed lines along the sides of its pixels. */

import type { Region } from "./region";

/** x, y, x, y … of a closed line, in pixels of the region; the inside is on the right. */
export type Loop = readonly number[];

// Directions along pixel sides, clockwise: right, down, left, up.
const DX = [1, 0, -1, 0] as const;
const DY = [0, 1, 0, -1] as const;

/** All closed lines around a region and its holes. Pixels that touch by a corner are two things. */
export function outline(region: Region): Loop[] {
  const { box, width, height, inside } = region;
  if (!box) return [];
  const has = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && inside[y * width + x] === 1;
  // Whether a side leads from a crossing of pixels in a direction, with the inside on its right.
  const leads = (x: number, y: number, direction: number): boolean => {
    switch (direction) {
      case 0:
        return has(x, y) && !has(x, y - 1);
      case 1:
        return has(x - 1, y) && !has(x, y);
      case 2:
        return has(x - 1, y - 1) && !has(x - 1, y);
      default:
        return has(x, y - 1) && !has(x - 1, y - 1);
    }
  };
  const walked = new Uint8Array(width * height); // pixels whose upper side is in a loop already
  const loops: Loop[] = [];
  for (let y = box.y0; y < box.y1; y++) {
    for (let x = box.x0; x < box.x1; x++) {
      if (!walked[y * width + x] && leads(x, y, 0)) {
        loops.push(chamfered(walk(x, y, width, walked, leads)));
      }
    }
  }
  return loops;
}

/** The corners of the closed line that begins with the upper side of a pixel. */
function walk(
  startX: number,
  startY: number,
  width: number,
  walked: Uint8Array,
  leads: (x: number, y: number, direction: number) => boolean,
): number[] {
  const turns: number[] = [];
  let x = startX;
  let y = startY;
  let direction = 0;
  do {
    if (direction === 0) walked[y * width + x] = 1;
    x += DX[direction]!;
    y += DY[direction]!;
    // Right first: where two pixels touch by a corner, the line stays with its own.
    const right = (direction + 1) & 3;
    const left = (direction + 3) & 3;
    const next = leads(x, y, right) ? right : leads(x, y, direction) ? direction : left;
    if (next !== direction) turns.push(x, y);
    direction = next;
  } while (x !== startX || y !== startY || direction !== 0);
  return turns;
}

/** Corners cut by half a pixel, so that slanted borders are no stairs. */
function chamfered(turns: readonly number[]): Loop {
  const loop: number[] = [];
  const push = (x: number, y: number): void => {
    if (loop.at(-2) !== x || loop.at(-1) !== y) loop.push(x, y);
  };
  const size = turns.length;
  for (let index = 0; index < size; index += 2) {
    const x = turns[index]!;
    const y = turns[index + 1]!;
    const before = (index + size - 2) % size;
    const after = (index + 2) % size;
    push(x + Math.sign(turns[before]! - x) / 2, y + Math.sign(turns[before + 1]! - y) / 2);
    push(x + Math.sign(turns[after]! - x) / 2, y + Math.sign(turns[after + 1]! - y) / 2);
  }
  if (loop[0] === loop.at(-2) && loop[1] === loop.at(-1)) loop.length -= 2;
  return loop;
}
