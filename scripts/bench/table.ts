/** A row of measured figures by their column; what wasn't measured is left out. */
export type Row = Readonly<Record<string, number | undefined>>;

export interface Column {
  /** The key in the rows. */
  key: string;
  title: string;
  /** Whether its growth says anything: a size has none of its own. */
  grows?: boolean;
}

/** 0.123, 1.23, 12.3, 123, 12,345. */
export function figureText(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * The power of its size that a figure grows with, by least squares over the logarithms: 0 stands still, 1 is linear, 2
 * is quadratic. Undefined of fewer than two positive figures.
 */
export function growth(
  sizes: readonly number[],
  figures: readonly (number | undefined)[],
): number | undefined {
  const points = sizes.flatMap((size, place) => {
    const figure = figures[place];
    return figure !== undefined && figure > 0 && size > 0
      ? [[Math.log(size), Math.log(figure)] as const]
      : [];
  });
  if (points.length < 2) return undefined;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const below = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return below === 0 ? undefined : above / below;
}

/** Lines of a table: a head, the rows, and the shape of each column's growth with the first one. */
export function tableOf(columns: readonly Column[], rows: readonly Row[]): string[] {
  const [size] = columns;
  if (size === undefined) return [];
  const sizes = rows.map((row) => row[size.key] ?? 0);
  const shapes = columns.map(({ key, grows = true }, place) => {
    if (place === 0) return 'growth';
    const power = grows
      ? growth(
          sizes,
          rows.map((row) => row[key]),
        )
      : undefined;
    return power === undefined ? '' : `n^${(Math.abs(power) < 0.005 ? 0 : power).toFixed(2)}`;
  });
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ key }) => figureText(row[key]))),
    shapes,
  ];
  const widths = columns.map((_, place) => Math.max(...cells.map((line) => line[place]?.length ?? 0)));
  return cells.map((line) => line.map((cell, place) => cell.padStart(widths[place] ?? 0)).join('  '));
}
