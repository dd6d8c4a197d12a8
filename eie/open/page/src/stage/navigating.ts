/** Moving and zooming the view. */

import type { Point } from "../core/geometry";
import { fitted, panned, zoomedAt } from "../core/view";
import { canvasSize, view, windowSize } from "../store";

export function pan(dx: number, dy: number): void {
  view.value = panned(view.value, dx, dy, canvasSize.value, windowSize.value);
}

export function zoomAt(at: Point, factor: number): void {
  view.value = zoomedAt(view.value, at, factor, canvasSize.value, windowSize.value);
}

/** Zoom from a button or a key, about the middle of the window. */
export function zoomBy(factor: number): void {
  const { width, height } = windowSize.value;
  const middle = { x: width / 2, y: height / 2 };
  zoomAt(middle, factor);
}

export function fit(): void {
  view.value = fitted(canvasSize.value, windowSize.value);
}
