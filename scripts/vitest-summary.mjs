// @ts-check
/**
 * A vitest reporter for `npm test`: counts tests and gathers why some were skipped, into the JSON file that TEST_SUMMARY names.
 * A file that cannot be loaded, a hook that throws and an error outside of any test count as one failure each.
 *
 * @typedef {{ passed: number, failed: number, skipped: { name: string, reason: string | null }[] }} Summary
 */
import { writeFileSync } from 'node:fs';

export default class SummaryReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    /** @type {Summary} */
    const summary = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      summary.failed += module.errors().length;
      for (const suite of module.children.allSuites()) summary.failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') summary.passed++;
        else if (result.state === 'skipped') {
          summary.skipped.push({
            name: `${module.relativeModuleId} > ${test.fullName}`,
            reason: result.note ?? null,
          });
        } else summary.failed++;
      }
    }
    const path = process.env.TEST_SUMMARY;
    if (path !== undefined) writeFileSync(path, JSON.stringify(summary));
  }
}
