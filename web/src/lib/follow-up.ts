// Whose follow-up is opened: `who=care:c00000133`.
export function writtenCare(customer: string): string {
  return `care:${customer}`;
}

export function readCare(text: string): string | null {
  return /^care:(.+)$/s.exec(text)?.[1] ?? null;
}
