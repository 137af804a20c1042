import { readFileSync } from 'node:fs';
import { it } from 'vitest';
import { parseOnnx } from '../io/index.ts';
import { inferShapes, findOperator } from '../ops/index.ts';
import { rebatch } from './rebatch.ts';
it('x', () => {
const g = parseOnnx(readFileSync('/work/shared/models/vit_mini.onnx'));
const inf = inferShapes(g);
let s = '';
for (const n of g.nodes) s += [n.opType, n.name, n.inputs.map(v => v ? v.name + (inf.get(v)?.shape ? '[' + inf.get(v)!.shape + ']' : '?') + (inf.get(v)?.known ? '=' + inf.get(v)!.known : '') : null).join(' '), '->', n.outputs.map(v => v && '[' + inf.get(v)?.shape + ']').join()].join(' ') + '\n';
console.log(s);
try { const r = rebatch(g, 1); console.log(r ? 'ok' : 'null'); } catch (e) { console.log(e); }
});
