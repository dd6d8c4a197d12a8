/** Outlines as canvas paths, in pixels of the canvas. */

import type { Size } from "../core/geometry";
import { outline } from "../core/outline";
import type { Region } from "../core/region";

export function pathOf(region: Region, canvas: Size): Path2D {
  const fx = canvas.width / region.width;
  const fy = canvas.height / region.height;
  const path = new Path2D();
  for (const loop of outline(region)) {
    path.moveTo(loop[0]! * fx, loop[1]! * fy);
    for (let index = 2; index < loop.length; index += 2) {
      path.lineTo(loop[index]! * fx, loop[index + 1]! * fy);
    }
    path.closePath();
  }
  return path;
}
