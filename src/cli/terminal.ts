/** Columns that text may take: what COLUMNS says, else the terminal's, else `otherwise`. */
export function terminalWidth(otherwise: number): number {
  const told = Number(process.env.COLUMNS);
  if (Number.isSafeInteger(told) && told > 0) return told;
  return (process.stdout.isTTY && process.stdout.columns) || otherwise;
}
