import type { SparseTensor, Tensor } from '../../core/tensor.ts';
import type {
  Attribute,
  AttributeKind,
  AttributeString,
  Attributes,
  Graph,
  ValueType,
} from '../../ir/index.ts';
import { ATTRIBUTE_KINDS, attributeKindOf } from './attribute-kinds.ts';
import { ATTRIBUTE, GRAPH, SPARSE_TENSOR, TENSOR, TYPE } from './fields.ts';
import { type ExternalData, readNotedTensor, readSparseTensor } from './read-tensor.ts';
import { readType } from './read-type.ts';
import { decodeUtf8, type WireReader } from './wire-reader.ts';

/** What attributes need of the reader around them: external data, and how a subgraph is read. */
export interface AttributeContext {
  readonly externalData: ExternalData | undefined;
  readonly subgraph: (reader: WireReader) => Graph;
}

/** Reads an `AttributeProto` into `attributes`. */
export function readAttribute(reader: WireReader, attributes: Attributes, context: AttributeContext): void {
  let name = '';
  let code = 0;
  let reference = '';
  let docString = '';
  const found = new Set<AttributeKind>();
  const unknownFields: Uint8Array[] = [];
  let float = 0;
  let int = 0n;
  let string: AttributeString = '';
  let tensor: Tensor | null = null;
  let graph: Graph | null = null;
  let sparse: SparseTensor | null = null;
  let type: ValueType | null = null;
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: AttributeString[] = [];
  const tensors: Tensor[] = [];
  const graphs: Graph[] = [];
  const sparses: SparseTensor[] = [];
  const types: ValueType[] = [];

  const once = (kind: AttributeKind): void => {
    if (found.has(kind)) throw reader.fail(`attribute '${name}' is given twice`);
    found.add(kind);
  };
  const text = (): AttributeString => {
    const bytes = reader.bytes();
    return decodeUtf8(bytes) ?? bytes;
  };
  const oneTensor = (index?: number): Tensor =>
    readNotedTensor(reader.message(TENSOR, index), context.externalData);
  const oneSparse = (index?: number): SparseTensor =>
    readSparseTensor(reader.message(SPARSE_TENSOR, index), context.externalData).sparse;
  const oneType = (index?: number): ValueType => {
    const read = readType(reader.message(TYPE, index));
    if (read === null) throw reader.fail(`attribute '${name}' holds a type that says nothing`);
    return read;
  };

  while (reader.next()) {
    switch (reader.field) {
      case ATTRIBUTE.name:
        name = reader.string();
        break;
      case ATTRIBUTE.ref_attr_name:
        reference = reader.string();
        break;
      case ATTRIBUTE.doc_string:
        docString = reader.string();
        break;
      case ATTRIBUTE.type:
        code = reader.int32();
        break;
      case ATTRIBUTE.f:
        found.add('float');
        float = reader.float();
        break;
      case ATTRIBUTE.i:
        found.add('int');
        int = reader.int64();
        break;
      case ATTRIBUTE.s:
        found.add('string');
        string = text();
        break;
      case ATTRIBUTE.t:
        once('tensor');
        tensor = oneTensor();
        break;
      case ATTRIBUTE.g:
        once('graph');
        graph = context.subgraph(reader.message(GRAPH));
        break;
      case ATTRIBUTE.sparse_tensor:
        once('sparse-tensor');
        sparse = oneSparse();
        break;
      case ATTRIBUTE.tp:
        once('type');
        type = oneType();
        break;
      case ATTRIBUTE.floats: {
        found.add('floats');
        const chunks: Uint8Array[] = [];
        reader.fixed(4, chunks);
        for (const chunk of chunks) {
          const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
          for (let at = 0; at < chunk.byteLength; at += 4) floats.push(view.getFloat32(at, true));
        }
        break;
      }
      case ATTRIBUTE.ints:
        found.add('ints');
        reader.int64s(ints);
        break;
      case ATTRIBUTE.strings:
        found.add('strings');
        strings.push(text());
        break;
      case ATTRIBUTE.tensors:
        found.add('tensors');
        tensors.push(oneTensor(tensors.length));
        break;
      case ATTRIBUTE.graphs:
        found.add('graphs');
        graphs.push(context.subgraph(reader.message(GRAPH, graphs.length)));
        break;
      case ATTRIBUTE.sparse_tensors:
        found.add('sparse-tensors');
        sparses.push(oneSparse(sparses.length));
        break;
      case ATTRIBUTE.type_protos:
        found.add('types');
        types.push(oneType(types.length));
        break;
      default:
        unknownFields.push(reader.raw());
    }
  }

  if (name === '') throw reader.failHere('an attribute has no name', 'name');
  if (attributes.has(name)) throw reader.failHere(`attribute '${name}' is given twice`, 'name');
  // Files before IR version 2 leave the type out; the one field that is set tells it.
  const [first] = found;
  const kind = code === 0 ? first : attributeKindOf(code);
  if (kind === undefined) {
    throw reader.failHere(
      code === 0
        ? `attribute '${name}' has neither type nor value`
        : `attribute '${name}' has the unknown type ${code}`,
      'type',
    );
  }
  const other = [...found].find((candidate) => candidate !== kind);
  if (other !== undefined || (reference !== '' && found.size > 0)) {
    throw reader.failHere(
      reference === ''
        ? `attribute '${name}' is of type ${kind} but has a value of type ${other}`
        : `attribute '${name}' refers to '${reference}' and has a value too`,
      ATTRIBUTE_KINDS[other ?? kind].field,
    );
  }
  const missing = (): Error =>
    reader.failHere(`attribute '${name}' of type ${kind} has no value`, ATTRIBUTE_KINDS[kind].field);
  const extras = {
    ...(docString === '' ? {} : { docString }),
    ...(unknownFields.length === 0 ? {} : { unknownFields }),
  };
  const make = (): Attribute => {
    if (reference !== '') return { kind: 'reference', name: reference, of: kind, ...extras };
    switch (kind) {
      case 'float':
        return { kind, value: float, ...extras };
      case 'int':
        return { kind, value: int, ...extras };
      case 'string':
        return { kind, value: string, ...extras };
      case 'tensor':
        if (tensor === null) throw missing();
        return { kind, value: tensor, ...extras };
      case 'graph':
        if (graph === null) throw missing();
        return { kind, value: graph, ...extras };
      case 'sparse-tensor':
        if (sparse === null) throw missing();
        return { kind, value: sparse, ...extras };
      case 'type':
        if (type === null) throw missing();
        return { kind, value: type, ...extras };
      case 'floats':
        return { kind, value: floats, ...extras };
      case 'ints':
        return { kind, value: ints, ...extras };
      case 'strings':
        return { kind, value: strings, ...extras };
      case 'tensors':
        return { kind, value: tensors, ...extras };
      case 'graphs':
        return { kind, value: graphs, ...extras };
      case 'sparse-tensors':
        return { kind, value: sparses, ...extras };
      case 'types':
        return { kind, value: types, ...extras };
    }
  };
  attributes.set(name, make());
}
