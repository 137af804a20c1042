import { dtypeInfo } from '../../core/dtype.ts';
import type { TensorType, ValueType } from '../../ir/index.ts';
import { DIMENSION, ELEMENT_TYPE, MAP_TYPE, OPAQUE_TYPE, SHAPE, TENSOR_TYPE, TYPE } from './fields.ts';
import { keptFields } from './kept.ts';
import type { WireWriter } from './wire-writer.ts';
import { writeRaw } from './write-entries.ts';

/** Writes a `TypeProto`. */
export function writeType(writer: WireWriter, type: ValueType): void {
  switch (type.kind) {
    case 'tensor':
      // A type of which nothing is known but its denotation or newer fields has no kind, either.
      if (type.dtype !== null || type.shape !== null || (!type.denotation && keptFields(type).length === 0)) {
        writer.message(TYPE.tensor_type, (message) => writeTensorType(message, type));
      }
      break;
    case 'sparse-tensor':
      writer.message(TYPE.sparse_tensor_type, (message) => writeTensorType(message, type));
      break;
    case 'sequence':
    case 'optional': {
      const { element } = type;
      writer.message(type.kind === 'sequence' ? TYPE.sequence_type : TYPE.optional_type, (message) => {
        if (element) message.message(ELEMENT_TYPE.elem_type, (nested) => writeType(nested, element));
        writeRaw(message, keptFields(type, 'element'));
      });
      break;
    }
    case 'map': {
      const { key, value } = type;
      writer.message(TYPE.map_type, (message) => {
        message.int(MAP_TYPE.key_type, dtypeInfo(key).onnx);
        if (value) message.message(MAP_TYPE.value_type, (nested) => writeType(nested, value));
        writeRaw(message, keptFields(type, 'map'));
      });
      break;
    }
    case 'opaque':
      writer.message(TYPE.opaque_type, (message) => {
        message.optionalString(OPAQUE_TYPE.domain, type.domain);
        message.optionalString(OPAQUE_TYPE.name, type.name);
        writeRaw(message, keptFields(type, 'opaque'));
      });
  }
  writer.optionalString(TYPE.denotation, type.denotation ?? '');
  writeRaw(writer, keptFields(type));
}

function writeTensorType(writer: WireWriter, type: TensorType): void {
  const { dtype, shape } = type;
  if (dtype !== null) writer.int(TENSOR_TYPE.elem_type, dtypeInfo(dtype).onnx);
  if (shape !== null) {
    writer.message(TENSOR_TYPE.shape, (dims) => {
      shape.forEach((dim, index) => {
        dims.message(SHAPE.dim, (message) => {
          if (typeof dim === 'number') message.int(DIMENSION.dim_value, dim);
          else if (dim !== null) message.string(DIMENSION.dim_param, dim);
          const denotation = type.dimDenotations?.[index];
          if (denotation !== undefined) message.string(DIMENSION.denotation, denotation);
          writeRaw(message, keptFields(type, index));
        });
      });
      writeRaw(dims, keptFields(type, 'shape'));
    });
  }
  writeRaw(writer, keptFields(type, 'tensor'));
}
