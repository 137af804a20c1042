// @ts-check
/** docs/operators.md, generated from the operator table. */

/** @typedef {import('../src/ops/index.ts').Operator} Operator */

/** Text of a table cell: `|` ends a cell, and a line ends a row. @param {string} text */
const cell = (text) => text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ');

/** @param {object} rule `yes`, or why the rule is missing. */
const support = (rule) => ('unsupported' in rule ? `no: ${cell(String(rule.unsupported))}` : 'yes');

/**
 * The page as Markdown: one row per operator, sorted by domain and name.
 * @param {readonly Operator[]} operators
 */
export function operatorTable(operators) {
  /** @param {Operator} operator */
  const domain = (operator) => (operator.domain === '' ? 'ai.onnx' : operator.domain);
  // Plain comparison: the order must not depend on the machine's language.
  /** @param {string} a @param {string} b */
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const sorted = [...operators].sort(
    (a, b) => compare(domain(a), domain(b)) || compare(a.opType, b.opType) || a.opsets[0] - b.opsets[0],
  );
  const rows = sorted.map((operator) => {
    const [first, last] = operator.opsets;
    const opsets = first === last ? `${first}` : `${first}-${last}`;
    const rules = [operator.cost, operator.grad, operator.channels].map(support);
    return `| ${[operator.opType, domain(operator), opsets, 'yes', ...rules, cell(operator.summary)].join(' | ')} |`;
  });
  return `# Operators

This page is generated from the operator table (\`src/ops\`) by \`npm run docs\`.

- **infer**: shapes and dtypes of the outputs follow from those of the inputs.
- **cost**: multiply-accumulates are counted.
- **grad**: the gradient can be built as graph nodes.
- **channels**: structural pruning knows how the channels of inputs, weights and outputs are tied.

An operator that is not listed is read, kept and written like any other; what would need a rule for it says so in an error or in its report.

${operators.length} operators.

| operator | domain | opsets | infer | cost | grad | channels | summary |
| --- | --- | --- | --- | --- | --- | --- | --- |
${rows.map((row) => `${row}\n`).join('')}`;
}
