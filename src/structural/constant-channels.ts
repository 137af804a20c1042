import type { Node, Value } from '../ir/index.ts';
import { findOperator } from '../ops/index.ts';
import type { ChannelView } from './channel-view.ts';
import type { WeightedSum } from './weighted-sum.ts';

/** Tells whether a channel that does not depend on the graph's inputs is known to be 0 everywhere. */
export type IsZero = (value: Value, root: number) => boolean;

/**
 * The channels that are the same whatever the graph is fed with: a filter of zeros gives its bias alone, what is computed of such channels by themselves is constant too, and a filter that reads no others. They may differ from
 * place to place (padding makes borders). By root, as `ChannelView` tells channels apart. Linear in labels and weights.
 */
export class ConstantChannels {
  readonly #view: ChannelView;
  readonly #isZero: IsZero;
  readonly #roots = new Map<Value, Set<number>>();
  readonly #whole = new Set<Value>();
  readonly #spoiled = new Map<Value, Map<number, Node>>();

  constructor(view: ChannelView, isZero: IsZero = () => false) {
    this.#view = view;
    this.#isZero = isZero;
    for (const node of view.flow.nodes) {
      const kind = view.kind(node);
      for (const output of node.outputs) {
        if (!output) continue;
        const sum = view.sums.get(node);
        if (sum) this.#sum(sum, output);
        else if (kind === 'channelwise' && view.roots(output)) this.#channelwise(node, output);
        else if (this.#isDetermined(node) && view.reads(node).every((value) => this.isWhole(value)))
          this.#whole.add(output);
        const [roots, constant] = [view.roots(output), this.#roots.get(output)];
        if (roots && constant && constant.size === roots.size) this.#whole.add(output);
      }
    }
  }

  /** True where nothing of a value depends on the graph's inputs. */
  isWhole(value: Value): boolean {
    return this.#whole.has(value);
  }

  /** True where a channel does not depend on the graph's inputs. */
  has(value: Value, root: number): boolean {
    return this.#whole.has(value) || (this.#roots.get(value)?.has(root) ?? false);
  }

  /** The node that brought a constant channel together with one that is not; null where it was not constant to begin with. */
  spoiledBy(value: Value, root: number): Node | null {
    return this.#spoiled.get(value)?.get(root) ?? null;
  }

  /** Products of which one factor is constant and the other is not: where the constant is 0, so is the product. */
  *openProducts(): Generator<readonly [factor: Value, roots: ReadonlySet<number>]> {
    const view = this.#view;
    for (const node of view.flow.nodes) {
      const [output] = node.outputs;
      if (!output || !isProduct(node) || this.isWhole(output)) continue;
      for (const factor of view.reads(node)) {
        const constant = this.#roots.get(factor);
        if (!constant || !view.areAligned(factor, output)) continue;
        const open = new Set([...constant].filter((root) => !this.has(output, root)));
        if (open.size > 0) yield [factor, open];
      }
    }
  }

  #isDetermined(node: Node): boolean {
    return !findOperator(node.domain, node.opType)?.nondeterministic;
  }

  #sum(sum: WeightedSum, output: Value): void {
    const { find } = this.#view.coupling;
    const isConstant = (input: number): boolean =>
      this.isWhole(sum.input) || (sum.reads !== null && this.has(sum.input, find(sum.reads[input]!)));
    const depends = new Set<number>();
    for (let out = 0; out < sum.outputs; out++) {
      const root = sum.makes ? find(sum.makes[out]!) : 0;
      if (depends.has(root)) continue;
      const { first, count } = sum.group(out);
      for (let input = first; input < first + count; input++) {
        if (isConstant(input) || !sum.isConnected(out, input)) continue;
        depends.add(root);
        break;
      }
    }
    const roots = this.#view.roots(output);
    if (roots) this.#roots.set(output, new Set([...roots].filter((root) => !depends.has(root))));
    else if (depends.size === 0 && !sum.makes) this.#whole.add(output);
  }

  #channelwise(node: Node, output: Value): void {
    const view = this.#view;
    const reads = view.reads(node).filter((value) => !this.isWhole(value));
    const aligned = reads.map((value) => view.areAligned(value, output));
    const constant = new Set<number>();
    const spoiled = new Map<number, Node>();
    for (const root of view.roots(output)!) {
      const depends = reads.filter((value, at) => !(aligned[at] && this.#isApart(value, root)));
      const isZero =
        isProduct(node) && reads.some((value) => this.has(value, root) && this.#isZero(value, root));
      if (depends.length === 0 || isZero) constant.add(root);
      else {
        const wasConstant = reads.some((value) => this.#roots.get(value)?.has(root));
        const before = depends.map((value) => this.spoiledBy(value, root)).find((known) => known !== null);
        const by = wasConstant ? node : before;
        if (by) spoiled.set(root, by);
      }
    }
    this.#roots.set(output, constant);
    if (spoiled.size > 0) this.#spoiled.set(output, spoiled);
  }

  /** True where a channel of what a value is part of does not depend on the graph's inputs through it. */
  #isApart(value: Value, root: number): boolean {
    return !this.#view.roots(value)!.has(root) || this.has(value, root);
  }
}

const isProduct = (node: Node): boolean => findOperator(node.domain, node.opType)?.product ?? false;
