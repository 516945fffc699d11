// Every page, for tests and screenshots.
export const PAGES = [
  ['overview', '/'],
  ['today', '/today'],
  ['week', '/week'],
  ['month', '/month/2026-09'],
  ['movements', '/mrr'],
  ['revenue', '/revenue'],
  ['retention', '/retention'],
  ['customers', '/customers'],
  ['customer', '/customers/c00000133'],
  ['health', '/health'],
  ['funnel', '/funnel'],
  ['unit', '/unit'],
  ['prices', '/prices'],
  ['levers', '/levers'],
  ['service', '/service'],
  ['forecast', '/forecast'],
  ['goals', '/goals'],
  ['runway', '/runway'],
  ['alerts', '/alerts'],
  ['metrics', '/dictionary?id=nrr'],
  ['data', '/data'],
  ['settings', '/settings'],
  ['drawer', '/?drill=mrr_churned:2026-09-01:month'],
];

export function at(path, parameters) {
  const url = new URL(path, 'http://app');
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.pathname + url.search;
}
