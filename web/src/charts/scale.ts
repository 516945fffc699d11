// What the charts have in common: how far an axis goes.
import { scaleLinear } from 'd3-scale';

/** From the least to the greatest, with zero where a chart stands on it, rounded to whole steps. */
export function extent(values: readonly (number | null | undefined)[], withZero: boolean): [number, number] {
  const numbers = values.filter((value): value is number => typeof value === 'number' && Number.isFinite(value));
  if (numbers.length === 0) return [0, 1];
  let low = Math.min(...numbers);
  let high = Math.max(...numbers);
  if (withZero) {
    low = Math.min(0, low);
    high = Math.max(0, high);
  }
  if (low === high) {
    const room = Math.abs(low) * 0.1 || 1;
    return withZero && low >= 0 ? [low === 0 ? 0 : low - room, high + room] : [low - room, high + room];
  }
  const [first = low, last = high] = scaleLinear().domain([low, high]).nice(5).domain();
  return [first, last];
}

export interface Mark {
  /** At which period. */
  index: number;
  words: string;
}

export interface TipRow {
  name: string;
  value: string;
  tone?: string;
  line?: boolean;
}

/** Where things are on a plot. */
export interface Frame {
  x: (index: number) => number;
  y: (value: number) => number;
  step: number;
  band: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
  active: number;
  width: number;
}
