/** What a click on each element takes, as bits from the server, so that hovering asks nobody. */

export const EXTENTS = ["part", "object", "whole"] as const;
export type Extent = (typeof EXTENTS)[number];

export class Objects {
  private readonly stride: number; // bytes of a row of bits

  /** @param bits (count, 3, ceil(count / 8)) bytes, the highest bit first (numpy.packbits). */
  constructor(
    readonly count: number,
    private readonly bits: Uint8Array,
  ) {
    this.stride = Math.ceil(count / 8);
    if (bits.length !== 3 * count * this.stride) {
      throw new Error(`the objects of ${count} elements have ${bits.length} bytes`);
    }
  }

  /** The rows that `object@` at a place on this row takes. */
  of(row: number, extent: Extent): Set<number> {
    const rows = new Set<number>();
    const start = (3 * row + EXTENTS.indexOf(extent)) * this.stride;
    for (let index = 0; index < this.count; index++) {
      if (this.bits[start + (index >> 3)]! & (128 >> (index & 7))) rows.add(index);
    }
    return rows;
  }
}
