const shortest = 6;

/** Replaces known secrets in every form they could leak in: plain, URL-encoded, escaped in
 * JSON, hexadecimal and base64 (with any neighbour). */
export class Redactor {
  /** Longest first: a secret may hold another one, of which the rest would stay. */
  private needles: string[] = [];

  constructor(secrets: string[] = []) {
    for (const secret of secrets) this.add(secret);
  }

  /** Registers a secret; values under six characters are too common to replace and are left alone. */
  add(secret: string): void {
    const value = secret.trim();
    if (value.length < shortest) return;
    const hex = Buffer.from(value).toString('hex');
    const inJson = JSON.stringify(value).slice(1, -1);
    const forms = [value, encodeURIComponent(value), inJson, hex, hex.toUpperCase()];
    // The base64 of a longer text holds the secret's own base64 at one of three alignments; the first and last groups
    // mix with the neighbours, so only the part in between is constant.
    for (const lead of [0, 1, 2]) {
      const encoded = Buffer.from('\0'.repeat(lead) + value).toString('base64');
      const inner = encoded.slice(lead === 0 ? 0 : 4, Math.floor(((lead + value.length) * 8) / 24) * 4);
      if (inner.length >= shortest) {
        forms.push(inner, inner.replaceAll('+', '-').replaceAll('/', '_'));
      }
    }
    this.needles = [...new Set([...this.needles, ...forms])].sort((a, b) => b.length - a.length);
  }

  redact(text: string): string {
    let clean = text;
    for (const needle of this.needles) if (clean.includes(needle)) clean = clean.replaceAll(needle, '[redacted]');
    return clean;
  }
}
