// A picture of a part of the screen, as SVG and as PNG: what is drawn there is read from the page, in the colours that it has
// now, and written with attributes alone. Nothing is fetched, and no style is, so that the policy of the page holds.

const SVG = 'http://www.w3.org/2000/svg';
const EDGE = 16;

/** What stands around a chart when it leaves the page. */
export interface Around {
  title: string;
  question: string;
  /** Of what it is: the period, the filters, when it was so. */
  facts: string[];
}

interface Words {
  text: string;
  x: number;
  y: number;
  width: number;
  size: number;
  weight: string;
  family: string;
  fill: string;
  opacity: number;
  /** The colour and width of what keeps the words apart from what lies below them. */
  halo: [string, number] | null;
}

export interface Picture {
  width: number;
  height: number;
  shapes: SVGSVGElement;
  words: Words[];
}

interface Paint {
  colour: string;
  alpha: number;
}

const pixel = document.createElement('canvas');
pixel.width = pixel.height = 1;
const pen = pixel.getContext('2d', { willReadFrequently: true });
const known = new Map<string, Paint>();

/** A colour of any notation, as every program reads it; null where nothing is painted. */
function paint(text: string): Paint | null {
  if (!pen || text === 'none' || text === 'transparent' || text === '') return null;
  let found = known.get(text);
  if (!found) {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0, alpha = 0] = pen.getImageData(0, 0, 1, 1).data;
    const hex = [red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('');
    found = { colour: `#${hex}`, alpha: alpha / 255 };
    known.set(text, found);
  }
  return found.alpha === 0 ? null : found;
}

function made(name: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, typeof value === 'number' ? String(Math.round(value * 100) / 100) : value);
  }
  return element;
}

/** What is set on an element of an SVG by the style sheets of the page. */
const SET = [
  'stroke-width',
  'stroke-dasharray',
  'stroke-linecap',
  'stroke-linejoin',
  'fill-opacity',
  'stroke-opacity',
  'opacity',
];
const USUAL: Record<string, string> = {
  'stroke-width': '1px',
  'stroke-dasharray': 'none',
  'stroke-linecap': 'butt',
  'stroke-linejoin': 'miter',
  'fill-opacity': '1',
  'stroke-opacity': '1',
  opacity: '1',
};
/** Of the page, and of no use in a picture. */
const LEFT = /^(class|style|role|tabindex|aria-.*|data-.*|on.*)$/;

function isHidden(element: Element, style: CSSStyleDeclaration): boolean {
  return (
    style.display === 'none' ||
    style.visibility === 'hidden' ||
    Number(style.opacity) < 0.02 ||
    // Words for whoever listens.
    style.clipPath.startsWith('inset(50%') ||
    element.matches('.tip, .no-print')
  );
}

export function pictureOf(root: HTMLElement, around: Around): Picture {
  const body = made('g', {});
  const words: Words[] = [];
  const own = getComputedStyle(root);
  const ground = paint(getComputedStyle(document.documentElement).getPropertyValue('--surface').trim()) ?? {
    colour: '#ffffff',
    alpha: 1,
  };
  // What was scrolled away is in the picture as well.
  const scrolled = [root, ...root.querySelectorAll<HTMLElement>('*')]
    .filter((element) => element.scrollTop > 0 || element.scrollLeft > 0)
    .map((element) => ({ element, top: element.scrollTop, left: element.scrollLeft }));
  for (const { element } of scrolled) element.scrollTo({ top: 0, left: 0, behavior: 'instant' });
  const from = root.getBoundingClientRect();
  let [right, bottom] = [from.width, 0];

  function reach(box: DOMRect): void {
    right = Math.max(right, box.right - from.left);
    bottom = Math.max(bottom, box.bottom - from.top);
  }
  function say(text: string, at: { x: number; y: number; width: number }, style: CSSStyleDeclaration, opacity: number) {
    const isOfSvg = style.fill !== 'rgb(0, 0, 0)' || style.strokeWidth !== '1px';
    const colour = paint(isOfSvg ? style.fill : style.color) ?? paint(style.color);
    const halo = style.paintOrder.startsWith('stroke') ? paint(style.stroke) : null;
    words.push({
      text,
      ...at,
      size: parseFloat(style.fontSize),
      weight: style.fontWeight,
      family: style.fontFamily,
      fill: colour?.colour ?? '#000000',
      opacity: opacity * (colour?.alpha ?? 1),
      halo: halo ? [halo.colour, parseFloat(style.strokeWidth)] : null,
    });
  }

  /** The words of one line each, where a text is broken into several. */
  function linesOf(node: globalThis.Text): { text: string; box: DOMRect }[] {
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 0);
    if (new Set(boxes.map((box) => Math.round(box.top))).size < 2) {
      return boxes.length === 0
        ? []
        : [{ text: node.data.replace(/\s+/g, ' ').trim(), box: range.getBoundingClientRect() }];
    }
    // Chinese has no spaces to break at: every letter is looked at.
    const lines: { text: string; box: DOMRect }[] = [];
    for (let at = 0; at < node.length; at += 1) {
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const box = range.getClientRects()[0];
      const line = lines.at(-1);
      if (!box) continue;
      if (line && Math.abs(box.top - line.box.top) < box.height / 2) {
        line.text += node.data[at] ?? '';
        line.box.width = Math.max(line.box.width, box.right - line.box.left);
      } else if (box.width > 0) {
        lines.push({ text: node.data[at] ?? '', box: DOMRect.fromRect(box) });
      }
    }
    return lines.map(({ text, box }) => ({ text: text.trimEnd(), box }));
  }

  function text(node: globalThis.Text, style: CSSStyleDeclaration, opacity: number): void {
    for (const { text, box } of linesOf(node)) {
      if (text === '') continue;
      measure(style.fontSize, style.fontWeight, style.fontFamily);
      const { fontBoundingBoxAscent: above = 0, fontBoundingBoxDescent: below = 1 } = pen?.measureText(text) ?? {};
      // What does not fit its box is cut off, as it is on the screen.
      const parent = node.parentElement?.getBoundingClientRect();
      const room = style.textOverflow === 'ellipsis' && parent ? parent.right - box.left : Infinity;
      const cut =
        box.width > room + 1
          ? `${text.slice(0, Math.max(1, Math.floor((text.length * room) / box.width) - 2))}…`
          : text;
      say(
        cut,
        {
          x: box.left - from.left,
          y: box.top - from.top + (box.height * above) / (above + below),
          width: Math.min(box.width, room),
        },
        style,
        opacity,
      );
      if (cut === text) reach(box);
    }
  }

  /** Everything within an SVG but its words, as it is. */
  function copied(element: Element, opacity: number): SVGElement | null {
    const style = getComputedStyle(element);
    if (isHidden(element, style) && !element.closest('defs')) return null;
    if (element instanceof SVGTextElement) {
      const whole = element.textContent?.trim() ?? '';
      const matrix = element.getScreenCTM();
      if (whole === '' || !matrix || element.getNumberOfChars() === 0) return null;
      const start = element.getStartPositionOfChar(0).matrixTransform(matrix);
      const shown = opacity * Number(style.opacity) * Number(style.fillOpacity);
      const at = { x: start.x - from.left, y: start.y - from.top, width: element.getComputedTextLength() * matrix.a };
      say(whole, at, style, shown);
      return null;
    }
    const copy = element.cloneNode(false) as SVGElement;
    for (const { name } of [...copy.attributes]) if (LEFT.test(name)) copy.removeAttribute(name);
    if (!/^(defs|pattern|g|svg|title)$/.test(element.tagName)) {
      for (const [name, shade] of [
        ['fill', style.fill],
        ['stroke', style.stroke],
      ] as const) {
        const pattern = /url\("?(#[^")]+)"?\)/.exec(shade)?.[1];
        const found = pattern ? null : paint(shade);
        copy.setAttribute(name, pattern ? `url(${pattern})` : (found?.colour ?? 'none'));
        if (found && found.alpha < 1) copy.setAttribute(`${name}-opacity`, found.alpha.toFixed(3));
      }
    }
    for (const name of SET) {
      const value = style.getPropertyValue(name);
      if (value && value !== USUAL[name] && !copy.hasAttribute(`${name}`)) copy.setAttribute(name, value);
    }
    for (const child of element.children) {
      const within = copied(child, opacity * Number(style.opacity));
      if (within) copy.append(within);
    }
    return copy;
  }

  function side(x1: number, y1: number, x2: number, y2: number, style: CSSStyleDeclaration, of: string, to: Element) {
    const wide = parseFloat(style.getPropertyValue(`border-${of}-width`));
    const kind = style.getPropertyValue(`border-${of}-style`);
    const colour = wide > 0 && !/none|hidden/.test(kind) ? paint(style.getPropertyValue(`border-${of}-color`)) : null;
    if (!colour) return;
    const dashes = { dashed: `${wide * 2} ${wide}`, dotted: `${wide} ${wide}` }[kind];
    const half = (of === 'top' || of === 'left' ? wide : -wide) / 2;
    const [over, down] = of === 'top' || of === 'bottom' ? [0, half] : [half, 0];
    const line = made('line', { x1: x1 + over, y1: y1 + down, x2: x2 + over, y2: y2 + down, 'stroke-width': wide });
    line.setAttribute('stroke', colour.colour);
    if (colour.alpha < 1) line.setAttribute('stroke-opacity', colour.alpha.toFixed(3));
    if (dashes) line.setAttribute('stroke-dasharray', dashes);
    to.append(line);
  }

  function walk(element: Element, opacity: number): void {
    const style = getComputedStyle(element);
    if (isHidden(element, style)) return;
    const box = element.getBoundingClientRect();
    const [x, y] = [box.left - from.left, box.top - from.top];
    const shown = opacity * Number(style.opacity);
    if (element instanceof SVGSVGElement) {
      const copy = copied(element, opacity);
      if (!copy) return;
      for (const [name, value] of Object.entries({ x, y, width: box.width, height: box.height })) {
        copy.setAttribute(name, String(value));
      }
      reach(box);
      body.append(copy);
      return;
    }
    const group = shown < 1 ? made('g', { opacity: shown.toFixed(3) }) : body;
    const back = paint(style.backgroundColor);
    if (back && element !== root && box.width > 0 && box.height > 0) {
      const rect = made('rect', { x, y, width: box.width, height: box.height, fill: back.colour });
      const round = Math.min(parseFloat(style.borderTopLeftRadius) || 0, box.width / 2, box.height / 2);
      if (round > 0) rect.setAttribute('rx', String(round));
      if (back.alpha < 1) rect.setAttribute('fill-opacity', back.alpha.toFixed(3));
      group.append(rect);
      reach(box);
    }
    const [x2, y2] = [x + box.width, y + box.height];
    side(x, y, x2, y, style, 'top', group);
    side(x, y2, x2, y2, style, 'bottom', group);
    side(x, y, x, y2, style, 'left', group);
    side(x2, y, x2, y2, style, 'right', group);
    if (group !== body) body.append(group);
    for (const child of element.childNodes) {
      if (child instanceof globalThis.Text) text(child, style, shown);
      else if (child instanceof Element) walk(child, shown);
    }
  }
  walk(root, 1);
  for (const { element, top, left } of scrolled) element.scrollTo({ top, left, behavior: 'instant' });

  // What is around it, as wide as it is.
  const width = Math.ceil(Math.max(right, 280) + EDGE * 2);
  const ink = getComputedStyle(document.body);
  const [strong, soft] = ['--ink', '--ink-3'].map((name) => paint(own.getPropertyValue(name).trim())?.colour ?? '#000');
  const around_: Words[] = [];
  function put(line: string, y: number, size: number, weight: string, fill: string): number {
    const rows = brokenAt(line, width - EDGE * 2, size, weight, ink.fontFamily);
    for (const [row, text] of rows.entries()) {
      measure(`${size}px`, weight, ink.fontFamily);
      const wide = pen?.measureText(text).width ?? 0;
      const at = { x: EDGE, y: y + size + row * size * 1.4, width: wide };
      around_.push({ text, ...at, size, weight, family: ink.fontFamily, fill, opacity: 1, halo: null });
    }
    return y + rows.length * size * 1.4;
  }
  let y = put(around.title, EDGE, 15, '600', strong ?? '');
  y = put(around.question, y + 2, 12, '400', soft ?? '') + 8;
  body.setAttribute('transform', `translate(${EDGE} ${Math.round(y)})`);
  for (const one of words) {
    one.x += EDGE;
    one.y += Math.round(y);
  }
  const end = put([...around.facts, 'Recurve'].join(' · '), y + bottom + 12, 11, '400', soft ?? '');
  const height = Math.ceil(end + EDGE - 4);
  const shapes = made('svg', { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` }) as SVGSVGElement;
  shapes.append(made('rect', { width, height, fill: ground.colour }), body);
  return { width, height, shapes, words: [...around_, ...words] };
}

function measure(size: string, weight: string, family: string): void {
  if (pen) pen.font = `${weight} ${size} ${family}`;
}

/** A text in lines that are no wider than there is room. */
function brokenAt(text: string, room: number, size: number, weight: string, family: string): string[] {
  measure(`${size}px`, weight, family);
  const lines: string[] = [];
  let line = '';
  // Between words, and between the letters of Chinese.
  for (const piece of text.match(/[\u2e80-\uffff]|[^\s\u2e80-\uffff]+\s*|\s+/g) ?? []) {
    if (line && (pen?.measureText((line + piece).trimEnd()).width ?? 0) > room) {
      lines.push(line.trimEnd());
      line = '';
    }
    line += piece;
  }
  return [...lines, line.trimEnd()];
}

/** The picture as a file of its own. Words are as wide as on the screen, whichever fonts the reader has. */
export function svgOf({ shapes, words }: Picture): string {
  const whole = shapes.cloneNode(true) as SVGSVGElement;
  for (const one of words) {
    const text = made('text', {
      x: one.x,
      y: one.y,
      'font-size': one.size,
      'font-weight': one.weight,
      'font-family': one.family.replaceAll('"', "'"),
      fill: one.fill,
    });
    if (one.opacity < 1) text.setAttribute('fill-opacity', one.opacity.toFixed(3));
    if (one.width > 0) text.setAttribute('textLength', one.width.toFixed(2));
    if (one.halo) {
      const [colour, wide] = one.halo;
      for (const [name, value] of Object.entries({ stroke: colour, 'stroke-width': String(wide) })) {
        text.setAttribute(name, value);
      }
      text.setAttribute('paint-order', 'stroke');
      text.setAttribute('stroke-linejoin', 'round');
    }
    text.textContent = one.text;
    whole.append(text);
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(whole)}\n`;
}

/** The most pixels of a PNG; what is larger is drawn less finely. */
const MOST = 40e6;

/** The picture in pixels, twice as fine as the screen, its words in the fonts of the page. */
export async function pngOf({ width, height, shapes, words }: Picture): Promise<Blob> {
  const times = Math.max(1, Math.min(2, Math.sqrt(MOST / (width * height))));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(shapes))}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * times);
  canvas.height = Math.round(height * times);
  const brush = canvas.getContext('2d');
  if (!brush) throw new Error('no canvas');
  brush.drawImage(image, 0, 0, canvas.width, canvas.height);
  for (const one of words) {
    brush.font = `${one.weight} ${one.size}px ${one.family}`;
    brush.letterSpacing = '0px';
    // Digits that are all as wide as each other are so on the page alone: the room between them makes up for it.
    const spare = one.width > 0 ? (one.width - brush.measureText(one.text).width) / one.text.length : 0;
    brush.letterSpacing = `${spare.toFixed(3)}px`;
    brush.setTransform(times, 0, 0, times, one.x * times, one.y * times);
    if (one.halo) {
      const [colour, wide] = one.halo;
      brush.strokeStyle = colour;
      brush.lineWidth = wide;
      brush.lineJoin = 'round';
      brush.strokeText(one.text, 0, 0);
    }
    brush.globalAlpha = one.opacity;
    brush.fillStyle = one.fill;
    brush.fillText(one.text, 0, 0);
    brush.globalAlpha = 1;
  }
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no picture'))), 'image/png'),
  );
}
