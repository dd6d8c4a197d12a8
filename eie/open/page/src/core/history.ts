/** The history as people did it: what was done at once is one step. */

import type { HistoryEntry } from "./api";

/** Whether an operation was done together with the one before it. */
function isLater(entry: HistoryEntry): boolean {
  return entry.later === true || entry.look === "before";
}

export interface Step {
  readonly operation: string;
  /** In plain words. */
  readonly title: string;
  /** As on the command line. */
  readonly text: string;
  /** How many recorded operations it is. */
  readonly size: number;
}

const TITLES: Readonly<Record<string, string>> = {
  move: "Move",
  to: "Move to a place",
  scale: "Resize",
  rotate: "Turn",
  delete: "Delete",
  restore: "Restore",
  copy: "Duplicate",
  drag: "Drag",
  swap: "Swap",
  front: "Bring to the front",
  back: "Send to the back",
  flip: "Flip",
  appearance: "Change appearance",
  paste: "Paste",
  group: "Group",
  ungroup: "Ungroup",
  reset: "Back to the photo",
};

/** @param entries oldest first. */
export function stepsOf(entries: readonly HistoryEntry[]): Step[] {
  const steps: Step[] = [];
  for (const entry of entries) {
    const last = steps.at(-1);
    if (isLater(entry) && last) {
      steps[steps.length - 1] = {
        ...last,
        text: `${last.text} ${entry.text}`,
        size: last.size + 1,
      };
    } else {
      const title = TITLES[entry.operation] ?? entry.operation;
      steps.push({ operation: entry.operation, title, text: entry.text, size: 1 });
    }
  }
  return steps;
}

/** How many recorded operations the next step to do again is; `undone` has the next one first. */
export function redoSize(undone: readonly HistoryEntry[]): number {
  let size = 1;
  while (size < undone.length && isLater(undone[size]!)) size++;
  return undone.length ? size : 0;
}

const UNSEEN = new Set(["group", "ungroup"]);

/** Whether nothing was done that shows, or all of it was taken back by a reset. */
export function showsPhoto(entries: readonly HistoryEntry[]): boolean {
  const last = entries.findLast((entry) => !UNSEEN.has(entry.operation));
  return !last || last.operation === "reset";
}
