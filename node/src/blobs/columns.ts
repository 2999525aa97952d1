/** Rows of one page, of a table and of its columns: 128 KiB of hashes, so that both grow without copying what they have. */
export const PAGE_ROWS = 4_096;
/** Stands for no number in a page of short ones; what is as far from the page's base is none of these. */
const NONE = 0xffff_ffff;
/** What a short page covers on either side of the first number of its kind: sizes up to 4 GiB, 24 days of milliseconds. */
const HALF = 2 ** 31;

/** Whole numbers as their distance from a base, four bytes each. */
interface ShortPage {
  readonly base: number;
  readonly offsets: Uint32Array;
}

/**
 * A column of one number for each row, NaN where there is none, in pages as the rows are. Numbers of a page are mostly
 * alike, sizes or times of files that came together, and take four bytes each; a page with others takes eight.
 */
export class Column {
  readonly #pages: (ShortPage | Float64Array | undefined)[] = [];

  get(row: number): number {
    const page = this.#pages[Math.floor(row / PAGE_ROWS)];
    if (page === undefined) return Number.NaN;
    if (page instanceof Float64Array) return page[row % PAGE_ROWS] as number;
    const offset = page.offsets[row % PAGE_ROWS] as number;
    return offset === NONE ? Number.NaN : page.base + offset;
  }

  set(row: number, value: number): void {
    const number = Math.floor(row / PAGE_ROWS);
    const page = this.#pages[number] ?? shortPage(value);
    this.#pages[number] = page;
    if (page instanceof Float64Array) page[row % PAGE_ROWS] = value;
    else if (isShort(value, page.base)) page.offsets[row % PAGE_ROWS] = value - page.base;
    else {
      const long = longPage(page);
      long[row % PAGE_ROWS] = value;
      this.#pages[number] = long;
    }
  }

  /** Of a row that was given back: no number any more. */
  clear(row: number): void {
    const page = this.#pages[Math.floor(row / PAGE_ROWS)];
    if (page instanceof Float64Array) page[row % PAGE_ROWS] = Number.NaN;
    else if (page !== undefined) page.offsets[row % PAGE_ROWS] = NONE;
  }

  /** A millisecond for a million rows. */
  has(value: number): boolean {
    return this.#pages.some((page) => {
      if (page === undefined) return false;
      if (page instanceof Float64Array) return page.includes(value);
      return isShort(value, page.base) && page.offsets.includes(value - page.base);
    });
  }
}

const isShort = (value: number, base: number): boolean =>
  Number.isInteger(value) && value >= base && value - base < NONE;

const shortPage = (first: number): ShortPage => ({
  base: Math.max(0, Math.floor(first) - HALF),
  offsets: new Uint32Array(PAGE_ROWS).fill(NONE),
});

const longPage = ({ base, offsets }: ShortPage): Float64Array =>
  Float64Array.from(offsets, (offset) => (offset === NONE ? Number.NaN : base + offset));

/**
 * A column of small numbers that are mostly the same all over a page, which is that one number then. A row that none was
 * set of has any.
 */
export class SteadyColumn {
  readonly #pages: (number | Uint32Array | undefined)[] = [];

  get(row: number): number {
    const page = this.#pages[Math.floor(row / PAGE_ROWS)];
    return typeof page === 'object' ? (page[row % PAGE_ROWS] as number) : (page ?? 0);
  }

  set(row: number, value: number): void {
    const number = Math.floor(row / PAGE_ROWS);
    const page = (this.#pages[number] ??= value);
    if (page === value) return;
    const rows = typeof page === 'object' ? page : new Uint32Array(PAGE_ROWS).fill(page);
    rows[row % PAGE_ROWS] = value;
    this.#pages[number] = rows;
  }
}
