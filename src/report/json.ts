import { ArgumentError } from '../core/errors.ts';
import { checkReport } from './check.ts';
import type { RunReport } from './report.ts';

/**
 * A report as compact JSON with its keys in a fixed order, so that the same report always gives the same text. NaN and infinities are written as null where a value may be missing. Throws ArgumentError naming the path of what does not belong.
 */
export const reportJson = (report: RunReport): string => JSON.stringify(checkReport(report, 'reportJson'));

/**
 * Reads a report that `reportJson` wrote, or that stands in a page's `<script id="report">`. Throws ArgumentError where the text is no JSON, and
 * naming the path of what is wrong where it is no report.
 */
export function parseReport(json: string): RunReport {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError(`parseReport: expected the JSON of a report (${reason})`, { cause: error });
  }
  return checkReport(value, 'parseReport');
}
