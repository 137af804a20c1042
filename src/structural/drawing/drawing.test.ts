import { describe, expect, it } from 'vitest';
import { Tensor } from '../../core/tensor.ts';
import { attr, type Graph, type Value } from '../../ir/index.ts';
import { resnet } from '../../models/index.ts';
import { trace } from '../../nn/index.ts';
import { GraphBuilder, inferShapes } from '../../ops/index.ts';
import { analyzeChannels } from '../analyze.ts';
import { groupChannels } from '../group-channels.ts';
import { boxesOf } from './boxes.ts';
import { drawGroups } from './draw.ts';
import { COLOR_COUNT, colored } from './palette.ts';
import { escapeXml, fitted, textWidth, wrapped } from './text.ts';

function conv(builder: GraphBuilder, x: Value, name: string, out: number, channels: number): Value {
  const weight = builder.constant(Tensor.full([out, channels, 1, 1], 0.5), `${name}.weight`);
  return builder.op('Conv', [x, weight], { name: `/${name}/Conv` });
}

/** x -> stem -> SiLU -> (a -> Relu, b) -> Concat -> head -> y */
function network(stem = 'stem'): Graph {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', [1, 3, 4, 4]);
  const made = conv(builder, x, stem, 8, 3);
  const silu = builder.op('Mul', [made, builder.op('Sigmoid', [made])]);
  const a = builder.op('Relu', [conv(builder, silu, 'a', 4, 8)]);
  const b = conv(builder, silu, 'b', 6, 8);
  const joined = builder.op('Concat', [a, b], { attributes: { axis: attr.int(1) } });
  builder.output(conv(builder, joined, 'head', 2, 10), 'y');
  return builder.graph;
}

const boxes = (graph: Graph): string[] => {
  const { boxes: found, wires } = boxesOf(graph, inferShapes(graph));
  const name = (end: (typeof wires)[number]['from']): string =>
    'kind' in end ? String(found.indexOf(end)) : end.name;
  return [
    ...found.map(({ kind, nodes }) => `${kind} ${nodes.map(({ opType }) => opType).join(' ')}`),
    ...wires.map(({ from, to }) => `${name(from)} > ${name(to)}`),
  ];
};

const draw = (graph: Graph): Promise<string> => drawGroups(groupChannels(analyzeChannels(graph)));

describe('boxesOf', () => {
  it('puts operators that one value enters and leaves into the box before them', () => {
    expect(boxes(network())).toEqual([
      'layer Conv Sigmoid Mul',
      'layer Conv Relu',
      'layer Conv',
      'operators Concat',
      'layer Conv',
      ...['x > 0', '0 > 1', '0 > 2', '1 > 3', '2 > 3', '3 > 4', '4 > y'],
    ]);
  });

  it('leaves apart what others read in between, and what has several sources', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 4, 2, 2]);
    const made = conv(builder, x, 'a', 4, 4);
    const relu = builder.op('Relu', [made]);
    builder.output(builder.op('Abs', [builder.op('Add', [relu, made])]), 'y');
    builder.output(builder.op('Neg', [made]), 'z');
    expect(boxes(builder.graph).filter((line) => !line.includes('>'))).toEqual([
      'layer Conv',
      'operators Relu',
      'operators Add Abs',
      'operators Neg',
    ]);
  });

  it('keeps apart what parts into several values, until they meet again in one box', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 4, 2, 2]);
    const made = conv(builder, x, 'a', 4, 4);
    const [left, right] = builder.ops('Split', [made], {
      outputs: 2,
      attributes: { axis: attr.int(1), num_outputs: attr.int(2) },
    });
    builder.output(builder.op('Mul', [left!, builder.op('Sigmoid', [right!])]), 'y');
    expect(boxes(builder.graph)).toEqual(['layer Conv Split Sigmoid Mul', 'x > 0', '0 > y']);
  });

  it('joins step by step what is joined again and again', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 4, 2, 2]);
    const along = (axis: number) => ({ attributes: { axis: attr.int(axis) } });
    const a = conv(builder, x, 'a', 4, 4);
    const two = builder.op('Concat', [x, a], along(1));
    const b = conv(builder, two, 'b', 4, 8);
    const three = builder.op('Concat', [x, a, b], along(1));
    builder.output(conv(builder, three, 'c', 2, 12), 'y');
    builder.output(builder.op('Concat', [x, a], along(2)), 'z');
    expect(boxes(builder.graph)).toEqual([
      'layer Conv',
      'operators Concat',
      'layer Conv',
      'operators Concat',
      'layer Conv',
      'operators Concat',
      // The one along another axis reads for itself.
      ...['x > 0', 'x > 1', 'x > 5', '0 > 1', '0 > 5', '1 > 2', '2 > 3', '3 > 4', '4 > y', '5 > z', '1 > 3'],
    ]);
  });

  it('leaves out weights on their way and arithmetic of shapes', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2, 6]);
    const weight = builder.constant(Tensor.full([5, 6], 1), 'fc.weight');
    const turned = builder.op('Transpose', [weight], { attributes: { perm: attr.ints([1, 0]) } });
    const scores = builder.op('MatMul', [x, turned]);
    builder.output(builder.op('Reshape', [scores, builder.op('Shape', [scores])]), 'y');
    expect(boxes(builder.graph)).toEqual(['layer MatMul Reshape', 'x > 0', '0 > y']);
  });
});

describe('drawGroups', () => {
  it('draws each layer with its channels, and each group in one colour', async () => {
    const svg = await draw(network());
    for (const text of [
      'stem',
      'Conv2d 1×1 · 3 → 8',
      'then Sigmoid · Mul',
      'Concat · 10',
      'Conv2d 1×1 · 10 → 2',
    ])
      expect(svg).toContain(`>${text}</text>`);
    const colorOf = (title: string): string | undefined =>
      new RegExp(`<title>Conv &#39;/${title}/Conv&#39;[^<]*</title><rect class="t(.)"`).exec(svg)?.[1];
    // The group of the stem meets those of a and b, and these meet at the concatenation.
    expect(new Set(['stem', 'a', 'b'].map(colorOf)).size).toBe(3);
    expect(colorOf('head')).toBe('x');
    // What leaves the concatenation carries both.
    const [, joined = ''] = /<g class="w g1 g2">([\s\S]*?)<\/g>/.exec(svg) ?? [];
    expect(joined.match(/stroke-dasharray="7 7"/g)).toHaveLength(2);
  });

  it('greys what cannot be cut and tells why', async () => {
    const svg = await draw(network());
    expect(svg).toMatch(
      /<title>group 3, made by head\n2 of 2 cannot be cut: [^<]*output &#39;y&#39;<\/title>\n<rect class="tx"/,
    );
  });

  it('counts the layers that make a group together', async () => {
    const svg = await draw(trace(resnet(20).eval(), [[1, 3, 32, 32]]));
    const [, key = ''] = /<title>group 0, made by conv1, [^<]*<\/title>([\s\S]*?)<\/g>/.exec(svg) ?? [];
    expect(key).toContain('>16 channels · 10 layers</text>');
  });

  it('tells how much of a group can be cut, and why the rest cannot', async () => {
    const builder = new GraphBuilder();
    const made = conv(builder, builder.input('x', 'float32', [1, 3, 2, 2]), 'a', 6, 3);
    const [out, inner] = builder.ops('Split', [made, builder.constant(Tensor.int64([2, 4]))], {
      outputs: 2,
      attributes: { axis: attr.int(1) },
    });
    builder.output(out!, 'z');
    builder.output(conv(builder, inner!, 'head', 2, 4), 'y');
    const svg = await draw(builder.graph);
    expect(svg).toContain('>6 channels · 4 can be cut</text>');
    expect(svg).toContain('group 0, made by a\n2 of 6 cannot be cut: reaches the output &#39;z&#39;</title>');
  });

  it('gives the same bytes each time', async () => {
    expect(await draw(network())).toBe(await draw(network()));
  });

  it('lets no name break out of its text', async () => {
    const svg = await drawGroups(groupChannels(analyzeChannels(network('a<b>&"\''))), {
      title: '</svg><script>\0',
    });
    expect(svg).toContain('a&lt;b&gt;&amp;&quot;&#39;');
    expect(svg.match(/<\/svg>/g)).toHaveLength(1);
    expect(svg).not.toMatch(/<script|\0/);
  });

  it('says where no layer makes channels', async () => {
    const builder = new GraphBuilder();
    builder.output(builder.op('Relu', [builder.input('x', 'float32', [1, 3])]), 'y');
    expect(await draw(builder.graph)).toContain('No layer makes channels that could be cut.');
  });
});

describe('colored', () => {
  it('gives neighbours different colours as long as there are enough', () => {
    const count = COLOR_COUNT;
    const all = Array.from({ length: count }, (_, index) => index);
    const colors = colored(
      count,
      all.map((own) => new Set(all.filter((other) => other !== own))),
      all,
    );
    expect([...colors].sort()).toEqual(all);
  });

  it('uses all colours where none meet, and leaves out who does not choose', () => {
    expect([...colored(4, [new Set(), new Set(), new Set(), new Set()], [2, 0, 3])]).toEqual([1, -1, 0, 2]);
  });
});

describe('text of drawings', () => {
  it('is shortened in the middle to the width there is', () => {
    const long = 'features.denseblock1.denselayer1.conv1';
    const short = fitted(long, 12, 120);
    expect(short).toMatch(/^features.*….*conv1$/);
    expect(textWidth(short, 12)).toBeLessThanOrEqual(120);
    expect(fitted('conv', 12, 120)).toBe('conv');
    expect(fitted('conv', 12, 1)).toBe('…');
  });

  it('is broken at spaces, the last line taking what is left', () => {
    expect(wrapped('one two three four', 10, textWidth('one two', 10), 2)).toEqual([
      'one two',
      expect.stringContaining('…'),
    ]);
    expect(wrapped('one', 10, 100, 3)).toEqual(['one']);
  });

  it('keeps out what XML cannot hold', () => {
    expect(escapeXml('a\u0001\ud800"')).toBe('a\ufffd\ufffd&quot;');
  });
});
