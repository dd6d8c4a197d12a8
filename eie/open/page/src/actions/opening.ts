/** Opening photos and element files, and carrying things from one to another. */

import { signal } from "@preact/signals";
import * as api from "../core/api";
import { type Point, decimal } from "../core/geometry";
import { idsText } from "../core/selection";
import { lift } from "../stage/lift";
import {
  asking,
  canvasSize,
  chosen,
  doc,
  labels,
  objects,
  photosOpen,
  picture,
  seed,
  status,
  workspace,
} from "../store";
import { adopt, perform, settled, whileBusy } from "./editing";
import { attempt } from "./failing";
import { forgetAll } from "./selecting";
import { forgetPictures } from "./showing";

export async function start(): Promise<void> {
  await attempt(() =>
    whileBusy("Opening …", async () => {
      const told = (workspace.value = await api.workspace());
      const id = new URLSearchParams(location.search).get("file") ?? told.opened;
      if (id) await show(await api.state(id));
    }),
  );
  if (!doc.value) photosOpen.value = true;
}

/** What is in the folder by now. */
export async function lookAgain(): Promise<void> {
  await attempt(async () => {
    workspace.value = await api.workspace();
  });
}

export function openPhoto(name: string): Promise<boolean> {
  return open(`Taking ${name} apart …`, () => api.openPhoto(name));
}

export function openFile(file: string): Promise<boolean> {
  return open(`Opening ${file} …`, () => api.openFile(file));
}

export function upload(file: File): Promise<boolean> {
  return open(`Taking ${file.name} apart …`, async () => {
    const state = await api.upload(file);
    workspace.value = await api.workspace();
    return state;
  });
}

async function open(what: string, ask: () => Promise<api.DocumentState>): Promise<boolean> {
  await settled();
  return attempt(async () => {
    await whileBusy(what, async () => {
      const state = await ask();
      await settled(); // what was done meanwhile is of the photo that was open
      await show(state);
    });
    workspace.value = await api.workspace();
  });
}

async function show(state: api.DocumentState): Promise<void> {
  forgetAll();
  forgetPictures();
  asking.value = null;
  labels.value = null;
  objects.value = null;
  seed.value = 0;
  doc.value = state;
  photosOpen.value = false;
  const address = new URL(location.href);
  address.searchParams.set("file", state.id);
  history.replaceState(null, "", address);
  document.title = `${state.photo ?? state.file} – eie`;
  await adopt(state, []);
  const { width, height } = state.canvas;
  status.value = `${state.photo ?? state.file} is open: ${width}×${height} pixels, ${state.elements.length} elements.`;
}

/** What was copied; kept in the browser, so that another tab can paste it. */
export interface Carried {
  readonly file: string;
  readonly selection: string;
  readonly about: string;
  /** A small picture of it, as a data address. */
  readonly look: string;
}

const PLACE = "eie-carried";

function read(): Carried | null {
  try {
    return JSON.parse(localStorage.getItem(PLACE) ?? "null") as Carried | null;
  } catch {
    return null;
  }
}

export const carried = signal<Carried | null>(read());
addEventListener("storage", () => {
  carried.value = read();
});

export function copy(): void {
  const what = chosen.value;
  const current = doc.value;
  const shown = picture.value;
  if (!what || !current || !shown) return;
  const lifted = lift(shown, what.region, canvasSize.value);
  carried.value = {
    file: current.file,
    selection: idsText(what.ids),
    about: what.about,
    look: lifted ? small(lifted.image) : "",
  };
  try {
    localStorage.setItem(PLACE, JSON.stringify(carried.value));
  } catch {
    // Without storage it is carried within this tab only.
  }
  status.value = "Copied. Open another photo to paste it there.";
}

function small(image: HTMLCanvasElement): string {
  const scale = Math.min(1, 96 / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, image.width * scale);
  canvas.height = Math.max(1, image.height * scale);
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}

export function paste(place: Point): void {
  const what = carried.value;
  const current = doc.value;
  if (!what || !current) return;
  const at = `${decimal(place.x, 0)},${decimal(place.y, 0)}`;
  const { file, selection } = what;
  // A file cannot be pasted into itself while it is written; a copy there is the same.
  void perform(() => [{ operation: "paste", file, selection, place: at }], "made");
}
