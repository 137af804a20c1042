/**
 * The errors of the house. Each class has a stable `code`, so that callers can branch on it without
 * reading messages; messages name what was expected, what was found, and what to do.
 */

/** Base of every error this library throws on purpose. `code` never changes between versions. */
export class SecateurError extends Error {
  /** Stable identifier of the kind of error. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** A function was called with an argument it cannot take (PyTorch's `ValueError` and `TypeError`). */
export class ArgumentError extends SecateurError {
  constructor(message: string, options?: ErrorOptions) {
    super('argument', message, options);
  }
}

/** A graph or model is not well formed, or an edit would make it so. */
export class GraphError extends SecateurError {
  constructor(message: string, options?: ErrorOptions) {
    super('graph', message, options);
  }
}

/** Where in a file a reader stopped. */
export interface FormatLocation {
  /** Byte offset from the start of the file or buffer. */
  readonly offset?: number;
  /** Path of the field being read, such as `graph.node[3].attribute[0].t`. */
  readonly field?: string;
}

/** A file's bytes are not what its format asks for. Carries the byte offset and the field where known. */
export class FormatError extends SecateurError {
  readonly offset: number | undefined;
  readonly field: string | undefined;

  constructor(format: string, message: string, where: FormatLocation = {}, options?: ErrorOptions) {
    const at = [
      ...(where.offset === undefined ? [] : [`byte ${where.offset}`]),
      ...(where.field === undefined ? [] : [where.field]),
    ];
    super('format', `${format}${at.length === 0 ? '' : ` at ${at.join(', ')}`}: ${message}`, options);
    this.offset = where.offset;
    this.field = where.field;
  }
}

/** Shapes or dtypes of a node's inputs do not fit its operator. */
export class ShapeError extends SecateurError {
  constructor(message: string, options?: ErrorOptions) {
    super('shape', message, options);
  }
}

/** An operator, or one of its rules, is not known here. Nothing is guessed in its place. */
export class UnsupportedError extends SecateurError {
  constructor(message: string, options?: ErrorOptions) {
    super('unsupported', message, options);
  }
}

/** A structural cut cannot be made, or does not hold what it promises; nothing has changed then. */
export class StructuralError extends SecateurError {
  constructor(message: string, options?: ErrorOptions) {
    super('structural', message, options);
  }
}

/** State dict and module do not fit each other (PyTorch's `load_state_dict` errors). */
export class StateDictError extends SecateurError {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];

  constructor(message: string, missing: readonly string[] = [], unexpected: readonly string[] = []) {
    super('state-dict', message);
    this.missing = missing;
    this.unexpected = unexpected;
  }
}

/** The compute engine is missing, or refused a graph or an input. */
export class EngineError extends SecateurError {
  constructor(message: string, options?: ErrorOptions) {
    super('engine', message, options);
  }
}

/** A file could not be read or written, or would have been written over. */
export class FileError extends SecateurError {
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super('file', `${path}: ${message}`, options);
    this.path = path;
  }
}

/** Training met a number that is not finite. Carries the step, counted from 1. */
export class NonFiniteError extends SecateurError {
  readonly step: number;

  constructor(message: string, step: number) {
    super('non-finite', message);
    this.step = step;
  }
}
