/** The server's HTTP API, as `/api/v1/docs` describes it. */

import type { Box, Point, Size } from "./geometry";
import type { Operation } from "./handles";
import { LabelMap } from "./labels";
import { Objects } from "./objects";

const ROOT = "/api/v1";

/** Who asks: a tab's new render gives up its older one, and no other tab's. */
const TAB = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16)).join("");

export interface Workspace {
  readonly name: string;
  readonly version: string;
  readonly decoders: readonly string[];
  readonly default_decoder: string;
  readonly documents: readonly { id: string; file: string; name: string }[];
  readonly photos: readonly PhotoEntry[];
  readonly opened: string | null;
}

export interface PhotoEntry {
  readonly name: string;
  readonly document: string | null;
  readonly width: number;
  readonly height: number;
}

export interface ElementRow {
  readonly id: number;
  readonly box: readonly [number, number, number, number];
  readonly visible: boolean;
}

/** An operation of the history; `later` ones were done together with the one before. */
export interface HistoryEntry {
  readonly operation: string;
  readonly text: string;
  readonly later?: boolean;
  readonly [field: string]: string | boolean | undefined;
}

export interface DocumentState {
  readonly id: string;
  readonly file: string;
  readonly photo: string | null;
  readonly revision: string;
  readonly canvas: Size;
  readonly alpha: boolean;
  readonly elements: readonly ElementRow[];
  readonly groups: Readonly<Record<string, readonly number[]>>;
  readonly history: readonly HistoryEntry[];
  readonly undone: readonly HistoryEntry[];
  readonly has_objects: boolean;
  readonly command: string;
}

export interface Selected {
  readonly ids: readonly number[];
  readonly rows: readonly number[];
  readonly box: readonly [number, number, number, number];
  readonly share: number;
  readonly text: string;
  readonly warnings: readonly string[];
  readonly centre?: readonly [number, number];
}

export interface RenderRequest {
  readonly decoder: string | null;
  readonly seed: number;
  readonly variations: number;
  readonly quick: boolean;
}

export interface RenderState {
  readonly id: string;
  readonly revision: string;
  readonly state: "waiting" | "running" | "done" | "failed" | "cancelled";
  readonly done: number;
  readonly stage: string;
  readonly pictures: number;
  readonly changed: number | null;
  readonly error: Failure | null;
}

export interface Failure {
  readonly message: string;
  readonly where: string | null;
  readonly hint: string | null;
}

export interface SaveOptions {
  readonly format: string;
  readonly quality: number | null;
  readonly decoder: string | null;
  readonly seed: number;
}

/** What the server refused, in its words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly failure: Failure,
  ) {
    super(failure.message);
  }
}

async function ask(path: string, options: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(ROOT + path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, {
      message: "eie does not answer",
      where: null,
      hint: "is the command “eie open” still running? Nothing is lost: start it again, and reload this page",
    });
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => null)) as { error?: Failure } | null;
  throw new ApiError(
    response.status,
    body?.error ?? { message: `the server answered ${response.status}`, where: null, hint: null },
  );
}

async function json<T>(path: string, options?: RequestInit): Promise<T> {
  return (await ask(path, options)).json() as Promise<T>;
}

const KEPT_ALIVE = 60_000; // bytes; browsers finish small requests of pages that are left

function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const text = JSON.stringify(body);
  return json<T>(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: text,
    keepalive: text.length < KEPT_ALIVE,
    signal: signal ?? null,
  });
}

function query(values: Readonly<Record<string, string | number | null>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== null);
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

export const workspace = (): Promise<Workspace> => json("/workspace");

export const thumbnailAddress = (name: string, side: number): string =>
  `${ROOT}/workspace/thumbnail${query({ name, side })}`;

export const openPhoto = (photo: string): Promise<DocumentState> => post("/documents", { photo });

export const openFile = (file: string): Promise<DocumentState> => post("/documents", { file });

export const upload = (file: File): Promise<DocumentState> =>
  json(`/documents/upload${query({ name: file.name })}`, { method: "POST", body: file });

export const state = (id: string): Promise<DocumentState> => json(`/documents/${id}`);

export const select = (
  id: string,
  selection: string,
  signal?: AbortSignal,
): Promise<Selected> => post(`/documents/${id}/select`, { selection }, signal);

export const edit = (
  id: string,
  operations: readonly Operation[],
  revision: string,
): Promise<DocumentState> => post(`/documents/${id}/edits`, { operations, revision });

export const step = (
  id: string,
  way: "undo" | "redo",
  steps: number,
  revision: string,
): Promise<DocumentState> => post(`/documents/${id}/${way}`, { steps, revision });

export const reset = (id: string, revision: string): Promise<DocumentState> =>
  post(`/documents/${id}/reset`, { revision });

export async function keepMask(id: string, png: Blob): Promise<string> {
  const kept = await json<{ selection: string }>(`/documents/${id}/masks`, {
    method: "POST",
    headers: { "Content-Type": "image/png" },
    body: png,
  });
  return kept.selection;
}

/** The label map of a document, and the revision that it is of. */
export async function labels(
  id: string,
  side: number,
  count: number,
): Promise<{ map: LabelMap; revision: string | null }> {
  const response = await ask(`/documents/${id}/labels${query({ side })}`);
  const number = (name: string): number => Number(response.headers.get(name));
  const bytes = await response.arrayBuffer();
  // Little-endian, as are all machines that browsers run on today.
  const values = number("X-Bytes") === 4 ? new Uint32Array(bytes) : new Uint16Array(bytes);
  return {
    map: new LabelMap(number("X-Width"), number("X-Height"), values, count),
    revision: response.headers.get("X-Revision"),
  };
}

/** What clicks take; null where the file has too many elements, or none that tell. */
export async function objects(id: string): Promise<Objects | null> {
  try {
    const response = await ask(`/documents/${id}/objects`);
    const bits = new Uint8Array(await response.arrayBuffer());
    return new Objects(Number(response.headers.get("X-Count")), bits);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** A picture, decoded, ready to be drawn. */
async function picture(path: string, signal?: AbortSignal): Promise<ImageBitmap> {
  const response = await ask(path, { signal: signal ?? null });
  return createImageBitmap(await response.blob());
}

export const photo = (id: string, side: number): Promise<ImageBitmap> =>
  picture(`/documents/${id}/picture${query({ side, of: "photo" })}`);

/** What is on the canvas, its holes transparent. */
export const unfilled = (id: string, side: number): Promise<ImageBitmap> =>
  picture(`/documents/${id}/picture${query({ side, of: "current" })}`);

export const askForRender = (
  id: string,
  request: RenderRequest,
  signal?: AbortSignal,
): Promise<{ id: string; revision: string }> =>
  post(`/documents/${id}/renders`, { ...request, client: TAB }, signal);

export const rendered = (
  render: string,
  variation: number,
  side: number | null,
): Promise<ImageBitmap> => picture(`/renders/${render}/pictures/${variation}${query({ side })}`);

const RETRY = 500; // milliseconds until a stream that broke off is asked for again

const isOver = ({ state }: RenderState): boolean => state !== "waiting" && state !== "running";

/**
 * Follow a render to its end.
 *
 * The server cancels a render when nobody follows it any more, so that aborting is enough.
 */
export async function followRender(
  render: string,
  signal: AbortSignal,
  report: (state: RenderState) => void,
): Promise<RenderState> {
  for (;;) {
    const last = await listen(render, signal, report);
    if (last) return last;
    const now = await json<RenderState>(`/renders/${render}`, { signal });
    report(now);
    if (isOver(now)) return now;
    await new Promise((resolve) => setTimeout(resolve, RETRY));
  }
}

/** The last state that a stream of a render tells; null if it breaks off before. */
function listen(
  render: string,
  signal: AbortSignal,
  report: (state: RenderState) => void,
): Promise<RenderState | null> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const events = new EventSource(`${ROOT}/renders/${render}/events`);
    const end = (): void => {
      events.close();
      signal.removeEventListener("abort", stop);
    };
    const stop = (): void => {
      end();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop);
    events.onmessage = (event: MessageEvent<string>) => {
      const told = JSON.parse(event.data) as RenderState;
      report(told);
      if (!isOver(told)) return;
      end();
      resolve(told);
    };
    events.onerror = () => {
      end();
      resolve(null);
    };
  });
}

/** The finished file and the name that the server gives it. */
export async function download(
  id: string,
  options: SaveOptions,
): Promise<{ name: string | null; blob: Blob }> {
  const response = await ask(`/documents/${id}/download${query({ ...options })}`);
  const disposition = response.headers.get("Content-Disposition") ?? "";
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition)?.[1];
  const plain = /filename="?([^";]+)"?/i.exec(disposition)?.[1];
  return {
    name: encoded ? decodeURIComponent(encoded) : (plain ?? null),
    blob: await response.blob(),
  };
}

export function boxOf(selected: Selected): Box {
  const [x0, y0, x1, y1] = selected.box;
  return { x0, y0, x1, y1 };
}

export function centreOfSelected(selected: Selected): Point {
  if (selected.centre) return { x: selected.centre[0], y: selected.centre[1] };
  const [x0, y0, x1, y1] = selected.box;
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2 };
}
