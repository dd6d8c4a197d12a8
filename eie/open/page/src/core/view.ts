/** How the canvas lies in the window: which part is seen, and how large. */

import { type Point, type Size, clamp } from "./geometry";

/** screen = canvas · scale + (x, y), in CSS pixels of the stage. */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

const CLOSEST = 32; // CSS pixels for a pixel of the photo
const KEPT = 64; // CSS pixels of the photo that stay in the window, so that it cannot get lost

export function toScreen(view: View, point: Point): Point {
  return { x: point.x * view.scale + view.x, y: point.y * view.scale + view.y };
}

export function toCanvas(view: View, point: Point): Point {
  return { x: (point.x - view.x) / view.scale, y: (point.y - view.y) / view.scale };
}

/** The whole canvas in the middle, with a margin; small photos are enlarged twofold at most. */
export function fitted(canvas: Size, window: Size, margin = window.width < 600 ? 8 : 24): View {
  const scale = Math.min(
    Math.max(window.width - 2 * margin, 1) / canvas.width,
    Math.max(window.height - 2 * margin, 1) / canvas.height,
    2,
  );
  return {
    scale,
    x: (window.width - canvas.width * scale) / 2,
    y: (window.height - canvas.height * scale) / 2,
  };
}

/** Zoom by a factor so that what is under a place of the screen stays there. */
export function zoomedAt(view: View, at: Point, factor: number, canvas: Size, window: Size): View {
  const whole = fitted(canvas, window).scale;
  const scale = clamp(view.scale * factor, Math.min(whole, 1) / 2, CLOSEST);
  const under = toCanvas(view, at);
  return kept({ scale, x: at.x - under.x * scale, y: at.y - under.y * scale }, canvas, window);
}

export function panned(view: View, dx: number, dy: number, canvas: Size, window: Size): View {
  return kept({ ...view, x: view.x + dx, y: view.y + dy }, canvas, window);
}

/** The view, moved so far that some of the canvas is in the window. */
function kept(view: View, canvas: Size, window: Size): View {
  return {
    scale: view.scale,
    x: clamp(view.x, KEPT - canvas.width * view.scale, window.width - KEPT),
    y: clamp(view.y, KEPT - canvas.height * view.scale, window.height - KEPT),
  };
}

/** Wheel steps as a factor: lines and pages count as what browsers scroll for them. */
export function wheelFactor(event: { deltaY: number; deltaMode: number; ctrlKey: boolean }): number {
  const pixels = event.deltaY * [1, 16, 400][event.deltaMode]!;
  // Trackpads send pinches as wheel events with ctrl, in far smaller steps.
  return Math.exp(-clamp(pixels, -240, 240) * (event.ctrlKey ? 0.01 : 0.002));
}
