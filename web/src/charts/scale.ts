// What the charts have in common: how far an axis goes.
import { scaleLinear } from 'd3-scale';

/** Steps of an axis of time are whole minutes, hours or days, not seconds by tens. */
function stepOf(unit: string, high: number): number {
  if (unit !== 'duration') return 1;
  return high < 5400 ? 60 : high < 4 * 86_400 ? 3600 : 86_400;
}

/** The values that stand on an axis. */
export function ticksOf([low, high]: [number, number], unit: string, count: number): number[] {
  const step = stepOf(unit, high);
  return scaleLinear()
    .domain([low / step, high / step])
    .ticks(count)
    .map((value) => value * step);
}

/** From the least to the greatest, with zero where a chart stands on it, rounded to whole steps. */
export function extent(
  values: readonly (number | null | undefined)[],
  withZero: boolean,
  unit = 'count',
): [number, number] {
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
  const step = stepOf(unit, high);
  const [first = low, last = high] = scaleLinear()
    .domain([low / step, high / step])
    .nice(5)
    .domain()
    .map((value) => value * step);
  return [first, last];
}

/** About how many pixels a text of an axis takes: a Chinese character is as wide as two digits. */
export function widthOf(text: string): number {
  return [...text].reduce((sum, letter) => sum + (letter >= '\u2e80' ? 11.5 : /[A-Z$%]/.test(letter) ? 7.4 : 6.2), 0);
}

export interface Mark {
  /** At which period. */
  index: number;
  words: string;
  /** How many notes it stands for; one unless it is said. */
  count?: number;
  /** Opens what it marks; without it a mark is only seen. */
  open?: () => void;
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
