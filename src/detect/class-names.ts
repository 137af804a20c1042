/**
 * Names of classes as Ultralytics writes them into ONNX metadata: Python's or JSON's text of a list `['person', 'car']` or a map `{0: 'person', 1: 'car'}`. Classes that a map leaves out are called `class 3`.
 * Null where the text is neither.
 */
export function parseClassNames(text: string): readonly string[] | null {
  const tokens = tokensOf(text.trim());
  if (tokens === null) return null;
  const open = tokens.shift();
  const close = tokens.pop();
  const isMap = open === '{' && close === '}';
  if (!isMap && !(open === '[' && close === ']') && !(open === '(' && close === ')')) return null;
  // A comma may follow the last entry.
  if (tokens.at(-1) === ',') tokens.pop();
  const names = new Map<number, string>();
  for (let at = 0; at < tokens.length; ) {
    if (at > 0 && tokens[at++] !== ',') return null;
    let label = names.size;
    if (isMap) {
      const key = tokens[at++];
      label = Number(typeof key === 'object' ? key.text : key);
      if (tokens[at++] !== ':' || !Number.isInteger(label) || label < 0 || label > MOST) return null;
    }
    const name = tokens[at++];
    if (typeof name !== 'object') return null;
    names.set(label, name.text);
  }
  if (names.size === 0) return null;
  return Array.from(
    { length: Math.max(...names.keys()) + 1 },
    (_, label) => names.get(label) ?? `class ${label}`,
  );
}

/** Names of classes as Ultralytics writes them into ONNX metadata, Python's text of a map: `{0: 'person', 1: "driver's car"}`. `parseClassNames` reads it. */
export function printClassNames(names: readonly string[]): string {
  const quoted = (name: string): string => {
    // Python takes double quotes where that saves escapes.
    const quote = name.includes("'") && !name.includes('"') ? '"' : "'";
    const escaped = name.replace(/[\\\n\r\t]/g, (sign) => PRINTED.get(sign)!);
    return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
  };
  return `{${names.map((name, label) => `${label}: ${quoted(name)}`).join(', ')}}`;
}

const PRINTED = new Map([
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** Names of classes as checkpoints and data files hold them: a list, or a map from numbers. Null for anything else. */
export function classNamesOf(value: unknown): readonly string[] | null {
  if (typeof value !== 'object' || value === null) return null;
  const entries = Object.entries(value);
  const isNames = entries.every(([key, name]) => typeof name === 'string' && /^\d{1,6}$/.test(key));
  return entries.length > 0 && isNames ? parseClassNames(JSON.stringify(value)) : null;
}

/** Labels beyond are no labels: a map could ask for any amount of memory. */
const MOST = 100_000;

/** Quoted text, apart from signs and numbers. */
interface Quoted {
  readonly text: string;
}

const TOKEN = /\s*(?:([[\](){},:])|(\d+)|u?'((?:[^'\\]|\\.)*)'|u?"((?:[^"\\]|\\.)*)")\s*/sy;

function tokensOf(text: string): (string | Quoted)[] | null {
  const tokens: (string | Quoted)[] = [];
  const token = new RegExp(TOKEN);
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match === null) return null;
    const [, sign, digits, single, double] = match;
    const quoted = single ?? double;
    tokens.push(quoted === undefined ? (sign ?? digits!) : { text: unescaped(quoted) });
  }
  return tokens;
}

const ESCAPES = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['b', '\b'],
  ['f', '\f'],
]);

/** Escapes of Python's and JSON's strings. */
const unescaped = (text: string): string =>
  text.replace(
    /\\(?:x([\da-f]{2})|u([\da-f]{4})|(.))/gis,
    (_, byte?: string, unit?: string, other?: string) =>
      other === undefined
        ? String.fromCharCode(Number.parseInt(byte ?? unit!, 16))
        : (ESCAPES.get(other) ?? other),
  );
