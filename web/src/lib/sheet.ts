// The table that a chart is the picture of. What is shown as a chart, as a table and as CSV comes out of one sheet.

export interface Column {
  label: string;
  /** The unit of its numbers: percent, count, USD, …; text where there is none, name where it tells who it is. */
  unit?: string;
}

export interface Sheet {
  columns: Column[];
  /** Exact values as they came; null is undefined. */
  rows: (string | null)[][];
}

/** Whether a column has numbers, of a unit. */
export function hasUnit(unit: string | undefined): boolean {
  return unit !== undefined && unit !== 'text' && unit !== 'name';
}

function field(value: string | null): string {
  const text = value ?? '';
  // A text that a spreadsheet would run as a formula is kept a text.
  const safe = /^[=+@\t\r]|^-(?![\d.])/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** RFC 4180, with lines at the head that say what it is. */
export function csv(sheet: Sheet, head: readonly [string, string][]): string {
  const width = Math.max(2, sheet.columns.length);
  const padded = (cells: string[]) => [...cells, ...Array<string>(Math.max(0, width - cells.length)).fill('')];
  const lines = [
    ...head.map(([name, value]) => padded([`# ${name}`, field(value)]).join(',')),
    sheet.columns.map(({ label, unit }) => field(hasUnit(unit) ? `${label} (${unit})` : label)).join(','),
    ...sheet.rows.map((row) => row.map(field).join(',')),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

export function download(name: string, type: string, content: BlobPart): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
