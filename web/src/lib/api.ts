// Asking the server. An answer that has not changed is not sent again: its ETag is kept with it.

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly help: string | null,
  ) {
    super(message);
  }
}

type Value = string | number | boolean | null | undefined;
export type Query = Record<string, Value | readonly string[]>;

/** A question: its address is its name, and `Answer` what comes back. */
export interface Question<Answer> {
  readonly address: string;
  readonly read: (body: unknown) => Answer;
}

export function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const one of value as readonly string[]) search.append(name, one);
    else if (value !== null && value !== undefined && value !== '') search.append(name, String(value));
  }
  const text = search.toString();
  return `/api/v1${path}${text ? `?${text}` : ''}`;
}

const KEPT = 200;
const answers = new Map<string, { tag: string; body: unknown }>();
const asked = new Map<string, Promise<unknown>>();

async function refusal(response: Response): Promise<Refusal> {
  try {
    const { error } = (await response.json()) as { error: { code?: string; message?: string; help?: string } };
    return new Refusal(response.status, error.code ?? '', error.message ?? response.statusText, error.help ?? null);
  } catch {
    return new Refusal(response.status, '', response.statusText || String(response.status), null);
  }
}

/** What is refused is said in the language of the page. */
const spoken = () => ({ accept: 'application/json', 'accept-language': document.documentElement.lang || 'en' });

/** How often an answer that is still being worked out is asked for again. */
const PATIENCE = 40;

async function fetched(where: string, turn = 0): Promise<unknown> {
  const known = answers.get(where);
  const response = await fetch(where, {
    headers: { ...spoken(), ...(known ? { 'if-none-match': known.tag } : {}) },
    cache: 'no-store',
  });
  if (response.status === 304 && known) return known.body;
  const wait = Number(response.headers.get('retry-after'));
  if (response.status === 503 && wait > 0 && turn < PATIENCE) {
    await response.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, Math.min(wait, 5) * 1000));
    return fetched(where, turn + 1);
  }
  if (!response.ok) throw await refusal(response);
  const body: unknown = await response.json();
  const tag = response.headers.get('etag');
  if (tag) {
    answers.delete(where);
    answers.set(where, { tag, body });
    if (answers.size > KEPT) answers.delete(answers.keys().next().value as string);
  }
  return body;
}

/** Two who ask the same at the same time share one request. */
export function ask<Answer>(question: Question<Answer>): Promise<Answer> {
  let answer = asked.get(question.address);
  if (!answer) {
    answer = fetched(question.address).finally(() => asked.delete(question.address));
    asked.set(question.address, answer);
  }
  return answer.then(question.read);
}

export async function send(method: 'POST' | 'DELETE' | 'PUT', path: string, body?: unknown): Promise<unknown> {
  const form = body instanceof FormData;
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers: {
      ...spoken(),
      ...(form || body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : form ? body : JSON.stringify(body),
  });
  if (!response.ok) throw await refusal(response);
  const text = await response.text();
  return text ? (JSON.parse(text) as unknown) : null;
}
