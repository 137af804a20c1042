/** A setting that two runs do not share, as JSON. */
export interface SettingDifference {
  readonly name: string;
  readonly before: string;
  readonly now: string;
}

/** The first setting that differs between a run and the one it would go on with; null where none does. What is left out counts as null. */
export function firstDifference(
  before: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): SettingDifference | null {
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [was, is] = [before[name] ?? null, now[name] ?? null].map((value) => JSON.stringify(value)!);
    if (was !== is) return { name, before: was!, now: is! };
  }
  return null;
}
