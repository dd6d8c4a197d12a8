/** Edits: shown at once, then done by the server, one after the other. */

import * as api from "../core/api";
import { type Affine, decimal, rotationAbout, signed, translation } from "../core/geometry";
import { moveOperation, type Operation } from "../core/handles";
import { redoSize, stepsOf } from "../core/history";
import { Turns } from "../core/turns";
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

const turns = new Turns(editing, async (error) => {
  tell(error);
  await recover();
});

/**
 * Do work after all that was asked for before, so that revisions follow each other.
 *
 * An edit changes what selections mean, and what is selected. So work takes these when its turn
 * comes, not before.
 */
function inTurn(work: () => Promise<void>): Promise<void> {
  finishNudge();
  problem.value = null; // of what was done before
  const id = doc.value?.id;
  return turns.take(async () => {
    if (isOpen(id)) await work();
  });
}

/** Change what is selected: at once, or when the edits under way have made the selection anew. */
export function afterEdits(work: () => void): void {
  finishNudge();
  if (editing.value) void inTurn(async () => work());
  else work();
}

const isOpen = (id: string | undefined): boolean => doc.value?.id === id;

/** Back to what the server has, which an edit that failed has left as it was. */
async function recover(): Promise<void> {
  const current = doc.value;
  if (!current) return;
  try {
    await adopt(await api.state(current.id), chosen.value?.ids ?? []);
  } catch {
    if (!isOpen(current.id)) return;
    // What was told first says why. The picture is as it was before the edit.
    chosen.value = null;
    void showCurrent();
  }
}

/**
 * Show a state of the document, unless another was opened meanwhile.
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
  if (!isOpen(state.id)) return;
  if (map.revision !== null && map.revision !== state.revision) {
    // Another tab was faster.
    return adopt(await api.state(state.id), ids);
  }
  doc.value = state;
  labels.value = map.map;
  objects.value = bits;
  hover.value = null;
  void showCurrent(previewed);
  if (ids?.length === 0) clear();
  else await selectAgain(ids);
}

/**
 * Do operations as one edit.
 *
 * @param make gives the entries of an edit script, when their turn has come.
 * @param after what is selected then.
 * @param previewed whether the picture shows them already.
 */
export function perform(
  make: () => readonly Operation[],
  after: After = "same",
  previewed = false,
): Promise<void> {
  return inTurn(async () => {
    const current = doc.value;
    const operations = make();
    if (!current || !operations.length) return;
    const ids = after === "none" ? [] : after === "made" ? null : (chosen.value?.ids ?? []);
    const masked = operations.some(({ selection }) => selection?.includes("mask:"));
    const state = await api.edit(current.id, operations, current.revision);
    await adopt(state, masked && after === "same" ? null : ids, previewed);
    const done = stepsOf(state.history).at(-1);
    if (done && isOpen(current.id)) status.value = `Done: ${done.title.toLowerCase()}.`;
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

/** Operations on a selection, and what becomes of it until they are done. */
interface Transformed {
  readonly operations: readonly Operation[];
  readonly affine: Affine;
}

/** Operations on what is selected that can be seen before they are done. */
export function transform(
  make: (selection: string, what: Chosen) => Transformed,
  { leaves = true, after = "same" as After } = {},
): void {
  if (!chosen.value) return;
  const made = (): readonly Operation[] => {
    const what = chosen.value;
    if (!what) return [];
    const { operations, affine } = make(selectionText(), what);
    if (operations.length) showElsewhere(what, affine, leaves);
    return operations;
  };
  void perform(made, after, true);
}

/** Operations on what is selected that show only when they are done. */
function change(operation: string, fields: Operation = {}): void {
  if (!chosen.value) return;
  void perform(() => (chosen.value ? [{ operation, selection: selectionText(), ...fields }] : []));
}

const moved = (selection: string, dx: number, dy: number): Transformed => ({
  operations: dx || dy ? [moveOperation(selection, dx, dy)] : [],
  affine: translation(dx, dy),
});

export function moveBy(dx: number, dy: number): void {
  transform((selection) => moved(selection, dx, dy));
}

export function remove(): void {
  if (!chosen.value) return;
  const made = (): readonly Operation[] => {
    const what = chosen.value;
    const shown = picture.value;
    if (!what || !shown) return [];
    const selection = selectionText();
    picture.value = baked(shown, canvasSize.value, [holeOf(what.region, canvasSize.value)], []);
    chosen.value = null;
    return [{ operation: "delete", selection }];
  };
  void perform(made, "none", true);
}

/** Everything that was deleted comes back to where it was. */
export function restoreAll(): void {
  void perform(() => [{ operation: "restore", selection: "all" }], "made");
}

/** Copies, a little beside, or where they were dragged to. */
export function duplicate(shift?: { x: number; y: number }): void {
  const { width, height } = canvasSize.value;
  const beside = Math.max(8, Math.round(Math.min(width, height) / 40));
  const { x, y } = shift ?? { x: beside, y: beside };
  const way = `${signed(x)},${signed(y)}`;
  transform(
    (selection) => ({
      operations: [{ operation: "copy", selection, shift: way }],
      affine: translation(x, y),
    }),
    { leaves: false, after: "made" },
  );
}

export function flip(direction: "h" | "v"): void {
  transform((selection, { centre: { x, y } }) => ({
    operations: [{ operation: "flip", selection, direction }],
    affine:
      direction === "h"
        ? { a: -1, b: 0, c: 0, d: 1, e: 2 * x, f: 0 }
        : { a: 1, b: 0, c: 0, d: -1, e: 0, f: 2 * y },
  }));
}

export const bringToFront = (): void => change("front");
export const sendToBack = (): void => change("back");

export function scaleTo(factor: number): void {
  if (factor <= 0) return;
  transform((selection, { centre: { x, y } }) => ({
    operations: [{ operation: "scale", selection, factor: decimal(factor, 4) }],
    affine: { a: factor, b: 0, c: 0, d: factor, e: x * (1 - factor), f: y * (1 - factor) },
  }));
}

export function turnBy(degrees: number): void {
  transform((selection, { centre }) => ({
    operations: [{ operation: "rotate", selection, angle: decimal(degrees, 1) }],
    affine: rotationAbout(centre, degrees),
  }));
}

export function group(name: string): void {
  change("group", { group: name });
}

export function ungroup(name: string): void {
  void perform(() => [{ operation: "ungroup", group: name }]);
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
    const titles = done.map((step) => step.title.toLowerCase()).join(", ");
    if (isOpen(current.id)) status.value = `Undone: ${titles}.`;
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
    if (isOpen(current.id)) status.value = "Done again.";
  });
}

export function reset(): Promise<void> {
  return inTurn(async () => {
    const current = doc.value;
    if (!current) return;
    clear();
    await adopt(await api.reset(current.id, current.revision), []);
    if (isOpen(current.id)) status.value = "Back to the photo. Undo brings the edits back.";
  });
}

/** Wait until all that was asked for is done. */
export async function settled(): Promise<void> {
  do {
    finishNudge();
    await turns.settled();
  } while (isNudging());
}

const nudged = { dx: 0, dy: 0, timer: 0 };

/** Arrow keys move what is selected at once; what they add up to is one edit. */
export function nudge(dx: number, dy: number): void {
  const what = chosen.value;
  if (!what) return;
  nudged.dx += dx;
  nudged.dy += dy;
  const label = `${signed(nudged.dx)}, ${signed(nudged.dy)}`;
  // While an edit is under way, the picture and what is selected do not show the same.
  if (!editing.value) gesture.value = { affine: translation(nudged.dx, nudged.dy), label, leaves: true };
  window.clearTimeout(nudged.timer);
  nudged.timer = window.setTimeout(() => void nudgeIsOver(), 500);
}

/** No arrow key for a while. What is moved may be what an edit under way still makes. */
async function nudgeIsOver(): Promise<void> {
  const { timer } = nudged;
  await turns.settled();
  if (nudged.timer === timer) finishNudge();
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

/** @param to where the centre goes; what is not named stays as it is by then. */
export function moveTo(to: { readonly x?: number; readonly y?: number }): void {
  transform((selection, { centre }) => {
    const dx = Math.round((to.x ?? centre.x) - centre.x);
    const dy = Math.round((to.y ?? centre.y) - centre.y);
    return moved(selection, dx, dy);
  });
}

export async function whileBusy<T>(what: string, work: () => Promise<T>): Promise<T> {
  busy.value = what;
  try {
    return await work();
  } finally {
    busy.value = null;
  }
}
