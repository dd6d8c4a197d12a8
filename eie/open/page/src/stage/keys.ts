/** The keyboard. Keys for the canvas count wherever no text is typed. */

import { cancelRendering, photoOf } from "../actions/showing";
import { carried, copy, paste } from "../actions/opening";
import { tell } from "../actions/failing";
import {
  afterEdits,
  bringToFront,
  duplicate,
  finishNudge,
  flip,
  isNudging,
  nudge,
  redo,
  remove,
  sendToBack,
  undo,
} from "../actions/editing";
import { clickAt, rowsOfClick, selectAll, showRow, stepExtent } from "../actions/selecting";
import { decimal, type Point } from "../core/geometry";
import { neighbour } from "../core/labels";
import type { Mode } from "../core/selection";
import { toCanvas } from "../core/view";
import {
  asking,
  before,
  canvasSize,
  chosen,
  cursor,
  doc,
  helpOpen,
  labels,
  progress,
  saveOpen,
  sheetOpen,
  status,
  tool,
  view,
  windowSize,
} from "../store";
import { fit, zoomBy } from "./navigating";
import { answerAt } from "./picking";
import { escape, pointer, spaceHeld } from "./pointing";

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

function isTyped(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  return target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");
}

const onCanvas = (event: KeyboardEvent): boolean =>
  (event.target as HTMLElement).dataset.stage !== undefined;

export function keyDown(event: KeyboardEvent): void {
  if (!doc.value || isTyped(event) || document.querySelector("dialog[open]")) return;
  const handled =
    event.ctrlKey || event.metaKey ? withControl(event) : (arrow(event) || plain(event));
  if (handled) event.preventDefault();
}

export function keyUp(event: KeyboardEvent): void {
  if (event.key === " ") spaceHeld.value = false;
  if (event.key.toLowerCase() === "b") before.value = false;
}

export function keysLost(): void {
  spaceHeld.value = false;
  before.value = false;
}

function withControl(event: KeyboardEvent): boolean {
  if (event.key in ARROWS) return goOver(event);
  switch (event.key.toLowerCase()) {
    case "z":
      void (event.shiftKey ? redo() : undo());
      return true;
    case "y":
      void redo();
      return true;
    case "a":
      afterEdits(selectAll);
      return true;
    case "d":
      duplicate();
      return true;
    case "c":
      if (!chosen.value || getSelection()?.toString()) return false;
      afterEdits(copy);
      return true;
    case "v":
      if (!carried.value) return false;
      paste(pointer.value ?? middle());
      return true;
    case "s":
      saveOpen.value = true;
      return true;
    default:
      return false;
  }
}

/** The middle of what is seen of the canvas. */
export function middle(): Point {
  const { width, height } = windowSize.value;
  return toCanvas(view.value, { x: width / 2, y: height / 2 });
}

function arrow(event: KeyboardEvent): boolean {
  const direction = ARROWS[event.key];
  if (!direction) return false;
  const target = event.target as HTMLElement;
  if (target !== document.body && !onCanvas(event)) return false; // sliders and lists have their own
  if (!chosen.value || asking.value) return goOver(event);
  const by = event.shiftKey ? 10 : 1;
  nudge(direction.x * by, direction.y * by);
  return true;
}

/** Go to the element beside, and say which it is. */
function goOver(event: KeyboardEvent): boolean {
  const map = labels.value;
  if (!map) return false;
  const next = neighbour(map, cursor.value, ARROWS[event.key]!, canvasSize.value);
  if (next === null) {
    status.value = "There is no element farther that way.";
    return true;
  }
  cursor.value = next;
  showRow(next);
  const [x, y, width, height] = doc.value!.elements[next]!.box;
  const many = rowsOfClick(next).size;
  const object = many > 1 ? `, of an object of ${many} elements` : "";
  const size = `${decimal(width, 0)}×${decimal(height, 0)} pixels at ${decimal(x, 0)}, ${decimal(y, 0)}`;
  status.value = `Element ${doc.value!.elements[next]!.id}, ${size}${object}.`;
  return true;
}

/** Enter on the canvas takes what the arrow keys have come to. */
function enter(event: KeyboardEvent): boolean {
  const row = cursor.value;
  if (!onCanvas(event) || row === null) return false;
  const mode: Mode = event.altKey ? "remove" : event.shiftKey ? "add" : "new";
  afterEdits(() => {
    const place = labels.value?.placeOf(row, canvasSize.value);
    if (!place) return;
    if (asking.value) answerAt(place);
    else clickAt(place, mode);
  });
  return true;
}

function plain(event: KeyboardEvent): boolean {
  if (event.altKey && event.key !== "Enter") return false;
  const target = event.target as HTMLElement;
  const onButton = target.matches("button, a, summary, [role=slider], input");
  switch (event.key) {
    case "Enter":
      return enter(event);
    case " ":
      if (onButton) return false;
      spaceHeld.value = true;
      return true;
    case "Escape":
      if (sheetOpen.value) sheetOpen.value = false;
      else if (isNudging()) finishNudge();
      else if (progress.value && !chosen.value) cancelRendering();
      else escape();
      return true;
    case "Delete":
    case "Backspace":
      remove();
      return true;
    case "?":
      helpOpen.value = true;
      return true;
    case "+":
    case "=":
      zoomBy(1.25);
      return true;
    case "-":
      zoomBy(0.8);
      return true;
    case "0":
      fit();
      return true;
    case "1":
      zoomBy(1 / view.value.scale);
      return true;
    case "[":
      sendToBack();
      return true;
    case "]":
      bringToFront();
      return true;
    case ",":
      afterEdits(() => stepExtent(-1));
      return true;
    case ".":
      afterEdits(() => stepExtent(1));
      return true;
    default:
      return letter(event);
  }
}

function letter(event: KeyboardEvent): boolean {
  switch (event.key.toLowerCase()) {
    case "v":
      tool.value = "select";
      return true;
    case "m":
      tool.value = "box";
      return true;
    case "l":
      tool.value = "lasso";
      return true;
    case "p":
      tool.value = "brush";
      return true;
    case "h":
      tool.value = "hand";
      return true;
    case "f":
      flip(event.shiftKey ? "v" : "h");
      return true;
    case "b":
      if (!event.repeat) showBefore();
      return true;
    default:
      return false;
  }
}

export function showBefore(): void {
  const current = doc.value;
  if (!current) return;
  before.value = true;
  photoOf(current.id).catch(tell);
}
