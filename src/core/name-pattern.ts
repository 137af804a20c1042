/**
 * A pattern over dotted names as a regular expression: `*` stands for any characters, `?` for one, `[0-4]` and `[abc]` for one of these. The text must match the whole name; with `within`, a whole name or that of what it stands in (`model.24` means `model.24.m.0`, too).
 */
export function namePattern(pattern: string, options: { readonly within?: boolean } = {}): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    // Brackets around anything else, such as a range that goes backwards, are brackets.
    .replace(/\\\[((?:\w-\w|\w)+)\\\]/g, (text, inner: string) =>
      (inner.match(/\w-\w/g) ?? []).every(([from, , to]) => from! <= to!) ? `[${inner}]` : text,
    )
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}${options.within ? '(?:\\..*)?' : ''}$`, 's');
}
