import type { Module, ModuleOutput } from './module.ts';
import type { Variable } from './variable.ts';

// biome-ignore-start lint/suspicious/noConfusingVoidType: a hook may return nothing.
/** Runs before a module's forward; what it returns, if anything, replaces the inputs. */
export type ForwardPreHook = (
  module: Module<ModuleOutput>,
  inputs: readonly Variable[],
) => readonly Variable[] | void;

/** Runs after a module's forward; what it returns, if anything, replaces the output. */
export type ForwardHook = (
  module: Module<ModuleOutput>,
  inputs: readonly Variable[],
  output: ModuleOutput,
) => ModuleOutput | void;

// biome-ignore-end lint/suspicious/noConfusingVoidType: end of the hooks' types.

/** Takes a hook away again (PyTorch's `RemovableHandle`). */
export interface HookHandle {
  remove(): void;
}

/** Adds a hook to a list and returns the handle that takes it out. */
export function addHook<H>(hooks: Set<{ readonly hook: H }>, hook: H): HookHandle {
  const entry = { hook };
  hooks.add(entry);
  return { remove: () => void hooks.delete(entry) };
}
