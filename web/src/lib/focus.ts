/** Keeps Tab within what lies over the page: behind its last stop comes its first, and before the first the last. */
export function keepTab(event: KeyboardEvent, within: HTMLElement | undefined): void {
  if (event.key !== 'Tab' || !within) return;
  const stops = [
    ...within.querySelectorAll<HTMLElement>('a[href], button:not([disabled]), input, select, textarea'),
  ].filter((stop) => stop.tabIndex >= 0);
  const first = stops[0];
  const last = stops.at(-1);
  if (event.shiftKey && (document.activeElement === first || document.activeElement === within)) last?.focus();
  else if (!event.shiftKey && document.activeElement === last) first?.focus();
  else return;
  event.preventDefault();
}
