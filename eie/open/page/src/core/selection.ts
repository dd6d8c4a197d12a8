/** What is selected, as the text that commands take: `object@300,200+object@340,260-33`. */

import { type Box, type Point, decimal } from "./geometry";
import type { Extent } from "./objects";

export type Sign = "+" | "-";

export type What =
  | { readonly kind: "object"; readonly at: Point; readonly extent: Extent }
  | { readonly kind: "text"; readonly text: string };

export interface Term {
  readonly sign: Sign;
  readonly what: What;
}

export type Mode = "new" | "add" | "remove";

/** The terms after one more. Taking away from nothing leaves nothing. */
export function withTerm(terms: readonly Term[], mode: Mode, what: What): readonly Term[] {
  if (mode === "new") return [{ sign: "+", what }];
  if (mode === "remove") return terms.length ? [...terms, { sign: "-", what }] : [];
  return [...terms, { sign: "+", what }];
}

/** The terms with the last object clicked taken otherwise; the same if there is none. */
export function withExtent(terms: readonly Term[], extent: Extent): readonly Term[] {
  const last = terms.findLastIndex((term) => term.what.kind === "object");
  return terms.map((term, index) =>
    index === last && term.what.kind === "object"
      ? { ...term, what: { ...term.what, extent } }
      : term,
  );
}

/** The text of a selection. A single click takes what the page has shown under the pointer, which is
 *  what the element there stands for by itself; several correct each other. */
export function composed(terms: readonly Term[]): string {
  let text = "";
  for (const { sign, what } of terms) {
    const next = textOf(what, terms.length === 1);
    if (!text) text = next;
    // Between two numbers a minus without blanks is a range.
    else if (sign === "-" && /\d$/.test(text) && /^\d/.test(next)) text += ` - ${next}`;
    else text += sign + next;
  }
  return text;
}

function textOf(what: What, alone: boolean): string {
  if (what.kind === "text") return what.text;
  const place = `object@${decimal(what.at.x, 1)},${decimal(what.at.y, 1)}`;
  return what.extent === "object" && !alone ? place : `${place}:${what.extent}`;
}

export function boxText(kind: "object@" | "box:", box: Box): string {
  return kind + [box.x0, box.y0, box.x1, box.y1].map((side) => decimal(side, 0)).join(",");
}

/** Ids as they are typed: `3,7,20-25`. */
export function idsText(ids: Iterable<number>): string {
  const sorted = [...new Set(ids)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let index = 0; index < sorted.length; ) {
    let end = index;
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end]! + 1) end++;
    if (end - index >= 2) {
      parts.push(`${sorted[index]}-${sorted[end]}`);
      index = end + 1;
    } else {
      parts.push(String(sorted[index]));
      index++;
    }
  }
  return parts.join(",");
}

/** A group's name in a selection: in quotes unless it ends where selections look for its end. */
export function groupText(name: string): string {
  return `group:${/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name) ? name : JSON.stringify(name)}`;
}
