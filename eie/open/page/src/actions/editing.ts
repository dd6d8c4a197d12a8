/** Edits: shown at once, then done by the server, one after the other. */

import * as api from "../core/api";
import { type Affine, decimal, signed, translation } from "../core/geometry";
import { moveOperation, type Operation } from "../core/handles";
import { redoSize, stepsOf } from "../core/history";
import { baked, holeOf, lift } from "../stage/lift";
import {
  asking,
  busy,
  canvasSize,
  type Chosen,
  chosen,
  doc,
  editing,
  gesture,
  hover,
  labels,
  objects,
  picture,
  problem,
  status,
} from "../store";
import { tell } from "./failing";
import { clear, selectAgain, selectionText } from "./selecting";
import { showCurrent } from "./showing";

const LABEL_SIDE = 1024;

/** What becomes of the selection: the same things, those that the edit made, or none. */
type After = "same" | "made" | "none";

let queue: Promise<void> = Promise.resolve();

/** Do work after all that was asked for before, so that revisions follow each other. */
function inTurn(work: () => Promise<void>): Promise<void> {
  editing.value++;
  problem.value = null; // of what was done before
  queue = queue
    .then(work)
    .catch(async (error: unknown) => {
      tell(error);
      await recover();
    })
    .finally(() => {
      editing.value--;
    });
  return queue;
}

/** Back to what the server has, which an edit that failed has left as it was. */
async function recover(): Promise<void> {
  const current = doc.value;
  if (!current) return;
  try {
    await adopt(await api.state(current.id), chosen.value?.ids ?? []);
  } catch {
    // What was told first says why. The picture is as it was before the edit.
    chosen.value = null;
    void showCurrent();
  }
}

/**
 * Show a state of the document.
 *
 * @param ids what is selected in it; null for what was made last.
 * @param previewed whether the picture comes near it already.
 */
export async function adopt(
  state: api.DocumentState,
  ids: readonly number[] | null,
  previewed = false,
): Promise<void> {
  const [map, bits] = await Promise.all([
    api.labels(state.id, LABEL_SIDE, state.elements.length),
    api.objects(state.id),
  ]);
  if (map.revision !== null && map.revision !== state.revision) {
    // Another tab was faster.
    return adopt(await api.state(state.id), ids);
  }
  doc.value = state;
  labels.value = map.map;
  objects.value = bits;
  hover.value = null;
  void showCurrent(previewed);
  if (ids?.length === 0) chosen.value = null;
  else await selectAgain(ids);
}

/**
 * Do operations as one edit.
 *
 * @param operations entries of an edit script.
 * @param after what is selected then.
 * @param previewed whether the picture shows them already.
 */
export function perform(
  operations: readonly Operation[],
  after: After = "same",
  previewed = false,
): Promise<void> {
  if (!operations.length) return Promise.resolve();
  return inTurn(async () => {
    const current = doc.value;
    if (!current) return;
    const ids = after === "none" ? [] : after === "made" ? null : (chosen.value?.ids ?? []);
    const masked = operations.some(({ selection }) => selection?.includes("mask:"));
    const state = await api.edit(current.id, operations, current.revision);
    await adopt(state, masked && after === "same" ? null : ids, previewed);
    const done = stepsOf(state.history).at(-1);
    if (done) status.value = `Done: ${done.title.toLowerCase()}.`;
  });
}

/** Show what is selected elsewhere, and a hole where it was, until the server has rendered it. */
function showElsewhere(what: Chosen, affine: Affine, leaves: boolean): void {
  const shown = picture.value;
  const canvas = canvasSize.value;
  if (!shown) return;
  const lifted = lift(shown, what.region, canvas);
  const hole = leaves ? holeOf(what.region, canvas) : null;
  picture.value = baked(shown, canvas, [hole], [{ lifted, affine }]);
  chosen.value = { ...what, shown: affine };
}

/** Operations on what is selected that can be seen before they are done. */
export function transform(
  operations: readonly Operation[],
  affine: Affine,
  { leaves = true, after = "same" as After } = {},
): void {
  const what = chosen.value;
  if (!what || !operations.length) return;
  showElsewhere(what, affine, leaves);
  void perform(operations, after, true);
}

/** Operations on what is selected that show only when they are done. */
function change(operation: string, fields: Operation = {}): void {
  if (chosen.value) void perform([{ operation, selection: selectionText(), ...fields }]);
}

export function moveBy(dx: number, dy: number): void {
  transform([moveOperation(selectionText(), dx, dy)], translation(dx, dy));
}

export function remove(): void {
  const what = chosen.value;
  const shown = picture.value;
  if (!what || !shown) return;
  const selection = selectionText();
  picture.value = baked(shown, canvasSize.value, [holeOf(what.region, canvasSize.value)], []);
  chosen.value = null;
  void perform([{ operation: "delete", selection }], "none", true);
}

/** Everything that was deleted comes back to where it was. */
export function restoreAll(): void {
  void perform([{ operation: "restore", selection: "all" }], "made");
}

/** Copies, a little beside, or where they were dragged to. */
export function duplicate(shift?: { x: number; y: number }): void {
  const what = chosen.value;
  if (!what) return;
  const { width, height } = canvasSize.value;
  const beside = Math.max(8, Math.round(Math.min(width, height) / 40));
  const { x, y } = shift ?? { x: beside, y: beside };
  const way = `${signed(x)},${signed(y)}`;
  transform([{ operation: "copy", selection: selectionText(), shift: way }], translation(x, y), {
    leaves: false,
    after: "made",
  });
}

export function flip(direction: "h" | "v"): void {
  const what = chosen.value;
  if (!what) return;
  const { x, y } = what.centre;
  const affine =
    direction === "h"
      ? { a: -1, b: 0, c: 0, d: 1, e: 2 * x, f: 0 }
      : { a: 1, b: 0, c: 0, d: -1, e: 0, f: 2 * y };
  transform([{ operation: "flip", selection: selectionText(), direction }], affine);
}

export const bringToFront = (): void => change("front");
export const sendToBack = (): void => change("back");

export function scaleTo(factor: number): void {
  const what = chosen.value;
  if (!what || factor <= 0) return;
  const { x, y } = what.centre;
  const affine = { a: factor, b: 0, c: 0, d: factor, e: x * (1 - factor), f: y * (1 - factor) };
  transform([{ operation: "scale", selection: selectionText(), factor: decimal(factor, 4) }], affine);
}

export function turnBy(degrees: number, affine: Affine): void {
  transform([{ operation: "rotate", selection: selectionText(), angle: decimal(degrees, 1) }], affine);
}

export function group(name: string): void {
  const selection = selectionText();
  if (selection) void perform([{ operation: "group", group: name, selection }]);
}

export function ungroup(name: string): void {
  void perform([{ operation: "ungroup", group: name }]);
}

/** The other thing that a swap or an appearance needs has been clicked. */
export function answer(other: string): void {
  const what = asking.value;
  asking.value = null;
  if (what === "swap") change("swap", { other });
  if (what === "appearance") change("appearance", { of: other });
}

export function undo(steps = 1): Promise<void> {
  return inTurn(async () => {
    const current = doc.value;
    if (!current) return;
    const done = stepsOf(current.history).slice(-steps);
    const size = done.reduce((sum, step) => sum + step.size, 0);
    if (!size) return;
    const ids = chosen.value?.ids ?? [];
    await adopt(await api.step(current.id, "undo", size, current.revision), ids);
    status.value = `Undone: ${done.map((step) => step.title.toLowerCase()).join(", ")}.`;
  });
}

export function redo(steps = 1): Promise<void> {
  return inTurn(async () => {
    const current = doc.value;
    if (!current) return;
    let size = 0;
    for (let step = 0; step < steps; step++) size += redoSize(current.undone.slice(size));
    if (!size) return;
    const ids = chosen.value?.ids ?? [];
    await adopt(await api.step(current.id, "redo", size, current.revision), ids);
    status.value = "Done again.";
  });
}

export function reset(): Promise<void> {
  return inTurn(async () => {
    const current = doc.value;
    if (!current) return;
    clear();
    await adopt(await api.reset(current.id, current.revision), []);
    status.value = "Back to the photo. Undo brings the edits back.";
  });
}

/** Wait until all that was asked for is done. */
export async function settled(): Promise<void> {
  await queue;
}

const nudged = { dx: 0, dy: 0, timer: 0 };

/** Arrow keys move what is selected at once; what they add up to is one edit. */
export function nudge(dx: number, dy: number): void {
  const what = chosen.value;
  if (!what) return;
  nudged.dx += dx;
  nudged.dy += dy;
  const label = `${signed(nudged.dx)}, ${signed(nudged.dy)}`;
  gesture.value = { affine: translation(nudged.dx, nudged.dy), label, leaves: true };
  window.clearTimeout(nudged.timer);
  nudged.timer = window.setTimeout(finishNudge, 500);
}

/** Do the move that arrow keys have added up to; before anything else is done. */
export function finishNudge(): void {
  const { dx, dy } = nudged;
  if (!nudged.timer) return;
  window.clearTimeout(nudged.timer);
  nudged.dx = nudged.dy = nudged.timer = 0;
  gesture.value = null;
  if (dx || dy) moveBy(dx, dy);
}

export function isNudging(): boolean {
  return nudged.timer !== 0;
}

export function moveTo(x: number, y: number): void {
  const what = chosen.value;
  if (!what) return;
  const dx = Math.round(x - what.centre.x);
  const dy = Math.round(y - what.centre.y);
  if (dx || dy) moveBy(dx, dy);
}

export async function whileBusy<T>(what: string, work: () => Promise<T>): Promise<T> {
  busy.value = what;
  try {
    return await work();
  } finally {
    busy.value = null;
  }
}
