// SPDX-License-Identifier: BSD-2-Clause
// MIST in the browser: items and datasets of a MIST host, or of any static web server, as typed arrays at any resolution.
//
//   import { openItem } from "./mist.js";
//   const item = await openItem("https://host/v1/datasets/ct/items/head.nii.gz");
//   item.info.width, item.info.type, item.info.affine ...      what its head says
//   const half = await item.read({ reduce: 1, frame: 20 });     fetches the bytes of that level and slice, no more
//   half.data, half.width, half.height                          a typed array: rows of whole pixels
//   const full = await item.read({ frame: 20 });                fetches what is still missing, and decodes again
//
// docs/viewers.md describes all of it. mist.wasm lies beside this file; in other places than a browser give
// load(bytes). No other file is needed, and nothing is kept but what was fetched, until close().

const TYPES = { u8: Uint8Array, s8: Int8Array, u16: Uint16Array, s16: Int16Array, u32: Uint32Array, s32: Int32Array, f16: Uint16Array, f32: Float32Array, f64: Float64Array, s64: BigInt64Array, u64: BigUint64Array };
const POLICIES = { closest: 0, "at-least": 1, "at-most": 2 };
const STATUS = ["ok", "argument", "memory", "io", "corrupt", "truncated", "checksum", "unsupported", "limit", "range", "not found", "network", "cancelled"];
const CHECKSUM = 6;
const FIRST_BYTES = 32768; // the head of nearly every item, and the smallest levels of most
const PROLOGUE = 32; // docs/format.md, section 3.1
const MAX_HEAD = 2 ** 28;

/** What went wrong, as one sentence; `status` is its kind in one word: "truncated", "checksum", "unsupported", "network" ... */
export class MistError extends Error {
  constructor(message, status) {
    super(message);
    this.name = "MistError";
    this.status = status;
  }
}

// ---- WebAssembly ----

let core = null;

/**
 * Loads mist.wasm: from beside this file, or of bytes (or a compiled module) that the caller has. Others call it when
 * they need it. Twice is once.
 */
export function load(source) {
  core ??= instantiate(source).catch((error) => { core = null; throw error; });
  return core;
}

async function compiled(source, name) {
  if (source instanceof WebAssembly.Module) return source;
  if (source) return WebAssembly.compile(source);
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new MistError(`${name} is not beside mist.js: ${answer.status}`, "not found");
  return WebAssembly.compile(await answer.arrayBuffer());
}

async function instance(source, name) {
  let memory = null;
  // The little that C asks of a system: there is no environment, nothing is written, and giving up is an exception.
  const system = new Proxy({
    environ_sizes_get: (count, size) => { const view = new DataView(memory.buffer); view.setUint32(count, 0, true); view.setUint32(size, 0, true); return 0; },
    environ_get: () => 0,
    proc_exit: () => { throw new MistError(`${name} gave up`, "memory"); },
  }, { get: (known, call) => known[call] ?? (() => 52 /* ENOSYS */) });
  const { exports } = await WebAssembly.instantiate(await compiled(source, name), { wasi_snapshot_preview1: system });
  memory = exports.memory;
  exports._initialize();
  return exports;
}

async function instantiate(source) {
  return new Core(await instance(source, "mist.wasm"));
}

// What both modules have: memory, and the sentence of the last failure.
class Module {
  constructor(exports) { this.c = exports; }

  // Memory moves when it grows: views are made when they are used.
  bytes(address, size) { return new Uint8Array(this.c.memory.buffer, address >>> 0, size); }

  allocate(size) {
    const address = this.c.allocate(size);
    if (!address) throw new MistError("the memory of this page is full", "memory");
    return address;
  }

  put(bytes) {
    const address = this.allocate(bytes.length);
    this.bytes(address, bytes.length).set(bytes);
    return address;
  }

  failure(status) {
    const at = this.c.message() >>> 0, memory = new Uint8Array(this.c.memory.buffer);
    return new MistError(new TextDecoder().decode(memory.slice(at, memory.indexOf(0, at))), STATUS[status] ?? "argument");
  }

  check(status) {
    if (status) throw this.failure(status);
  }
}

class Core extends Module {
  constructor(exports) {
    super(exports);
    this.numbers = this.allocate(11 * 8);
  }

  text() { return new TextDecoder().decode(this.bytes(this.c.text(), this.c.text_size()).slice()); }

  // Calls with texts (null: none) as addresses, which are freed afterwards.
  withTexts(texts, call) {
    const addresses = [];
    try {
      for (const text of texts) addresses.push(text === null || text === undefined ? 0 : this.put(new TextEncoder().encode(`${text}\0`)));
      return call(...addresses);
    } finally {
      addresses.filter(Boolean).forEach((address) => this.c.release(address));
    }
  }

  // A request as C takes it.
  request(options) {
    const numbers = requestNumbers(options);
    new Float64Array(this.c.memory.buffer, this.numbers, 11).set(numbers);
    return this.numbers;
  }
}

function sides(value, name) {
  const list = typeof value === "string" ? value.split("x").map(Number) : Array.isArray(value) ? value : [value, value];
  if (![2, 3].includes(list.length) && !(typeof value === "string" && list.length === 1)) throw new MistError(`${name} is a number, two or three`, "argument");
  const all = list.length === 1 ? [list[0], list[0]] : list;
  if (all.some((side) => !(Number.isInteger(side) && side >= 1 && side <= 65535))) throw new MistError(`${name}: sides are whole numbers from 1 to 65535`, "argument");
  return [all[0], all[1], all[2] ?? 0];
}

function requestNumbers({ reduce, step = 0, size, spacing, policy, grid = "native", exact = false } = {}) {
  const asked = [reduce, size, spacing].filter((value) => value !== undefined && value !== null).length;
  if (asked > 1) throw new MistError("give reduce, size or spacing, not several of them", "argument");
  if (asked === 0 || (reduce ?? null) !== null) {
    const r = reduce ?? 0;
    if (!(Number.isInteger(r) && r >= 0 && r <= 32 && Number.isInteger(step) && step >= 0 && step <= 16)) throw new MistError("reduce is a whole number from 0 to 32, step one from 0 to 16", "argument");
  }
  const sized = (size ?? null) !== null, spaced = (spacing ?? null) !== null;
  const [width, height, depth] = sized ? sides(size, "size") : [0, 0, 0];
  const [x, y, z] = spaced ? (Array.isArray(spacing) ? spacing : [spacing, spacing, spacing]) : [0, 0, 0];
  if (spaced && ![x, y, z].every((mm) => mm > 0 && Number.isFinite(mm))) throw new MistError("spacing is in millimetres, above 0: one number, or three", "argument");
  const rule = policy ?? (exact ? "at-least" : "closest");
  if (!(rule in POLICIES)) throw new MistError(`policy is one of ${Object.keys(POLICIES).join(", ")}`, "argument");
  return [sized || spaced ? -1 : reduce ?? 0, step, width, height, depth, x, y, z, POLICIES[rule], grid === "center" ? 1 : 0, exact ? 1 : 0];
}

// ---- ranges of bytes: [start, end), ascending ----

function joined(ranges) {
  const result = [];
  for (const [start, end] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = result[result.length - 1];
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else if (end > start) result.push([start, end]);
  }
  return result;
}

// What of `wanted` is not in `held`; both joined.
function missing(wanted, held) {
  const result = [];
  let at = 0;
  for (let [start, end] of wanted) {
    while (at < held.length && held[at][1] <= start) at++;
    for (let i = at; i < held.length && held[i][0] < end && start < end; i++) {
      if (held[i][0] > start) result.push([start, held[i][0]]);
      start = Math.max(start, held[i][1]);
    }
    if (start < end) result.push([start, end]);
  }
  return result;
}

// ---- fetching ----

const wait = (milliseconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, milliseconds);
  signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});

// A file of a web server, in parts. A server that has no ranges gives the whole, which is kept then.
class Remote {
  constructor(url, { fetch: get = globalThis.fetch.bind(globalThis), headers = {} } = {}) {
    this.url = String(url);
    this.get = get;
    this.headers = headers;
    this.version = null; // its ETag: parts of two versions are never mixed
    this.bytes = 0; // that came
    this.whole = null;
  }

  // The bytes [start, end), or fewer where the file ends before; `exactly`: an error then.
  async read(start, end, { signal, exactly = true, fresh = false, onBytes } = {}) {
    if (this.whole) return this.part(this.whole, start, end, exactly);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.once(start, end, { signal, exactly, fresh: fresh || attempt > 0, onBytes });
      } catch (error) {
        if (signal?.aborted || attempt >= 3 || !(error.passing ?? error instanceof TypeError)) {
          throw error instanceof TypeError && !signal?.aborted ? new MistError(`${this.url}: ${error.message}`, "network") : error;
        }
        await wait(error.after ?? 200 * 2 ** attempt, signal);
      }
    }
  }

  async once(start, end, { signal, exactly, fresh, onBytes }) {
    const answer = await this.get(this.url, { signal, headers: { ...this.headers, Range: `bytes=${start}-${end - 1}` }, cache: fresh ? "no-cache" : "default" });
    if (answer.status === 416) throw new MistError(`${this.url}: the file ends before byte ${start}`, "truncated");
    if (!answer.ok) {
      const error = new MistError(`${this.url}: ${await sentence(answer)}`, answer.status === 404 ? "not found" : "network");
      error.passing = [408, 425, 429, 500, 502, 503, 504].includes(answer.status);
      const after = Number(answer.headers.get("Retry-After"));
      if (after > 0 && after <= 30) error.after = after * 1000;
      throw error;
    }
    const version = answer.headers.get("ETag");
    if (this.version && version && version !== this.version) throw new MistError(`${this.url}: it has changed since it was opened; open it again`, "corrupt");
    this.version ??= version;
    const body = await this.body(answer, onBytes);
    if (answer.status === 206) return this.part(body, 0, end - start, exactly);
    this.whole = body; // 200
    return this.part(body, start, end, exactly);
  }

  async body(answer, onBytes) {
    if (!onBytes || !answer.body) {
      const all = new Uint8Array(await answer.arrayBuffer());
      this.bytes += all.length;
      return all;
    }
    const parts = [];
    let size = 0;
    for (const reader = answer.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      size += value.length;
      this.bytes += value.length;
      onBytes(value.length);
    }
    const all = new Uint8Array(size);
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    return all;
  }

  part(bytes, start, end, exactly) {
    if (exactly && bytes.length < end) {
      const error = new MistError(`${this.url}: the answer ends too early`, "truncated");
      error.passing = true;
      throw error;
    }
    return bytes.subarray(start, end);
  }
}

async function sentence(answer) {
  try { return (await answer.json()).error || `${answer.status}`; } catch { return `${answer.status} ${answer.statusText}`.trim(); }
}

// ---- pictures that others decode ----

// By the browser: RGBA, colours as they are stored.
async function browserJpeg(bytes) {
  if (typeof createImageBitmap === "undefined") throw new MistError("JPEG pictures are decoded by browsers; elsewhere give decodeJpeg", "unsupported");
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = bitmap;
  const canvas = typeof OffscreenCanvas === "undefined" ? Object.assign(document.createElement("canvas"), { width, height }) : new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, components: 4, data: context.getImageData(0, 0, width, height).data };
}

// ---- items ----

let halves = null; // IEEE 754 binary16 -> number, by its bits

function numberOfHalf(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits >> 15 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

// A typed array for samples, or a sentence where there is no room for it.
function room(type, samples, what) {
  const bytes = samples * TYPES[type].BYTES_PER_ELEMENT;
  try {
    if (bytes <= 2 ** 32) return new TYPES[type](samples);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new MistError(`${what} takes ${bytes} bytes, more than a page can hold; read some frames, or a smaller size`, "limit");
}

/** An item: what openItem() gives. One read at a time is carried out; others wait for it. */
export class Item {
  constructor(module, remote, options) {
    this.core = module;
    this.remote = remote;
    this.decodeJpeg = options.decodeJpeg ?? browserJpeg;
    this.held = []; // ranges that are here
    this.cut = null; // where the first bytes end, maybe within something
    this.turn = Promise.resolve();
    this.handle = module.withTexts([remote.url.slice(0, 400)], (name) => module.c.item_new(name));
    if (!this.handle) throw module.failure(2);
  }

  /** Bytes that have been fetched so far. */
  get bytesFetched() { return this.remote.bytes; }

  /** Frees what is kept of it. */
  close() {
    if (this.handle) this.core.c.item_free(this.handle);
    this.handle = 0;
  }

  open() {
    if (!this.handle) throw new MistError(`${this.remote.url}: this item is closed`, "argument");
    return this.handle;
  }

  // True where its checksum is wrong.
  give(start, bytes) {
    const join = start === this.cut, status = this.core.c.item_add(this.open(), start, this.core.put(bytes), bytes.length, join ? 1 : 0);
    if (status && status !== CHECKSUM) throw this.core.failure(status);
    if (join) this.cut = null;
    if (!status) this.held = joined([...this.held, [start, start + bytes.length]]);
    return status === CHECKSUM;
  }

  async readHead(some = FIRST_BYTES, signal) {
    const asked = Math.max(some, PROLOGUE), first = await this.remote.read(0, asked, { signal, exactly: false });
    let bytes = first;
    if (first.length >= PROLOGUE) {
      const size = new DataView(first.buffer, first.byteOffset, first.length).getUint32(20, true);
      if (size > first.length && first.length === asked && size <= MAX_HEAD && !this.remote.whole) {
        bytes = new Uint8Array(size);
        bytes.set(first);
        bytes.set(await this.remote.read(first.length, size, { signal }), first.length);
      }
    }
    this.give(0, bytes);
    this.core.check(this.core.c.item_open(this.open()));
    this.core.check(this.core.c.item_info(this.open()));
    this.info = JSON.parse(this.core.text());
    this.cut = bytes.length > this.info.head_end ? bytes.length : null;
    if (bytes.length > this.info.size) throw new MistError(`${this.remote.url}: it is longer than its head says`, "corrupt");
  }

  /** The image that a request makes: width, height, components, frames, type, spacing, affine; and `reduce` and `step`, the level that is fetched for it. */
  plan(request = {}) {
    const { core } = this;
    core.check(core.c.item_plan(this.open(), core.request(request)));
    return JSON.parse(core.text());
  }

  /** The bytes that `count` frames from `first` on take, as [start, end) of the item; the head is not among them. */
  ranges(request = {}, first = 0, count = 1) {
    const { core } = this;
    core.check(core.c.item_ranges(this.open(), core.request(request), first, count));
    return joined(JSON.parse(core.text()));
  }

  /** How many bytes those are that are not here yet. */
  bytesMissing(request = {}, first = 0, count = 1) {
    return missing(this.ranges(request, first, count), this.held).reduce((sum, [start, end]) => sum + end - start, 0);
  }

  /** Fetches what these frames take, so that reading them waits for nothing. */
  async fetch(request = {}, first = 0, count = 1, { signal, onBytes } = {}) {
    const wanted = this.ranges(request, first, count);
    // What fails its checksum is fetched once more, past every cache.
    for (const fresh of [false, true]) {
      const failures = await Promise.all(missing(wanted, this.held).map(async ([start, end]) => {
        const bytes = await this.remote.read(start, end, { signal, fresh, onBytes });
        return missing([[start, end]], this.held).length === 1 && this.give(start, bytes) ? this.core.failure(CHECKSUM) : null;
      }));
      const failure = failures.find(Boolean);
      if (!failure) return;
      this.core.check(this.core.c.item_held(this.open()));
      this.held = joined(JSON.parse(this.core.text()));
      this.cut = this.held[0][1] > this.info.head_end ? this.held[0][1] : null;
      if (fresh) throw failure;
    }
  }

  async readFrame(request, plan, frame, out) {
    const { core } = this, size = out.byteLength;
    const address = core.allocate(size);
    try {
      for (let pictures = 0; ; pictures++) {
        const status = core.c.item_read(this.open(), core.request(request), frame, address);
        if (!status) break;
        const failure = core.failure(status);
        if (!core.c.wanted() || pictures > 64) throw failure;
        await this.givePicture();
      }
      new Uint8Array(out.buffer, out.byteOffset, size).set(core.bytes(address, size));
    } finally {
      core.c.release(address);
    }
  }

  // Decodes what the last read wanted. Others may want something meanwhile: everything is asked before it waits.
  async givePicture() {
    const { core } = this, { c } = core, key = c.wanted_key(), reduce = c.wanted_reduce();
    const bytes = core.bytes(c.wanted_bytes(), c.wanted_size()).slice();
    const { width, height, components, data, sample = 1 } = await (c.wanted_kind() === 0 ? this.decodeJpeg(bytes) : decodeJ2k(bytes, c));
    c.give_picture(key, reduce, core.put(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)), width, height, components, sample);
  }

  /**
   * Samples at a size: { size | reduce | spacing, step, policy, grid, exact } as in `mist get`; `frame` (one frame) or
   * `first` and `frames` (several; without any of them all). Resolves to { data, width, height, components, frames,
   * type, spacing, affine, reduce }: `data` is a typed array, frame by frame, row by row, whole pixels; half floats come
   * as a Float32Array. `onFrame(index)` is called as frames are done, `onBytes(count)` as bytes come.
   */
  async read({ frame, first, frames, signal, onBytes, onFrame, ...request } = {}) {
    const before = this.turn;
    let done;
    this.turn = new Promise((resolve) => { done = resolve; });
    try {
      await before;
      const plan = this.plan(request);
      const begin = frame ?? first ?? 0, count = frame !== undefined ? 1 : frames ?? plan.frames - begin;
      if (!(Number.isInteger(begin) && Number.isInteger(count) && begin >= 0 && count >= 1 && begin + count <= plan.frames)) throw new MistError(`${this.remote.url}: it has frames 0 to ${plan.frames - 1} at this size`, "argument");
      const samples = plan.width * plan.height * plan.components;
      let data = room(plan.type, samples * count, this.remote.url);
      await this.fetch(request, begin, count, { signal, onBytes });
      let paused = performance.now();
      for (let i = 0; i < count; i++) {
        signal?.throwIfAborted();
        await this.readFrame(request, plan, begin + i, data.subarray(i * samples, (i + 1) * samples));
        onFrame?.(begin + i);
        if (performance.now() - paused > 12 && i + 1 < count) { // the page goes on meanwhile
          await wait(0);
          paused = performance.now();
        }
      }
      if (plan.type === "f16") {
        halves ??= Float32Array.from({ length: 65536 }, (_, bits) => numberOfHalf(bits));
        data = Float32Array.from(data, (bits) => halves[bits]);
      }
      return { ...plan, data, frames: count };
    } finally {
      done();
    }
  }

  /**
   * One frame, sharper and sharper: yields what read() gives for each level from the smallest to that asked for, each
   * as soon as its bytes are here. Of an exact depth, whose slices no level has, only the last.
   */
  async *levels({ frame = 0, signal, onBytes, ...request } = {}) {
    const { reduce, step, frames } = this.plan(request), same = this.plan({ reduce, step }).frames === frames;
    for (let r = this.info.levels - 1; same && r > reduce; r--) yield this.read({ frame, reduce: r, step, grid: request.grid, signal, onBytes });
    yield this.read({ ...request, frame, signal, onBytes });
  }

  /** A part of the head: 0, the source's own header; else an extra of docs/format.md. Empty where there is none. */
  part(tag) {
    const { core } = this;
    core.check(core.c.item_part(this.open(), tag));
    return core.bytes(core.c.text(), core.c.text_size()).slice();
  }

  /** The unit of a frame's stored values: [slope, intercept], [1, 0] where nothing is said. */
  scaling(frame = 0) {
    const { slope, intercept } = this.info;
    return slope ? [slope[slope.length > 1 ? frame : 0], intercept[slope.length > 1 ? frame : 0]] : [1, 0];
  }
}

/**
 * Opens an item by its URL: .../v1/datasets/D/items/PATH of `mist serve`, or .../D/items/PATH.mist of a static server.
 * Fetches its head and what comes with it: `firstBytes` (32768), where a catalog tells what is wanted. `headers` go along
 * with every request.
 * MistError where it is no item, or not there.
 */
export async function openItem(url, options = {}) {
  const item = new Item(await load(), new Remote(url, options), options);
  try {
    await item.readHead(options.firstBytes, options.signal);
    return item;
  } catch (error) {
    item.close();
    throw error;
  }
}

// ---- datasets of static servers ----

/** A catalog: what openCatalog() gives. Its answers are those of /v1 (docs/http.md). */
export class Catalog {
  constructor(module, bytes, name) {
    this.core = module;
    const address = module.put(bytes);
    this.handle = module.withTexts([name.slice(0, 400)], (text) => module.c.catalog_new(address, bytes.length, text));
    if (!this.handle) throw module.failure(4);
    module.check(module.c.catalog_about(this.handle));
    this.about = JSON.parse(module.text());
  }

  close() {
    if (this.handle) this.core.c.catalog_free(this.handle);
    this.handle = 0;
  }

  /** The row of one item. */
  item(path) {
    this.core.check(this.core.withTexts([path], (text) => this.core.c.catalog_item(this.handle, text)));
    return JSON.parse(this.core.text());
  }

  /** The lines of a plan: rows, then totals; with `totalsOnly` these alone. */
  plan({ include, where, limit = 0, totalsOnly = false, ...request } = {}) {
    const { core } = this;
    core.check(core.withTexts([include, where], (a, b) => core.c.catalog_plan(this.handle, core.request(request), a, b, limit, totalsOnly ? 1 : 0)));
    return core.text().trimEnd().split("\n").map((line) => JSON.parse(line));
  }
}

/** Opens DATASET/catalog.jsonl.zst by its URL, and fetches all of it. */
export async function openCatalog(url, { signal, fetch: get = globalThis.fetch.bind(globalThis), headers = {} } = {}) {
  const module = await load();
  const answer = await get(url, { signal, headers });
  if (!answer.ok) throw new MistError(`${url}: ${await sentence(answer)}`, answer.status === 404 ? "not found" : "network");
  return new Catalog(module, new Uint8Array(await answer.arrayBuffer()), String(url));
}

// ---- JPEG 2000 ----

let j2k = null;

/** Loads j2k.wasm, which frames that are JPEG 2000 need: load() for it. */
export function loadJ2k(source) {
  j2k ??= instance(source, "j2k.wasm").then((exports) => new Module(exports)).catch((error) => { j2k = null; throw error; });
  return j2k;
}

async function decodeJ2k(bytes, wanted) {
  const [reduce, type, width, height, components] = [wanted.wanted_reduce(), wanted.wanted_type(), wanted.wanted_width(), wanted.wanted_height(), wanted.wanted_components()];
  const sample = Object.values(TYPES)[type].BYTES_PER_ELEMENT, module = await loadJ2k();
  const from = module.put(bytes), to = module.allocate(width * height * components * sample);
  try {
    module.check(module.c.decode(from, bytes.length, reduce, type, width, height, components, to));
    return { width, height, components, sample, data: module.bytes(to, width * height * components * sample).slice() };
  } finally {
    module.c.release(from);
    module.c.release(to);
  }
}
