/** What fingers, pens and the mouse do on the canvas. */

import { signal } from "@preact/signals";
import { afterEdits, duplicate, finishNudge, moveBy, transform, turnBy } from "../actions/editing";
import { clear, clickAt, pointAt, showRow } from "../actions/selecting";
import {
  type Affine,
  type Box,
  decimal,
  distance,
  type Point,
  rotationAbout,
  signed,
  spanned,
  translation,
} from "../core/geometry";
import {
  gripOf,
  handleAt,
  type Handle,
  type Side,
  scaledBy,
  scaleOperations,
  type Scaling,
  scaling,
  turning,
} from "../core/handles";
import type { Mode } from "../core/selection";
import { toCanvas, wheelFactor } from "../core/view";
import {
  asking,
  brushSize,
  canvasSize,
  chosen,
  cursor,
  divider,
  doc,
  editing,
  gesture,
  labels,
  tool,
  view,
} from "../store";
import { handlesAt } from "./draw";
import { pan, zoomAt } from "./navigating";
import { answerAt, finishBox, finishStroke, modeOf, STILL } from "./picking";
import type { Stroke } from "./strokes";

export const stroke = signal<Stroke | null>(null);
export const boxDrawn = signal<Box | null>(null);
export const pointer = signal<Point | null>(null); // of the mouse, in pixels of the canvas
export const spaceHeld = signal(false);
export const cursorStyle = signal("default");

const FINGER = 20; // CSS pixels that a finger may be beside a handle
const MOUSE = 9;
const ON_THING = 7; // and where the thing itself is, which is to be moved
const SNAP = 15; // degrees, with shift

/** What a press has begun. */
type Drag =
  | { kind: "pan"; last: Point }
  | { kind: "pinch" }
  | { kind: "press"; from: Point; screen: Point; onChosen: boolean }
  | { kind: "move"; from: Point; to: Point }
  | { kind: "scale"; side: Side; off: Point; how: Scaling | null }
  | { kind: "turn"; from: Point; degrees: number }
  | { kind: "box"; from: Point }
  | { kind: "stroke"; how: Mode };

let drag: Drag | null = null;
const fingers = new Map<number, Point>();

function local(event: PointerEvent | WheelEvent | MouseEvent): Point {
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

/** Whether a place is on what is selected. */
function isChosen(at: Point): boolean {
  const region = chosen.value?.region;
  if (!region) return false;
  const { width, height } = canvasSize.value;
  const x = Math.floor((at.x * region.width) / width);
  const y = Math.floor((at.y * region.height) / height);
  if (x < 0 || y < 0 || x >= region.width || y >= region.height) return false;
  return region.inside[y * region.width + x] === 1;
}

function handleUnder(at: Point, touch: boolean): Handle | null {
  const what = chosen.value;
  if (!what || tool.value !== "select" || asking.value) return null;
  const radius = (isChosen(at) ? ON_THING : touch ? FINGER : MOUSE) / view.value.scale;
  return handleAt(handlesAt(what.box, view.value), at, radius);
}

export function press(event: PointerEvent): void {
  if (!doc.value || !labels.value) return;
  (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
  const screen = local(event);
  fingers.set(event.pointerId, screen);
  cursor.value = null;
  if (fingers.size === 2) {
    abandon();
    drag = { kind: "pinch" };
    return;
  }
  if (fingers.size > 2) return;
  const at = toCanvas(view.value, screen);
  finishNudge();
  drag = begin(event, screen, at);
  restyle(at, event);
}

function begin(event: PointerEvent, screen: Point, at: Point): Drag | null {
  const touch = event.pointerType === "touch";
  if (event.button === 1 || spaceHeld.value || tool.value === "hand") {
    return { kind: "pan", last: screen };
  }
  if (event.button !== 0) return null;
  // Until the server has done an edit, nobody knows what lies where.
  if (editing.value) return null;
  if (asking.value || tool.value === "select") {
    const handle = handleUnder(at, touch);
    if (handle === "turn") return { kind: "turn", from: at, degrees: 0 };
    if (handle) {
      // The handle may be beside the corner that it stands for.
      const grip = gripOf(handle, chosen.value!.box);
      const off = { x: grip.x - at.x, y: grip.y - at.y };
      return { kind: "scale", side: handle, off, how: null };
    }
    return { kind: "press", from: at, screen, onChosen: isChosen(at) };
  }
  if (tool.value === "box") return { kind: "box", from: at };
  const kind = tool.value;
  stroke.value = { kind, points: [at], width: brushSize.value / view.value.scale };
  // A second stroke of the brush goes on with the first, as painters expect.
  const how = modeOf(event);
  return { kind: "stroke", how: kind === "brush" && how === "new" && chosen.value ? "add" : how };
}

export function glide(event: PointerEvent): void {
  const screen = local(event);
  const at = toCanvas(view.value, screen);
  const old = fingers.get(event.pointerId);
  if (drag?.kind === "pinch" && old) return pinch(event.pointerId, old, screen);
  if (old) fingers.set(event.pointerId, screen);
  if (event.pointerType !== "touch") pointer.value = at;
  if (!drag) {
    if (event.pointerType !== "touch") {
      pointAt(canHover() && !handleUnder(at, false) ? at : null);
      restyle(at, event);
    }
    return;
  }
  if (old) pull(drag, event, screen, at);
}

function canHover(): boolean {
  return (tool.value === "select" || asking.value !== null) && !spaceHeld.value;
}

function pull(current: Drag, event: PointerEvent, screen: Point, at: Point): void {
  switch (current.kind) {
    case "pan":
      pan(screen.x - current.last.x, screen.y - current.last.y);
      current.last = screen;
      return;
    case "press":
      return startFromPress(current, event, screen, at);
    case "move":
      current.to = event.shiftKey ? straight(current.from, at) : at;
      return showMove(current, event);
    case "scale":
      return showScale(current, event, at);
    case "turn":
      return showTurn(current, event, at);
    case "box":
      boxDrawn.value = spanned(current.from, at);
      return;
    case "stroke":
      return drawOn(event, at);
    case "pinch":
  }
}

/** A press that goes farther than a click may begins to move things, or the view. */
function startFromPress(
  current: Drag & { kind: "press" },
  event: PointerEvent,
  screen: Point,
  at: Point,
): void {
  if (distance(current.screen, screen) < STILL * (event.pointerType === "touch" ? 2 : 1)) return;
  if (asking.value) return;
  // A finger beside what is selected moves the view, so that nothing moves by chance.
  if (event.pointerType === "touch" && !current.onChosen) {
    drag = { kind: "pan", last: screen };
    return;
  }
  if (!current.onChosen) {
    if (!clickAt(current.from, modeOf(event))) {
      drag = null;
      return;
    }
    if (!isChosen(current.from)) {
      drag = null; // it was taken away
      return;
    }
  }
  showRow(null);
  const move: Drag & { kind: "move" } = { kind: "move", from: current.from, to: at };
  drag = move;
  showMove(move, event);
}

/** The way along one axis only. */
function straight(from: Point, to: Point): Point {
  const across = Math.abs(to.x - from.x) >= Math.abs(to.y - from.y);
  return across ? { x: to.x, y: from.y } : { x: from.x, y: to.y };
}

/** Whether what is dragged stays where it is, and a copy goes. */
const copies = (event: PointerEvent): boolean => event.ctrlKey || event.metaKey;

function showMove(current: { from: Point; to: Point }, event: PointerEvent): void {
  const dx = Math.round(current.to.x - current.from.x);
  const dy = Math.round(current.to.y - current.from.y);
  show(translation(dx, dy), `${signed(dx)}, ${signed(dy)}`, !copies(event));
}

function show(affine: Affine, label: string, leaves = true): void {
  gesture.value = { affine, label, leaves };
}

function showScale(current: Drag & { kind: "scale" }, event: PointerEvent, at: Point): void {
  const what = chosen.value;
  if (!what) return;
  const to = { x: at.x + current.off.x, y: at.y + current.off.y };
  const how = scaling(current.side, what.box, to, { free: event.shiftKey, centred: event.altKey });
  current.how = how;
  const percent = (factor: number): string => `${decimal(100 * factor, 0)} %`;
  const label = how.fx === how.fy ? percent(how.fx) : `${percent(how.fx)} × ${percent(how.fy)}`;
  show(scaledBy(how), label);
}

function showTurn(current: Drag & { kind: "turn" }, event: PointerEvent, at: Point): void {
  const what = chosen.value;
  if (!what) return;
  current.degrees = turning(what.centre, current.from, at, event.shiftKey ? SNAP : null);
  show(rotationAbout(what.centre, current.degrees), `${decimal(current.degrees, 1)}°`);
}

function drawOn(event: PointerEvent, at: Point): void {
  const drawn = stroke.value;
  if (!drawn) return;
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  const passed = event.getCoalescedEvents?.() ?? [];
  const points = passed.map((one) =>
    toCanvas(view.value, { x: one.clientX - box.left, y: one.clientY - box.top }),
  );
  stroke.value = { ...drawn, points: [...drawn.points, ...(points.length ? points : [at])] };
}

export function release(event: PointerEvent): void {
  const screen = local(event);
  fingers.delete(event.pointerId);
  const ended = drag;
  drag = null;
  if (!ended) return;
  if (ended.kind === "pinch") {
    if (fingers.size === 1) drag = { kind: "pan", last: [...fingers.values()][0]! };
    return;
  }
  const at = toCanvas(view.value, screen);
  finish(ended, event, at);
  restyle(at, event);
}

function finish(ended: Drag, event: PointerEvent, at: Point): void {
  const shown = gesture.value;
  gesture.value = null;
  switch (ended.kind) {
    case "press":
      return click(ended, event);
    case "move": {
      const dx = Math.round(ended.to.x - ended.from.x);
      const dy = Math.round(ended.to.y - ended.from.y);
      if (!dx && !dy) return;
      return copies(event) ? duplicate({ x: dx, y: dy }) : moveBy(dx, dy);
    }
    case "scale": {
      const { how } = ended;
      if (!how || !shown) return;
      return transform((selection, what) => ({
        operations: scaleOperations(selection, how, what.centre),
        affine: shown.affine,
      }));
    }
    case "turn":
      if (ended.degrees && shown) turnBy(ended.degrees);
      return;
    case "box":
      boxDrawn.value = null;
      return finishBox(spanned(ended.from, at), modeOf(event), at);
    case "stroke": {
      const drawn = stroke.value;
      stroke.value = null;
      if (drawn) finishStroke(drawn, ended.how);
      return;
    }
    default:
  }
}

function click(ended: { from: Point; onChosen: boolean }, event: PointerEvent): void {
  if (asking.value) {
    return answerAt(ended.from);
  }
  clickAt(ended.from, modeOf(event));
  if (event.pointerType === "touch") showRow(null);
}

export function leave(): void {
  if (drag) return;
  pointer.value = null;
  pointAt(null);
}

/** Give up what a press has begun; whether there was anything. */
export function abandon(): boolean {
  const any = gesture.value !== null || stroke.value !== null || boxDrawn.value !== null;
  drag = null;
  gesture.value = null;
  stroke.value = null;
  boxDrawn.value = null;
  return any;
}

export function cancelled(event: PointerEvent): void {
  fingers.delete(event.pointerId);
  abandon();
}

function pinch(id: number, old: Point, now: Point): void {
  const other = [...fingers].find(([key]) => key !== id)?.[1];
  fingers.set(id, now);
  if (!other) return;
  const before = { x: (old.x + other.x) / 2, y: (old.y + other.y) / 2 };
  const after = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
  const factor = distance(now, other) / Math.max(distance(old, other), 1);
  pan(after.x - before.x, after.y - before.y);
  zoomAt(after, factor);
}

export function wheel(event: WheelEvent): void {
  event.preventDefault();
  if (event.shiftKey && !event.ctrlKey) return pan(-event.deltaY - event.deltaX, 0);
  zoomAt(local(event), wheelFactor(event));
  restyle(toCanvas(view.value, local(event)), event);
}

const HANDLE_CURSORS: Readonly<Record<Handle, string>> = {
  nw: "nwse-resize",
  se: "nwse-resize",
  ne: "nesw-resize",
  sw: "nesw-resize",
  n: "ns-resize",
  s: "ns-resize",
  e: "ew-resize",
  w: "ew-resize",
  turn: "grab",
};

function restyle(at: Point, event: { shiftKey: boolean; altKey: boolean }): void {
  cursorStyle.value = styleAt(at, event);
}

function styleAt(at: Point, event: { shiftKey: boolean; altKey: boolean }): string {
  if (drag?.kind === "pan") return "grabbing";
  if (spaceHeld.value || tool.value === "hand") return "grab";
  if (editing.value) return "progress";
  if (drag?.kind === "turn") return "grabbing";
  if (asking.value || tool.value === "box" || tool.value === "lasso") return "crosshair";
  if (tool.value === "brush") return "none";
  const handle = handleUnder(at, false);
  if (handle) return HANDLE_CURSORS[handle];
  if (modeOf(event) === "new" && isChosen(at)) return "move";
  return "default";
}

export function escape(): void {
  if (abandon()) return;
  if (asking.value) asking.value = null;
  else if (divider.value !== null) divider.value = null;
  else afterEdits(clear);
}
