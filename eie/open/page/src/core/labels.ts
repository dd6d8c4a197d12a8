/** Which element is seen at a place: the label map of the canvas, scaled for the screen. */

import type { Box, Point, Size } from "./geometry";

/** Rows of the element table; what is none of them is no element. */
export type Rows = ReadonlySet<number>;

export class LabelMap {
  private readonly boxes: Int32Array; // (rows, 4): x0, y0, x1, y1 in pixels of this map
  /** How many pixels of this map each row has. */
  private readonly areas: Int32Array;

  /**
   * @param labels (height · width) the row of the element seen at each pixel, `none` where none is.
   * @param count how many rows the element table has.
   */
  constructor(
    readonly width: number,
    readonly height: number,
    readonly labels: Uint16Array | Uint32Array,
    readonly count: number,
  ) {
    if (labels.length !== width * height) {
      throw new Error(`a label map of ${width}×${height} has ${labels.length} pixels`);
    }
    this.boxes = new Int32Array(4 * count);
    this.areas = new Int32Array(count);
    this.measure();
  }

  private measure(): void {
    const { boxes, areas, labels, width, height, count } = this;
    for (let row = 0; row < count; row++) {
      boxes[4 * row] = width;
      boxes[4 * row + 1] = height;
    }
    let index = 0;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, index++) {
        const row = labels[index]!;
        if (row >= count) continue;
        const at = 4 * row;
        areas[row]!++;
        if (x < boxes[at]!) boxes[at] = x;
        if (y < boxes[at + 1]!) boxes[at + 1] = y;
        if (x >= boxes[at + 2]!) boxes[at + 2] = x + 1;
        if (y >= boxes[at + 3]!) boxes[at + 3] = y + 1;
      }
    }
  }

  /** The row seen at a place of the canvas; null where no element is. */
  at(point: Point, canvas: Size): number | null {
    const x = Math.floor((point.x * this.width) / canvas.width);
    const y = Math.floor((point.y * this.height) / canvas.height);
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return null;
    const row = this.labels[y * this.width + x]!;
    return row < this.count ? row : null;
  }

  isSeen(row: number): boolean {
    return row < this.count && this.areas[row]! > 0;
  }

  /** The box around what is seen of a row, in pixels of this map; null if nothing is. */
  boxOf(row: number): Box | null {
    if (!this.isSeen(row)) return null;
    const [x0, y0, x1, y1] = this.boxes.subarray(4 * row, 4 * row + 4) as unknown as number[];
    return { x0: x0!, y0: y0!, x1: x1!, y1: y1! };
  }

  /** A place of the canvas that surely shows this row: the pixel nearest to the middle of it. */
  placeOf(row: number, canvas: Size): Point | null {
    const box = this.boxOf(row);
    if (!box) return null;
    const cx = (box.x0 + box.x1) / 2;
    const cy = (box.y0 + box.y1) / 2;
    let best = Infinity;
    let place: Point | null = null;
    for (let y = box.y0; y < box.y1; y++) {
      for (let x = box.x0; x < box.x1; x++) {
        if (this.labels[y * this.width + x] !== row) continue;
        const far = (x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2;
        if (far < best) {
          best = far;
          place = { x: x + 0.5, y: y + 0.5 };
        }
      }
    }
    return (
      place && {
        x: (place.x * canvas.width) / this.width,
        y: (place.y * canvas.height) / this.height,
      }
    );
  }
}

/** The row seen nearest to a place in a direction, for going over the canvas by arrow keys. */
export function neighbour(
  labels: LabelMap,
  from: number | null,
  direction: Point,
  canvas: Size,
): number | null {
  const start = (from !== null && labels.placeOf(from, canvas)) || {
    x: canvas.width / 2,
    y: canvas.height / 2,
  };
  if (from === null) return labels.at(start, canvas) ?? firstSeen(labels);
  let best = Infinity;
  let found: number | null = null;
  for (let row = 0; row < labels.count; row++) {
    if (row === from || !labels.isSeen(row)) continue;
    const box = labels.boxOf(row)!;
    const dx = ((box.x0 + box.x1) * canvas.width) / (2 * labels.width) - start.x;
    const dy = ((box.y0 + box.y1) * canvas.height) / (2 * labels.height) - start.y;
    const along = dx * direction.x + dy * direction.y;
    const across = Math.abs(dx * direction.y) + Math.abs(dy * direction.x);
    if (along <= 0 || across > 2 * along) continue;
    const far = along + 2 * across; // what lies straight ahead comes first
    if (far < best) {
      best = far;
      found = row;
    }
  }
  return found;
}

function firstSeen(labels: LabelMap): number | null {
  for (let row = 0; row < labels.count; row++) if (labels.isSeen(row)) return row;
  return null;
}
