/** What a click, a box or a stroke selects once it is done. */

import { answer } from "../actions/editing";
import { clickAt, objectAt, selectBox, selectStroke } from "../actions/selecting";
import { type Box, boxAround, decimal, type Point } from "../core/geometry";
import { composed, type Mode } from "../core/selection";
import { asking, mode, view } from "../store";
import type { Stroke } from "./strokes";

export const STILL = 4; // CSS pixels that a click may wander

/** How a press changes the selection: by keys, else by the switch. */
export function modeOf(event: { shiftKey: boolean; altKey: boolean }): Mode {
  return event.altKey ? "remove" : event.shiftKey ? "add" : mode.value;
}

/** What is at a place is the second thing that an operation asks for. */
export function answerAt(at: Point): void {
  const element = `@${decimal(at.x, 1)},${decimal(at.y, 1)}`;
  answer(asking.value === "swap" ? composed([{ sign: "+", what: objectAt(at) }]) : element);
}

export function finishBox(box: Box, how: Mode, at: Point): void {
  const small = STILL / view.value.scale;
  if (box.x1 - box.x0 < small || box.y1 - box.y0 < small) clickAt(at, how);
  else selectBox(box, how);
}

export function finishStroke(drawn: Stroke, how: Mode): void {
  const around = boxAround(drawn.points);
  const small = STILL / view.value.scale;
  const dot = around.x1 - around.x0 < small && around.y1 - around.y0 < small;
  if (drawn.kind === "lasso" && dot) clickAt(drawn.points[0]!, how);
  else void selectStroke(drawn, how);
}
