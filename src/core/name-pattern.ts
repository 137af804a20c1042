/**
 * A pattern over dotted names as a regular expression: `*` stands for any characters, `?` for one. The text must match the whole name; with `within`, a whole name or that of what it stands in (`model.24` means `model.24.m.0`, too).
 */
export function namePattern(pattern: string, options: { readonly within?: boolean } = {}): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}${options.within ? '(?:\\..*)?' : ''}$`, 's');
}
