/** Selecting: shown at once by the label map, then as the server says. */

import * as api from "../core/api";
import { type Box, centreOf, decimal, type Point } from "../core/geometry";
import type { Rows } from "../core/labels";
import { EXTENTS, type Extent } from "../core/objects";
import { canvasBox, joined, type Region, regionOfRows, without } from "../core/region";
import {
  boxText,
  composed,
  groupText,
  idsText,
  type Mode,
  type Term,
  type What,
  withExtent,
  withTerm,
} from "../core/selection";
import { pathOf } from "../stage/paths";
import { type Stroke, strokeMask, strokeRegion } from "../stage/strokes";
import {
  boxTakes,
  canvasSize,
  type Chosen,
  chosen,
  cursor,
  doc,
  extent,
  hover,
  labels,
  mode,
  nothingShown,
  objects,
  problem,
  status,
  tellsObjects,
} from "../store";
import { attempt, isAbort, tell } from "./failing";

let asked: AbortController | null = null;

/** The rows that a click on a row takes, as far as can be told here. */
export function rowsOfClick(row: number): Rows {
  const rows = objects.value?.of(row, extent.value);
  return rows?.size ? rows : new Set([row]);
}

export function pointAt(point: Point | null): void {
  const map = labels.value;
  const row = point && map ? map.at(point, canvasSize.value) : null;
  showRow(row);
}

/** Let a row be the one that is pointed at; null for none. */
export function showRow(row: number | null): void {
  if (row === (hover.value?.row ?? null)) return;
  const map = labels.value;
  if (row === null || !map) {
    hover.value = null;
    return;
  }
  const rows = rowsOfClick(row);
  const region = regionOfRows(map, rows);
  hover.value = {
    row,
    rows,
    region,
    element: pathOf(regionOfRows(map, new Set([row])), canvasSize.value),
    object: pathOf(region, canvasSize.value),
  };
}

/** What a click at a place takes: the object, or in files that tell none the element. */
export function objectAt(at: Point): What {
  if (tellsObjects.value) return { kind: "object", at, extent: extent.value };
  return { kind: "text", text: `@${decimal(at.x, 1)},${decimal(at.y, 1)}` };
}

/** Select the object at a place; whether there is one. */
export function clickAt(at: Point, how: Mode): boolean {
  const row = labels.value?.at(at, canvasSize.value) ?? null;
  if (row === null) {
    if (how === "new") clear();
    return false;
  }
  const region = regionOfRows(labels.value!, rowsOfClick(row));
  take(how, objectAt(at), region, rowsOfClick(row));
  return true;
}

export function selectBox(box: Box, how: Mode): void {
  const everything = boxTakes.value === "all";
  const rows = new Set<number>();
  doc.value?.elements.forEach((element, row) => {
    const [x, y] = element.box;
    const within = x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1;
    if (element.visible && within) rows.add(row);
  });
  const text = boxText(everything ? "box:" : "object@", box);
  take(how, { kind: "text", text }, regionOfRows(labels.value!, rows), rows);
}

export async function selectStroke(stroke: Stroke, how: Mode): Promise<void> {
  const map = labels.value;
  const current = doc.value;
  if (!map || !current) return;
  const region = strokeRegion(stroke, current.canvas, map);
  if (!region.box) return;
  preview(how, region);
  await attempt(async () => {
    const text = await api.keepMask(current.id, await strokeMask(stroke, current.canvas));
    const shown = chosen.value; // the preview, which holds what was selected before as well
    const terms = withTerm(shown?.terms ?? [], shown?.terms.length ? how : "new", {
      kind: "text",
      text,
    });
    if (shown) await settle(terms, shown.region, shown.rows);
  });
}

export function selectAll(): void {
  const map = labels.value;
  if (!map) return;
  const rows = new Set<number>();
  for (let row = 0; row < map.count; row++) if (map.isSeen(row)) rows.add(row);
  take("new", { kind: "text", text: "all" }, regionOfRows(map, rows), rows);
}

export function selectGroup(name: string, how: Mode = mode.value): void {
  const rows = rowsOfIds(doc.value?.groups[name] ?? []);
  take(how, { kind: "text", text: groupText(name) }, regionOfRows(labels.value!, rows), rows);
}

export function clear(): void {
  asked?.abort();
  if (chosen.value) status.value = "Nothing is selected.";
  chosen.value = null;
}

/** More or less of the object clicked last, and of those clicked from now on. */
export function setExtent(value: Extent): void {
  extent.value = value;
  const row = hover.value?.row ?? null;
  hover.value = null;
  showRow(row);
  const shown = chosen.value;
  if (!shown) return;
  const terms = withExtent(shown.terms, value);
  if (composed(terms) !== composed(shown.terms)) void settle(terms, shown.region, shown.rows);
}

/** One extent more or less. */
export function stepExtent(by: 1 | -1): void {
  const next = EXTENTS[EXTENTS.indexOf(extent.value) + by] as Extent | undefined;
  if (next) setExtent(next);
}

function take(how: Mode, what: What, region: Region, rows: Rows): void {
  problem.value = null;
  const terms = withTerm(chosen.value?.terms ?? [], how, what);
  if (!terms.length) return;
  preview(how, region, rows);
  void settle(terms, chosen.value?.region ?? region, chosen.value?.rows ?? rows);
}

/** Show what a term adds or takes away, before the server has been asked. */
function preview(how: Mode, region: Region, rows: Rows = new Set()): void {
  const old = how === "new" ? null : chosen.value;
  if (!old && how === "remove") return;
  const together = !old ? region : how === "add" ? joined(old.region, region) : without(old.region, region);
  const all = new Set(old?.rows ?? []);
  for (const row of rows) how === "remove" ? all.delete(row) : all.add(row);
  chosen.value = shownAs(old?.terms ?? [], together, all);
}

function shownAs(terms: readonly Term[], region: Region, rows: Rows): Chosen | null {
  const canvas = canvasSize.value;
  const box = canvasBox(region, canvas);
  if (!box) return null;
  const elements = doc.value?.elements ?? [];
  return {
    terms,
    rows,
    ids: [...rows].flatMap((row) => elements[row]?.id ?? []),
    region,
    path: pathOf(region, canvas),
    box,
    centre: centreOf(box),
    about: "",
    shown: nothingShown,
  };
}

const isMasked = (terms: readonly Term[]): boolean =>
  terms.some(({ what }) => what.kind === "text" && what.text.includes("mask:"));

/** Ask the server what terms take, and show that. */
async function settle(terms: readonly Term[], region: Region, rows: Rows): Promise<void> {
  const current = doc.value;
  const map = labels.value;
  if (!current || !map) return;
  chosen.value = shownAs(terms, region, rows);
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  try {
    const told = await api.select(current.id, composed(terms), signal);
    if (signal.aborted || doc.value?.id !== current.id) return;
    // Masks part elements only when an edit is done, so that rows here do not tell all yet.
    const exact = isMasked(terms) ? region : regionOfRows(map, new Set(told.rows));
    const shown = shownAs(terms, exact, new Set(told.rows));
    if (!shown) {
      // Wholly behind others, or outside the canvas.
      chosen.value = null;
    } else {
      const centre = isMasked(terms) ? shown.centre : api.centreOfSelected(told);
      chosen.value = { ...shown, ids: told.ids, centre, about: told.text };
    }
    status.value = `Selected: ${[told.text, ...told.warnings].join(" ")}`;
  } catch (error) {
    if (isAbort(error)) return;
    chosen.value = null;
    tell(error);
  }
}

/** After an edit: the same things, or what it made; told by ids where that is surer. */
export async function selectAgain(ids: readonly number[] | null): Promise<void> {
  const current = doc.value;
  const map = labels.value;
  if (!current || !map) return;
  asked?.abort();
  let told: api.Selected | null = null;
  let text = "group:last";
  if (current.history.length && !("last" in current.groups)) {
    told = await api.select(current.id, text).catch(() => null);
  }
  if (ids && (!told || idsText(told.ids) !== idsText(ids))) {
    text = idsText(ids.filter((id) => current.elements.some((row) => row.id === id && row.visible)));
    told = text ? await api.select(current.id, text).catch(() => null) : null;
  }
  if (doc.value?.id !== current.id) return;
  const terms: Term[] = [{ sign: "+", what: { kind: "text", text } }];
  const rows = new Set(told?.rows ?? []);
  const shown = told && shownAs(terms, regionOfRows(map, rows), rows);
  chosen.value =
    shown && told
      ? { ...shown, ids: told.ids, centre: api.centreOfSelected(told), about: told.text }
      : null;
}

export function rowsOfIds(ids: Iterable<number>): Set<number> {
  const wanted = new Set(ids);
  const rows = new Set<number>();
  doc.value?.elements.forEach((element, row) => {
    if (wanted.has(element.id)) rows.add(row);
  });
  return rows;
}

export function selectionText(): string {
  return composed(chosen.value?.terms ?? []);
}

export function forgetAll(): void {
  asked?.abort();
  chosen.value = null;
  hover.value = null;
  cursor.value = null;
}
