/** Lassos and brush strokes as masks: for the server as a PNG, for the screen as a region. */

import type { Point, Size } from "../core/geometry";
import { type Region, regionOfMask } from "../core/region";

export interface Stroke {
  readonly kind: "lasso" | "brush";
  readonly points: readonly Point[];
  /** Of the brush, in pixels of the canvas. */
  readonly width: number;
}

const MOST = 4096; // pixels of a mask's longer side

export function strokePath(stroke: Stroke): Path2D {
  const path = new Path2D();
  stroke.points.forEach((point, index) =>
    index ? path.lineTo(point.x, point.y) : path.moveTo(point.x, point.y),
  );
  const [first] = stroke.points;
  if (stroke.kind === "lasso") path.closePath();
  else if (first && stroke.points.length === 1) path.lineTo(first.x + 0.01, first.y);
  return path;
}

function paint(context: CanvasRenderingContext2D, stroke: Stroke): void {
  const path = strokePath(stroke);
  if (stroke.kind === "lasso") return context.fill(path);
  context.lineWidth = stroke.width;
  context.lineCap = context.lineJoin = "round";
  context.stroke(path);
}

export function strokeRegion(stroke: Stroke, canvas: Size, size: Size): Region {
  const surface = document.createElement("canvas");
  surface.width = size.width;
  surface.height = size.height;
  const context = surface.getContext("2d", { willReadFrequently: true })!;
  context.scale(size.width / canvas.width, size.height / canvas.height);
  paint(context, stroke);
  const { data } = context.getImageData(0, 0, size.width, size.height);
  const inside = new Uint8Array(size.width * size.height);
  for (let index = 0; index < inside.length; index++) inside[index] = data[4 * index + 3]! >> 7;
  return regionOfMask(size.width, size.height, inside);
}

export function strokeMask(stroke: Stroke, canvas: Size): Promise<Blob> {
  const scale = Math.min(1, MOST / Math.max(canvas.width, canvas.height));
  const surface = document.createElement("canvas");
  surface.width = Math.round(canvas.width * scale);
  surface.height = Math.round(canvas.height * scale);
  const context = surface.getContext("2d")!;
  context.fillStyle = "black";
  context.fillRect(0, 0, surface.width, surface.height);
  context.scale(surface.width / canvas.width, surface.height / canvas.height);
  context.fillStyle = context.strokeStyle = "white";
  paint(context, stroke);
  return new Promise((resolve, reject) =>
    surface.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("the mask cannot be written"))),
      "image/png",
    ),
  );
}
