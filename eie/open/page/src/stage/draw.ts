/** Drawing: the picture on one canvas, what is pointed at and selected on another above it. */

import type { Box, Size } from "../core/geometry";
import { frameOf, handlesOf, type PlacedHandle } from "../core/handles";
import type { View } from "../core/view";
import type { Chosen, Gesture, Hover, Picture } from "../store";
import { drawLifted, type Lifted } from "./lift";
import { type Stroke, strokePath } from "./strokes";

export interface Colours {
  readonly accent: string;
  readonly object: string;
}

const UNFILLED = "#33363b"; // what a hole shows until it is filled
const HALO = "rgb(0 0 0 / 55%)";
const LIGHT = "#fff";
const CHECK = 8; // CSS pixels of a square under what is transparent
export const HANDLE = 9; // CSS pixels across
export const TURN_GAP = 26; // CSS pixels above the box
const ROOM = 64; // CSS pixels of a side that has a handle in its middle
const GAP = 3; // CSS pixels between what is selected and its frame
const LEAST = 44; // CSS pixels that a frame is wide and high at least

/** Set up a context in pixels of the canvas. */
function place(context: CanvasRenderingContext2D, view: View): void {
  const ratio = devicePixelRatio;
  const scale = view.scale * ratio;
  context.setTransform(scale, 0, 0, scale, view.x * ratio, view.y * ratio);
}

function wipe(context: CanvasRenderingContext2D): void {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
}

export interface Base {
  readonly view: View;
  readonly canvas: Size;
  readonly picture: Picture;
  /** The photo, and from which share of the width on the picture covers it; null for nowhere. */
  readonly original: { readonly picture: Picture; readonly until: number } | null;
  readonly hole: Lifted | null;
  readonly transparent: boolean;
}

export function drawBase(context: CanvasRenderingContext2D, base: Base): void {
  const { view, canvas, picture } = base;
  wipe(context);
  place(context, view);
  if (base.transparent) checks(context, view, canvas);
  else {
    context.fillStyle = UNFILLED;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  const shown = (view.scale * devicePixelRatio * canvas.width) / picture.image.width;
  context.imageSmoothingEnabled = shown < 3; // closer, one wants to see the pixels
  context.drawImage(picture.image, 0, 0, canvas.width, canvas.height);
  if (base.hole) drawLifted(context, base.hole);
  if (base.original) {
    const { image } = base.original.picture;
    const { until } = base.original;
    if (base.transparent) checks(context, view, { width: canvas.width * until, height: canvas.height });
    const width = canvas.width * until;
    context.drawImage(image, 0, 0, image.width * until, image.height, 0, 0, width, canvas.height);
  }
}

function checks(context: CanvasRenderingContext2D, view: View, size: Size): void {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 2 * CHECK;
  const paint = tile.getContext("2d")!;
  paint.fillStyle = "#ddd";
  paint.fillRect(0, 0, 2 * CHECK, 2 * CHECK);
  paint.fillStyle = "#fff";
  paint.fillRect(0, 0, CHECK, CHECK);
  paint.fillRect(CHECK, CHECK, CHECK, CHECK);
  const pattern = context.createPattern(tile, "repeat")!;
  pattern.setTransform(new DOMMatrix().scale(1 / view.scale));
  context.fillStyle = pattern;
  context.fillRect(0, 0, size.width, size.height);
}

export interface Overlay {
  readonly view: View;
  readonly hover: Hover | null;
  readonly chosen: Chosen | null;
  readonly gesture: Gesture | null;
  readonly lifted: Lifted | null;
  readonly handles: boolean;
  readonly stroke: Stroke | null;
  readonly boxDrawn: Box | null;
  readonly brush: { readonly x: number; readonly y: number; readonly width: number } | null;
  readonly colours: Colours;
}

export function drawOverlay(context: CanvasRenderingContext2D, overlay: Overlay): void {
  const { view, hover, chosen, gesture, colours } = overlay;
  wipe(context);
  place(context, view);
  const pixel = 1 / view.scale;
  // What is selected already needs no second outline.
  const known = hover && chosen && [...hover.rows].every((row) => chosen.rows.has(row));
  if (hover && !gesture && !known) drawHover(context, hover, pixel, colours);
  if (chosen) {
    const affine = gesture?.affine ?? chosen.shown;
    context.save();
    context.transform(affine.a, affine.b, affine.c, affine.d, affine.e, affine.f);
    if (overlay.lifted) drawLifted(context, overlay.lifted);
    // A line is as wide as told whatever the transform, so only the path is transformed.
    const path = new Path2D();
    path.addPath(chosen.path, affine as DOMMatrix2DInit);
    context.restore();
    line(context, path, pixel, colours.accent, 2);
    if (overlay.handles && !gesture) drawHandles(context, chosen.box, pixel, colours);
  }
  if (overlay.stroke) drawStroke(context, overlay.stroke, pixel, colours);
  if (overlay.boxDrawn) {
    const { x0, y0, x1, y1 } = overlay.boxDrawn;
    const path = new Path2D();
    path.rect(x0, y0, x1 - x0, y1 - y0);
    context.setLineDash([5 * pixel, 4 * pixel]);
    line(context, path, pixel, LIGHT, 1.25);
    context.setLineDash([]);
  }
  if (overlay.brush) {
    const ring = new Path2D();
    ring.arc(overlay.brush.x, overlay.brush.y, overlay.brush.width / 2, 0, 2 * Math.PI);
    line(context, ring, pixel, LIGHT, 1.25);
  }
}

/** A line that is seen on light and on dark ground. */
function line(
  context: CanvasRenderingContext2D,
  path: Path2D,
  pixel: number,
  colour: string,
  width: number,
): void {
  context.lineJoin = "round";
  context.strokeStyle = HALO;
  context.lineWidth = (width + 1.5) * pixel;
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = width * pixel;
  context.stroke(path);
}

function drawHover(context: CanvasRenderingContext2D, hover: Hover, pixel: number, colours: Colours): void {
  context.fillStyle = colours.object;
  context.fill(hover.object, "evenodd");
  line(context, hover.object, pixel, LIGHT, 1.5);
  if (hover.rows.size > 1) {
    context.strokeStyle = "rgb(255 255 255 / 60%)";
    context.lineWidth = pixel;
    context.setLineDash([3 * pixel, 3 * pixel]);
    context.stroke(hover.element);
    context.setLineDash([]);
  }
}

/** The frame around a box at this zoom. */
function frameAt(box: Box, view: View): Box {
  return frameOf(box, GAP / view.scale, LEAST / view.scale);
}

/** The handles around a box at this zoom. */
export function handlesAt(around: Box, view: View): PlacedHandle[] {
  const box = frameAt(around, view);
  return handlesOf(box, TURN_GAP / view.scale, {
    x: (box.x1 - box.x0) * view.scale >= ROOM,
    y: (box.y1 - box.y0) * view.scale >= ROOM,
  });
}

function drawHandles(
  context: CanvasRenderingContext2D,
  around: Box,
  pixel: number,
  colours: Colours,
): void {
  const view = { scale: 1 / pixel, x: 0, y: 0 };
  const box = frameAt(around, view);
  const middle = (box.x0 + box.x1) / 2;
  const frame = new Path2D();
  frame.rect(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0);
  frame.moveTo(middle, box.y0);
  frame.lineTo(middle, box.y0 - TURN_GAP * pixel);
  context.strokeStyle = "rgb(0 0 0 / 40%)";
  context.lineWidth = 2 * pixel;
  context.stroke(frame);
  context.strokeStyle = "rgb(255 255 255 / 85%)";
  context.lineWidth = pixel;
  context.stroke(frame);
  context.fillStyle = LIGHT;
  context.strokeStyle = colours.accent;
  context.lineWidth = 1.5 * pixel;
  const size = HANDLE * pixel;
  for (const { name, at } of handlesAt(around, view)) {
    context.beginPath();
    if (name === "turn") context.arc(at.x, at.y, size / 2 + pixel, 0, 2 * Math.PI);
    else context.rect(at.x - size / 2, at.y - size / 2, size, size);
    context.fill();
    context.stroke();
  }
}

function drawStroke(context: CanvasRenderingContext2D, stroke: Stroke, pixel: number, colours: Colours): void {
  const path = strokePath(stroke);
  if (stroke.kind === "lasso") {
    context.fillStyle = colours.object;
    context.fill(path);
    return line(context, path, pixel, colours.accent, 1.5);
  }
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = stroke.width;
  context.globalAlpha = 0.45;
  context.strokeStyle = colours.accent;
  context.stroke(path);
  context.globalAlpha = 1;
}
