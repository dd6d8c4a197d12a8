/** What the page knows and shows. Everything that changes is a signal; modules beside change them. */

import { computed, signal } from "@preact/signals";
import type { DocumentState, Failure, RenderState, Workspace } from "./core/api";
import type { Affine, Box, Point, Size } from "./core/geometry";
import { IDENTITY } from "./core/geometry";
import type { LabelMap, Rows } from "./core/labels";
import type { Extent, Objects } from "./core/objects";
import type { Region } from "./core/region";
import type { Mode, Term } from "./core/selection";
import type { View } from "./core/view";

export interface Picture {
  readonly image: ImageBitmap | HTMLCanvasElement;
  /** `preview` is made here until the server's picture comes. */
  readonly kind: "photo" | "preview" | "quick" | "full";
  /** The render it is of, and which of its variations. */
  readonly render?: { readonly id: string; readonly variation: number };
}

/** What is selected. */
export interface Chosen {
  readonly terms: readonly Term[];
  readonly rows: Rows;
  readonly ids: readonly number[];
  readonly region: Region;
  readonly path: Path2D;
  /** Around what is selected, in pixels of the canvas. */
  readonly box: Box;
  /** About which it is scaled and turned. */
  readonly centre: Point;
  /** In words; empty until the server has said them. */
  readonly about: string;
  /** What an edit has done with it that the label map does not show yet. */
  readonly shown: Affine;
}

export interface Hover {
  readonly row: number;
  readonly rows: Rows;
  readonly element: Path2D;
  readonly object: Path2D;
  readonly region: Region;
}

export interface Gesture {
  readonly affine: Affine;
  /** What the pointer's tag says: a shift, a size, an angle. */
  readonly label: string;
  /** Whether what is selected leaves a hole. */
  readonly leaves: boolean;
}

export interface Progress {
  readonly id: string | null;
  readonly quick: boolean;
  readonly state: RenderState["state"];
  readonly done: number;
}

/** A click that chooses the second thing that an operation needs. */
export type Asking = "swap" | "appearance" | null;

export type Tool = "select" | "box" | "lasso" | "brush" | "hand";
export type BoxTakes = "object" | "all";

export const workspace = signal<Workspace | null>(null);
export const doc = signal<DocumentState | null>(null);
export const labels = signal<LabelMap | null>(null);
export const objects = signal<Objects | null>(null);

export const picture = signal<Picture | null>(null);
export const original = signal<Picture | null>(null);
export const progress = signal<Progress | null>(null);
export const changedShare = signal<number | null>(null);

export const decoder = signal<string | null>(null); // null: the default
export const seed = signal(0);

export const windowSize = signal<Size>({ width: 1, height: 1 });
export const view = signal<View>({ scale: 1, x: 0, y: 0 });

export const chosen = signal<Chosen | null>(null);
export const hover = signal<Hover | null>(null);
export const cursor = signal<number | null>(null); // the row that the keyboard is at
export const gesture = signal<Gesture | null>(null);

export const tool = signal<Tool>("select");
export const mode = signal<Mode>("new");
export const extent = signal<Extent>("object");
export const boxTakes = signal<BoxTakes>("object");
export const brushSize = signal(24); // CSS pixels across
export const asking = signal<Asking>(null);

export const before = signal(false); // the photo is shown while a key is held
export const divider = signal<number | null>(null); // share of the width; null for none

export const editing = signal(0); // edits that the server has not done yet
export const busy = signal<string | null>("Opening …"); // what keeps the whole page waiting
export const status = signal(""); // read out by screen readers
export const problem = signal<Failure | null>(null);
export const photosOpen = signal(false);
export const saveOpen = signal(false);
export const helpOpen = signal(false);
export const variationsOpen = signal(false);
/** Behind a dialog, nothing is seen or read out. */
export const dialogOpen = computed(
  () => photosOpen.value || saveOpen.value || helpOpen.value || variationsOpen.value,
);
export const sheetOpen = signal(false); // on small screens

export const canvasSize = computed<Size>(() => doc.value?.canvas ?? { width: 1, height: 1 });
/** More elements than this, and the server tells of objects only where it is asked. */
const MOST_WITH_OBJECTS = 4096;

/** Whether clicks can take objects; some files tell of none. */
export const tellsObjects = computed(
  () => !doc.value || doc.value.has_objects || doc.value.elements.length > MOST_WITH_OBJECTS,
);
export const isEdited = computed(() => (doc.value?.history.length ?? 0) > 0);
export const nothingShown: Affine = IDENTITY;
