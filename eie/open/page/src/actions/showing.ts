/** The picture on the canvas: the photo, or what the server renders of the edits. */

import * as api from "../core/api";
import { showsPhoto } from "../core/history";
import {
  canvasSize,
  changedShare,
  decoder,
  doc,
  original,
  type Picture,
  picture,
  problem,
  progress,
  seed,
  status,
  view,
  workspace,
} from "../store";
import { isAbort, tell } from "./failing";

/** Pixels of the longer side of what is shown until somebody zooms in. */
const SIDE = 1600;
const MOST_SIDE = 8192;
/** Pictures kept, so that undoing and redoing show at once. */
const KEPT = 8;

const seen = new Map<string, { picture: Picture; share: number | null }>();
let following: AbortController | null = null;

export function forgetPictures(): void {
  following?.abort();
  seen.clear();
  picture.value = original.value = null;
  progress.value = changedShare.value = null;
}

/**
 * Show what the document is by now: at once if it was seen, else a quick render, then the full.
 *
 * @param previewed whether what is shown comes near it already.
 */
export async function showCurrent(previewed = false): Promise<void> {
  const current = doc.value;
  if (!current) return;
  following?.abort();
  following = new AbortController();
  const { signal } = following;
  progress.value = null;
  const isPhoto = showsPhoto(current.history);
  // The same elements give the same picture, however they came there.
  const made = `${decoder.value} ${seed.value} ${JSON.stringify(current.elements)}`;
  const key = isPhoto ? "photo" : made;
  try {
    const known = seen.get(key);
    if (known) {
      picture.value = known.picture;
      changedShare.value = known.share;
      return;
    }
    if (isPhoto) {
      const photo = await photoOf(current.id);
      if (signal.aborted) return;
      picture.value = photo;
      changedShare.value = null;
      remember(key, photo, null);
      return;
    }
    if (!previewed) void showUnfilled(current.id, signal).catch(tell);
    const quick = await render(current, true, signal);
    if (quick) picture.value = quick.picture;
    const full = await render(current, false, signal);
    if (!full) return;
    picture.value = full.picture;
    remember(key, full.picture, full.share);
    const share = full.share === null ? "" : `: ${percent(full.share)} of the picture changed`;
    status.value = `Rendered${share}.`;
  } catch (error) {
    if (!isAbort(error)) tell(error);
  } finally {
    if (!signal.aborted) progress.value = null;
  }
}

/** Let things be where they are while their holes are filled. */
async function showUnfilled(id: string, signal: AbortSignal): Promise<void> {
  const before = picture.value;
  const image = await api.unfilled(id, SIDE);
  // A render may have been faster.
  if (!signal.aborted && picture.value === before) picture.value = { image, kind: "preview" };
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

function remember(key: string, shown: Picture, share: number | null): void {
  seen.delete(key);
  seen.set(key, { picture: shown, share });
  for (const old of seen.keys()) {
    if (seen.size <= KEPT) break;
    seen.delete(old);
  }
}

async function render(
  current: api.DocumentState,
  quick: boolean,
  signal: AbortSignal,
): Promise<{ picture: Picture; share: number | null } | null> {
  // What is quick shows by the default decoder where things are; others may take minutes.
  const request = {
    decoder: quick ? null : decoder.value,
    seed: quick && decoder.value ? 0 : seed.value,
    variations: 1,
    quick,
  };
  progress.value = { id: null, quick, state: "waiting", done: 0 };
  let asked = await api.askForRender(current.id, request, signal);
  let ended = await follow(asked.id, quick, signal);
  if (ended?.state === "cancelled") {
    // Not by us: a stream broke off, for example while the computer slept.
    asked = await api.askForRender(current.id, request, signal);
    ended = await follow(asked.id, quick, signal);
  }
  if (ended?.state !== "done") return null;
  const image = await api.rendered(asked.id, 0, SIDE);
  if (signal.aborted) return null;
  if (!quick) changedShare.value = ended.changed;
  const render = { id: asked.id, variation: 0 };
  return { picture: { image, kind: quick ? "quick" : "full", render }, share: ended.changed };
}

/** Follow a render to its end; null if we do not want it any more. What fails is told. */
async function follow(
  id: string,
  quick: boolean,
  signal: AbortSignal,
): Promise<api.RenderState | null> {
  const ended = await api.followRender(id, signal, (told) => {
    if (!signal.aborted) progress.value = { id, quick, state: told.state, done: told.done };
  });
  if (signal.aborted) return null;
  if (ended.state === "failed" && ended.error) problem.value = ended.error;
  return ended;
}

export function cancelRendering(): void {
  following?.abort();
  progress.value = null;
  status.value = "Rendering is cancelled.";
}

/** The unedited photo; fetched once a document. */
export async function photoOf(id: string): Promise<Picture> {
  const known = original.value;
  if (known) return known;
  const photo: Picture = { image: await api.photo(id, SIDE), kind: "photo" };
  if (doc.value?.id === id) original.value = photo;
  return photo;
}

/** Several fills to choose from, as small pictures. */
export async function variationsOf(
  count: number,
  signal: AbortSignal,
  report: (done: number) => void,
): Promise<ImageBitmap[]> {
  const current = doc.value;
  if (!current) return [];
  // Large photos take long, and what differs is seen on a smaller one as well.
  const quick = Math.max(current.canvas.width, current.canvas.height) > 2 * SIDE;
  following?.abort();
  const request = { decoder: decoder.value, seed: 0, variations: count, quick };
  const asked = await api.askForRender(current.id, request, signal);
  const ended = await api.followRender(asked.id, signal, (told) => report(told.done));
  if (ended.state === "failed" && ended.error) throw new api.ApiError(500, ended.error);
  if (ended.state !== "done") return [];
  const every = Array.from({ length: ended.pictures }, (_, index) => index);
  return Promise.all(every.map((index) => api.rendered(asked.id, index, 800)));
}

/** Once somebody zooms in, the picture in all its pixels. */
export async function showDetail(): Promise<void> {
  const shown = picture.value;
  const current = doc.value;
  if (!shown || !current) return;
  const canvas = canvasSize.value;
  const longer = Math.max(canvas.width, canvas.height);
  const has = Math.max(shown.image.width, shown.image.height);
  const wanted = longer * view.value.scale * devicePixelRatio;
  if (has >= Math.min(longer, MOST_SIDE) || wanted < 1.2 * has) return;
  try {
    let image: ImageBitmap;
    if (shown.kind === "photo") image = await api.photo(current.id, Math.min(longer, MOST_SIDE));
    else if (shown.kind === "full" && shown.render) {
      image = await api.rendered(shown.render.id, shown.render.variation, null);
    } else return;
    const sharper = { ...shown, image };
    if (picture.value === shown) picture.value = sharper;
    if (original.value === shown) original.value = sharper;
  } catch (error) {
    // A render that the server has forgotten stays as sharp as it is.
    if (!(error instanceof api.ApiError && error.status === 404)) tell(error);
  }
}

export function usesDefaultDecoder(): boolean {
  return !decoder.value || decoder.value === workspace.value?.default_decoder;
}
