/** The handles around what is selected: where they are, and what pulling them means. */

import {
  type Affine,
  type Box,
  type Point,
  centreOf,
  clamp,
  decimal,
  distance,
  scalingAbout,
  signed,
} from "./geometry";

export const SIDES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"] as const;
export type Side = (typeof SIDES)[number];
export type Handle = Side | "turn";

export interface PlacedHandle {
  readonly name: Handle;
  readonly at: Point;
}

const SMALLEST = 0.02;
const LARGEST = 50;

/**
 * The box on whose border handles are: a little larger, and never so small that they hide it.
 *
 * @param gap pixels of the canvas between both boxes.
 * @param least smallest width and height, in pixels of the canvas.
 */
export function frameOf(box: Box, gap: number, least: number): Box {
  const { x, y } = centreOf(box);
  const width = Math.max((box.x1 - box.x0) / 2 + gap, least / 2);
  const height = Math.max((box.y1 - box.y0) / 2 + gap, least / 2);
  return { x0: x - width, y0: y - height, x1: x + width, y1: y + height };
}

/** The place of a box that a handle stands for: a corner, or the middle of a side. */
export function gripOf(side: Side, box: Box): Point {
  const { x, y } = centreOf(box);
  return {
    x: side.includes("w") ? box.x0 : side.includes("e") ? box.x1 : x,
    y: side.includes("n") ? box.y0 : side.includes("s") ? box.y1 : y,
  };
}

/**
 * Where the handles of a box are.
 *
 * @param turnGap how far above the box the one to turn is, in pixels of the canvas.
 * @param roomy whether sides long enough to have a handle in their middle have one.
 */
export function handlesOf(box: Box, turnGap: number, roomy: { x: boolean; y: boolean }): PlacedHandle[] {
  const { x, y } = centreOf(box);
  const handles: PlacedHandle[] = [
    { name: "nw", at: { x: box.x0, y: box.y0 } },
    { name: "ne", at: { x: box.x1, y: box.y0 } },
    { name: "se", at: { x: box.x1, y: box.y1 } },
    { name: "sw", at: { x: box.x0, y: box.y1 } },
  ];
  if (roomy.x) handles.push({ name: "n", at: { x, y: box.y0 } }, { name: "s", at: { x, y: box.y1 } });
  if (roomy.y) handles.push({ name: "w", at: { x: box.x0, y } }, { name: "e", at: { x: box.x1, y } });
  handles.push({ name: "turn", at: { x, y: box.y0 - turnGap } });
  return handles;
}

/** The nearest handle within a radius; null if there is none. */
export function handleAt(handles: readonly PlacedHandle[], point: Point, radius: number): Handle | null {
  let best = radius;
  let found: Handle | null = null;
  for (const handle of handles) {
    const far = distance(handle.at, point);
    if (far <= best) {
      best = far;
      found = handle.name;
    }
  }
  return found;
}

export interface Scaling {
  readonly fx: number;
  readonly fy: number;
  /** What stays where it is: the opposite corner or side, or the centre. */
  readonly anchor: Point;
}

/**
 * What pulling a handle to a place means. Corners keep proportions, sides stretch one way.
 *
 * @param free whether a corner stretches both ways.
 * @param centred whether the centre stays, not the opposite side.
 */
export function scaling(
  side: Side,
  box: Box,
  to: Point,
  { free = false, centred = false } = {},
): Scaling {
  const centre = centreOf(box);
  const pulled = gripOf(side, box);
  const anchor = centred
    ? centre
    : { x: 2 * centre.x - pulled.x, y: 2 * centre.y - pulled.y };
  const way = { x: pulled.x - anchor.x, y: pulled.y - anchor.y };
  const gone = { x: to.x - anchor.x, y: to.y - anchor.y };
  let fx = way.x ? gone.x / way.x : 1;
  let fy = way.y ? gone.y / way.y : 1;
  if (side.length === 2 && !free) {
    // The place on the diagonal that is nearest to the pointer.
    const share = (gone.x * way.x + gone.y * way.y) / (way.x ** 2 + way.y ** 2);
    fx = fy = share;
  }
  return { fx: bounded(fx), fy: bounded(fy), anchor };
}

function bounded(factor: number): number {
  return Number(clamp(factor, SMALLEST, LARGEST).toFixed(3));
}

/** Degrees by which going round a centre from one place to another turns, in (−180, 180]. */
export function turning(centre: Point, from: Point, to: Point, snap: number | null): number {
  const start = Math.atan2(from.y - centre.y, from.x - centre.x);
  const end = Math.atan2(to.y - centre.y, to.x - centre.x);
  let degrees = ((end - start) * 180) / Math.PI;
  degrees = snap ? Math.round(degrees / snap) * snap : Number(degrees.toFixed(1));
  while (degrees > 180) degrees -= 360;
  while (degrees <= -180) degrees += 360;
  return degrees;
}

export type Operation = Readonly<Record<string, string>>;

/** The edits that scale so: `scale` is about the common box's centre, so a move follows. */
export function scaleOperations(selection: string, how: Scaling, centre: Point): Operation[] {
  if (how.fx === 1 && how.fy === 1) return [];
  const factor = how.fx === how.fy ? decimal(how.fx, 3) : `${fixed(how.fx)},${fixed(how.fy)}`;
  const shift = {
    x: (1 - how.fx) * (how.anchor.x - centre.x),
    y: (1 - how.fy) * (how.anchor.y - centre.y),
  };
  const scale = { operation: "scale", selection, factor };
  const still = Math.abs(shift.x) < 0.05 && Math.abs(shift.y) < 0.05;
  return still ? [scale] : [scale, moveOperation(selection, shift.x, shift.y)];
}

/** Two factors are written with points, so that nobody reads 1,5 as one and a half. */
function fixed(value: number): string {
  const text = decimal(value, 3);
  return text.includes(".") ? text : `${text}.0`;
}

export function moveOperation(selection: string, dx: number, dy: number): Operation {
  return { operation: "move", selection, shift: `${signed(dx)},${signed(dy)}` };
}

/** The transform that an edit in progress shows. */
export function scaledBy(how: Scaling): Affine {
  return scalingAbout(how.anchor, how.fx, how.fy);
}
