/** Edits of single characters that turn one text into the other (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The name that `text` was probably meant to be: at most a third of it is different. Null where there is none. */
export function nearest(text: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.floor(text.length / 3);
  for (const name of names) {
    const edits = distance(text, name);
    if (edits > least || (best !== null && edits === least)) continue;
    best = name;
    least = edits;
  }
  return best;
}
