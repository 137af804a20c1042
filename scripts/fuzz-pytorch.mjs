// @ts-check
/**
 * `node scripts/fuzz-pytorch.mjs [--count 10000] [--seed 1] [--from FOLDER]`: reads mutated PyTorch checkpoints (bits flipped, bytes overwritten, cut
 * out, put in, spliced from other checkpoints; pickles changed under right checksums). Each must give tensors or an error of the package, within 5 seconds of computing; all of
 * them together may raise the peak of memory by no more than twice the largest file and 100 MB. `--from` is a build to test; without it dist is built. Exit
 * status 1 where one fails.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { isMain, ROOT } from './tools.mjs';

/** @typedef {{ readonly name: string, readonly bytes: Uint8Array }} Checkpoint */
/** @typedef {(limit: number) => number} Draw A whole number from 0 to below `limit`. */

/**
 * Draws that are the same for the same seed. A linear congruential generator (Knuth's MMIX), its upper bits.
 * @param {number} seed
 * @returns {Draw}
 */
export function drawing(seed) {
  let state = BigInt.asUintN(64, BigInt(seed) + 0x9e3779b97f4a7c15n);
  return (limit) => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return Number(((state >> 32n) * BigInt(limit)) >> 32n);
  };
}

/** @param {readonly Uint8Array[]} parts */
const joined = (...parts) => new Uint8Array(Buffer.concat(parts));

/** Numbers that lengths, counts and offsets are changed to. */
const EXTREMES = [
  0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff,
];

/** What happens to a file; each gives another array. @type {readonly ((bytes: Uint8Array, other: Uint8Array, draw: Draw) => Uint8Array)[]} */
const MUTATIONS = [
  // A bit flipped.
  (bytes, _, draw) => {
    const out = bytes.slice();
    const at = draw(out.length);
    out[at] = (out[at] ?? 0) ^ (1 << draw(8));
    return out;
  },
  // Bytes overwritten.
  (bytes, _, draw) => {
    const out = bytes.slice();
    const at = draw(out.length);
    for (let index = at; index < Math.min(out.length, at + 1 + draw(8)); index++) out[index] = draw(256);
    return out;
  },
  // A number of four bytes set to an extreme one.
  (bytes, _, draw) => {
    const out = bytes.slice();
    if (out.length < 4) return out;
    new DataView(out.buffer).setUint32(draw(out.length - 3), EXTREMES[draw(EXTREMES.length)] ?? 0, true);
    return out;
  },
  // The end cut off.
  (bytes, _, draw) => bytes.slice(0, draw(bytes.length)),
  // A piece cut out.
  (bytes, _, draw) => {
    const at = draw(bytes.length);
    return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + draw(64)));
  },
  // Bytes put in.
  (bytes, _, draw) => {
    const at = draw(bytes.length);
    const inserted = Uint8Array.from({ length: 1 + draw(16) }, () => draw(256));
    return joined(bytes.subarray(0, at), inserted, bytes.subarray(at));
  },
  // A piece of its own once more, elsewhere.
  (bytes, _, draw) => {
    const [from, at] = [draw(bytes.length), draw(bytes.length)];
    return joined(bytes.subarray(0, at), bytes.subarray(from, from + draw(256)), bytes.subarray(at));
  },
  // A piece of another file in the place of its own.
  (bytes, other, draw) => {
    const [from, at] = [draw(other.length), draw(bytes.length)];
    const piece = other.subarray(from, from + 1 + draw(512));
    return joined(bytes.subarray(0, at), piece, bytes.subarray(at + piece.length));
  },
  // The beginning of one and the end of another.
  (bytes, other, draw) => joined(bytes.subarray(0, draw(bytes.length)), other.subarray(draw(other.length))),
];

/**
 * A file changed one to three times.
 * @param {Uint8Array} bytes @param {Uint8Array} other @param {Draw} draw
 */
function mutated(bytes, other, draw) {
  let out = bytes;
  for (let times = 1 + draw(3); times > 0 && out.length > 0; times--) {
    out = MUTATIONS[draw(MUTATIONS.length)]?.(out, other, draw) ?? out;
  }
  return out;
}

/**
 * One mutated checkpoint after another, without end. Half of those in the zip format have a changed pickle, the archive around which is whole.
 * @param {readonly Checkpoint[]} files
 * @param {number} seed
 * @param {{
 *   zipMembers: (bytes: Uint8Array) => Iterable<{ name: string, unpack: (options: { checksum: boolean }) => Uint8Array }>,
 *   storeZip: (files: readonly { name: string, bytes: Uint8Array }[], alignment: number) => Uint8Array[],
 * }} zip How archives are taken apart and put together.
 * @returns {Generator<{ source: Checkpoint, bytes: Uint8Array, inside: boolean }, never, undefined>} `inside`: the pickle was changed.
 */
export function* mutatedCheckpoints(files, seed, zip) {
  const draw = drawing(seed);
  /** @type {Map<Checkpoint, { name: string, bytes: Uint8Array }[]>} */
  const archives = new Map();
  for (const file of files) {
    if (file.bytes[0] !== 0x50) continue;
    const members = [...zip.zipMembers(file.bytes)];
    archives.set(
      file,
      members.map(({ name, unpack }) => ({ name, bytes: unpack({ checksum: false }) })),
    );
  }
  const pickleOf = (/** @type {{ name: string, bytes: Uint8Array }[] | undefined} */ entries) =>
    entries?.find(({ name }) => name.endsWith('data.pkl'))?.bytes;
  for (;;) {
    const source = files[draw(files.length)];
    const other = files[draw(files.length)];
    if (!source || !other) throw new Error('there are no checkpoints to mutate');
    const entries = archives.get(source);
    const inside = entries !== undefined && draw(2) === 0;
    if (inside) {
      const stranger = pickleOf(archives.get(other)) ?? other.bytes;
      const changed = entries.map(({ name, bytes }) => ({
        name,
        bytes: name.endsWith('data.pkl') ? mutated(bytes, stranger, draw) : bytes,
      }));
      yield { source, inside, bytes: joined(...zip.storeZip(changed, 64)) };
    } else yield { source, inside, bytes: mutated(source.bytes, other.bytes, draw) };
  }
}

/**
 * The checkpoints to mutate: those of the tests, and real ones where `../shared` is.
 * @returns {Checkpoint[]}
 */
function checkpoints() {
  const folders = [join(ROOT, 'src/io/pytorch/testdata'), join(ROOT, '../shared/data/weights')];
  return folders.filter(existsSync).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /\.(pt|pth|th)$/.test(name))
      .map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(folder, name))) })),
  );
}

/** The stable code of an error of the package. @param {unknown} error */
const codeOf = (error) => /** @type {{ code: string }} */ (error).code;

/** Milliseconds that the process has computed for: those it waited on a busy machine are none of the reader's. */
const cpuTime = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Frees what the process does not need any more. */
const collect = () => {
  setFlagsFromString('--expose-gc');
  /** @type {() => void} */ (runInNewContext('gc'))();
};

async function main() {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string' },
    },
  });
  if (values.from === undefined && (!ensureInstall() || build() !== 0)) return 1;
  const folder = pathToFileURL(`${resolve(values.from ?? join(ROOT, 'dist'))}/`);
  const { parsePyTorch } = await import(new URL('io/pytorch/parse-pytorch.js', folder).href);
  const { SecateurError } = await import(new URL('core/errors.js', folder).href);
  const zip = {
    ...(await import(new URL('io/zip.js', folder).href)),
    ...(await import(new URL('io/zip-writer.js', folder).href)),
  };
  const files = checkpoints();
  const originals = new Map(files.map((file) => [file, tensorsOf(file)]));
  /** @param {Checkpoint} file @returns {Map<string, { bytes: Uint8Array }> | null} */
  function tensorsOf({ bytes }) {
    try {
      return parsePyTorch(bytes).tensors;
    } catch (error) {
      // Quantized and sparse tensors are refused in whole files too.
      if (error instanceof SecateurError) return null;
      throw error;
    }
  }
  const count = Number(values.count);
  const largest = Math.max(...files.map(({ bytes }) => bytes.byteLength));
  collect();
  const baseline = process.resourceUsage().maxRSS;
  let read = 0;
  let failures = 0;
  let slowest = 0;
  /** @type {Map<string, number>} */
  const refused = new Map();
  let index = 0;
  for (const { source, bytes, inside } of mutatedCheckpoints(files, Number(values.seed), zip)) {
    if (index++ === count) break;
    const fail = (/** @type {string} */ message) => {
      failures++;
      console.error(`${index}, ${source.name}: ${message}`);
    };
    // What files before have left behind is not this one's.
    if (bytes.byteLength > 2 ** 18 || index % 50 === 0) collect();
    const start = cpuTime();
    try {
      const { tensors } = parsePyTorch(bytes);
      read++;
      // Archives have checksums: what is read of a changed one is what it held before.
      const isChecked = bytes[0] === 0x50 && !inside && !source.name.includes('without-checksums');
      const original = originals.get(source);
      for (const [name, tensor] of isChecked && original ? tensors : []) {
        const was = original?.get(name);
        if (was && Buffer.compare(was.bytes, tensor.bytes) !== 0) fail(`'${name}' was read wrongly`);
      }
    } catch (error) {
      const code = error instanceof SecateurError ? codeOf(error) : undefined;
      if (code === undefined) fail(error instanceof Error ? String(error.stack) : String(error));
      else refused.set(code, (refused.get(code) ?? 0) + 1);
    }
    const took = cpuTime() - start;
    slowest = Math.max(slowest, took);
    if (took > 5000) fail(`took ${Math.round(took)} ms`);
  }
  const grown = (process.resourceUsage().maxRSS - baseline) / 1024;
  const allowed = (2 * largest) / 2 ** 20 + 100;
  if (grown > allowed) {
    failures++;
    console.error(`memory grew by ${grown.toFixed(0)} MB; allowed are ${allowed.toFixed(0)}`);
  }
  const errors = [...refused].map(([code, times]) => `${times} ${code}`).join(', ');
  console.log(
    `${count} checkpoints: ${read} read, refused ${errors}; ${failures} failures; slowest ${slowest.toFixed(0)} ms; peak of memory grew by ${grown.toFixed(0)} MB of ${allowed.toFixed(0)}`,
  );
  return failures === 0 ? 0 : 1;
}

if (isMain(import.meta.url)) process.exitCode = await main();
