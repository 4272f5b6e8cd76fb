// SPDX-License-Identifier: BSD-2-Clause
// mist.js in Node: the samples that independent readers and the host give, byte counts, and everything that can go wrong.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { serveFiles, serveStore, SOURCE, STORE } from "./serving.mjs";

const { load, loadJ2k, openCatalog, openItem } = await import(path.join(SOURCE, "web/mist.js"));
const wasm = process.env.MIST_WEB_WASM, expected = JSON.parse(fs.readFileSync(process.env.MIST_WEB_EXPECTED, "utf8"));
let store, rows;
const ITEMS = "/v1/datasets/d/items/";

before(async () => {
  await load(fs.readFileSync(path.join(wasm, "mist.wasm")));
  await loadJ2k(fs.readFileSync(path.join(wasm, "j2k.wasm")));
  store = await serveStore(STORE);
  rows = (await (await fetch(`${store.url}/v1/datasets/d/items?limit=1000`)).json()).items;
});
after(() => store?.stop());

const open = (item, options) => openItem(`${store.url}${ITEMS}${encodeURIComponent(item)}`, options);
const KINDS = { "|u1": Uint8Array, "|i1": Int8Array, "<u2": Uint16Array, "<i2": Int16Array, "<u4": Uint32Array, "<i4": Int32Array, "<f4": Float32Array, "<f8": Float64Array, "<i8": BigInt64Array, "<u8": BigUint64Array };
function npy(bytes) {
  const length = new DataView(bytes).getUint16(8, true), text = new TextDecoder().decode(new Uint8Array(bytes, 10, length));
  return new KINDS[/'descr': '([^']+)'/.exec(text)[1]](bytes.slice(10 + length));
}
const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i] || (value !== value && b[i] !== b[i]));
const rejected = (promise, status, words) => assert.rejects(promise, (error) => error.name === "MistError" && error.status === status && words.test(error.message) || assert.fail(`${error.status}: ${error.message}`));

test("full size is what nibabel, PIL and pydicom read", async () => {
  for (const { path: item, file, type } of expected) {
    const one = await open(item), picture = await one.read();
    assert.equal(picture.type, type);
    const bytes = fs.readFileSync(file);
    assert.ok(bytes.equals(Buffer.from(picture.data.buffer, picture.data.byteOffset, picture.data.byteLength)), item);
    one.close();
  }
});

test("every size is what the host decodes", async () => {
  let compared = 0;
  for (const row of rows) {
    const one = await open(row.path), [slope, intercept] = one.scaling();
    for (const request of [{ reduce: 0 }, { reduce: 1 }, { reduce: 2 }, { size: 40 }, { size: [50, 60], exact: true }, { reduce: 1, grid: "center" }, { reduce: 1, step: 1 }, { spacing: 3 }]) {
      if (one.info.coder === "jpeg" || (request.step && !one.info.steps)) continue;
      const { step, ...asked } = request;
      const query = Object.entries(asked).map(([name, value]) => `${name}=${name === "exact" ? 1 : Array.isArray(value) ? value.join("x") : name === "reduce" && step ? `${value},${step}` : value}`).join("&");
      const answer = await fetch(`${store.url}${ITEMS}${encodeURIComponent(row.path)}?format=npy&${query}`);
      if (!answer.ok) continue;
      const host = npy(await answer.arrayBuffer()), mine = await one.read(request);
      const scaled = slope !== 1 || intercept !== 0 ? Array.from(mine.data, (value) => Math.fround(value * slope + intercept)) : mine.data;
      assert.ok(same(mine.data, host) || same(scaled, host), `${row.path} ${JSON.stringify(request)}`);
      compared++;
    }
    one.close();
  }
  assert.ok(compared > 6 * rows.length - 12, `${compared} compared`);
});

test("what is fetched: the head, and the bytes of the frames, once", async () => {
  const item = rows.find((row) => row.path.endsWith("chris_PD.nii.gz") && !row.label), requests = [];
  const get = (url, options) => { requests.push(options.headers.Range); return fetch(url, options); };
  const one = await open(item.path, { fetch: get, firstBytes: item.head_end });
  assert.equal(one.bytesFetched, item.head_end);
  const missing = one.bytesMissing({ reduce: 1 }, 20, 1);
  await one.read({ reduce: 1, frame: 20 });
  assert.equal(one.bytesFetched, item.head_end + missing);
  const before = requests.length;
  await one.read({ reduce: 1, frame: 20 });
  await one.read({ reduce: 2, frame: 20 });
  assert.equal(requests.length, before);
  const seen = [];
  for await (const picture of one.levels({ frame: 20 })) seen.push([picture.width, picture.height]);
  assert.deepEqual(seen.at(-1), [item.width, item.height]);
  assert.equal(seen.length, item.levels);
  // Of every second slice, slice 10 is slice 20, at each level.
  const stepped = [];
  for await (const picture of one.levels({ frame: 10, reduce: 0, step: 1 })) stepped.push(picture);
  assert.equal(stepped.length, item.levels);
  for (const picture of stepped) assert.ok(same(picture.data, (await one.read({ frame: 20, reduce: picture.reduce })).data));
  const between = [];
  for await (const picture of one.levels({ frame: 3, size: [30, 40, 20], exact: true })) between.push([picture.width, picture.height]);
  assert.deepEqual(between, [[30, 40]]);
  await one.read();
  assert.equal(one.bytesFetched, item.ends.at(-1));
  one.close();
  await rejected(one.read(), "argument", /closed/);
});

test("a catalog says what /v1 says", async () => {
  const catalog = await openCatalog(`${store.url}/d/catalog.jsonl.zst`);
  const about = await (await fetch(`${store.url}/v1/datasets/d`)).json();
  assert.deepEqual(catalog.about, about);
  for (const row of rows) assert.deepEqual(catalog.item(row.path), row);
  assert.throws(() => catalog.item("nothing.png"), (error) => error.status === "not found");
  for (const [request, query] of [[{ size: 64 }, "size=64"], [{ reduce: 1, include: "*PD*" }, "reduce=1&include=*PD*"], [{ size: 32, include: "cxr/0000016[0-9]*", policy: "at-least" }, "size=32&include=cxr/0000016[0-9]*&policy=at-least"], [{ size: 64, limit: 3 }, "size=64&limit=3"]]) {
    const lines = (await (await fetch(`${store.url}/v1/datasets/d/plan?${query}`)).text()).trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(catalog.plan(request), lines.slice(1), query);
    assert.deepEqual(catalog.plan({ ...request, totalsOnly: true }), lines.slice(-1));
  }
  catalog.close();
});

test("pictures that others decode, several at the same time: each item gets its own", async () => {
  const decodeJpeg = async (bytes) => { // a grey that says whose bytes these are
    await new Promise((resolve) => { setTimeout(resolve, bytes.length % 7); });
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    let at = 2;
    while (![0xc0, 0xc1].includes(bytes[at + 1])) at += 2 + view.getUint16(at + 2);
    const height = view.getUint16(at + 5), width = view.getUint16(at + 7);
    return { width, height, components: 4, data: new Uint8ClampedArray(4 * width * height).fill(bytes.length % 251) };
  };
  const seen = new Map();
  const items = await Promise.all(["made/photo.jpg", "made/negative.jpg", "made/photo.jpg"].map((path) => open(path, { decodeJpeg: async (bytes) => { const made = await decodeJpeg(bytes); seen.set(path, (seen.get(path) ?? new Set()).add(made.data[0])); return made; } })));
  assert.ok(items.every((one) => one.info.coder === "jpeg"));
  for (let turn = 0; turn < 8; turn++) {
    const pictures = await Promise.all(items.map((one) => one.read({ reduce: 0 })));
    const greys = pictures.map((picture) => new Set(picture.data));
    assert.ok(greys.every((grey) => grey.size === 1));
    assert.deepEqual([...greys[0]], [...greys[2]]);
    assert.notDeepEqual([...greys[0]], [...greys[1]]);
    assert.ok(seen.get("made/photo.jpg").has([...greys[0]][0]) && seen.get("made/negative.jpg").has([...greys[1]][0]));
  }
  items.forEach((one) => one.close());
});

// ---- what goes wrong ----

const file = () => fs.readFileSync(path.join(STORE, "d/items", `${rows.find((row) => row.path.startsWith("cxr/")).path}.mist`));

async function withServer(options, call) {
  const site = await serveFiles("/nowhere", options);
  try { return await call(site); } finally { site.stop(); }
}

test("a server without ranges gives the whole, once", async () => withServer({ files: { "/a.mist": file() }, ranges: false }, async ({ url, requests }) => {
  const one = await openItem(`${url}/a.mist`), picture = await one.read();
  assert.equal(picture.width, 1024);
  assert.equal(requests.length, 1);
  one.close();
}));

test("damage is found, fetched once more, and named", async () => {
  const good = file(), bad = Buffer.from(good);
  bad[good.length - 1000] ^= 1;
  await withServer({ files: { "/a.mist": bad } }, async ({ url, requests }) => {
    const one = await openItem(`${url}/a.mist`);
    await rejected(one.read(), "checksum", /not those that were stored/);
    assert.equal((await one.read({ reduce: 2 })).width, 256); // what is whole can be read
    const [, all, again, ...more] = requests.map((request) => /bytes=(\d+)-(\d+)/.exec(request.range).slice(1).map(Number));
    assert.ok(again[0] > all[0] && again[1] === all[1] && !more.length, "the damaged stretch, and only that, is fetched once more");
    one.close();
  });
  let turn = 0; // damaged on the way, only the first time
  await withServer({ files: { "/a.mist": good }, answer: (request, response) => {
    const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range);
    if (!range || Number(range[1]) === 0 || turn++) return false;
    const part = Buffer.from(good.subarray(Number(range[1]), Number(range[2]) + 1));
    part[5] ^= 255;
    response.writeHead(206, { "Content-Range": `bytes ${range[1]}-${range[2]}/${good.length}` }).end(part);
    return true;
  } }, async ({ url }) => {
    const one = await openItem(`${url}/a.mist`);
    assert.equal((await one.read()).data.length, 1 << 20);
    one.close();
  });
});

test("failures that pass, and ones that do not", async () => {
  const good = file();
  let turn = 0;
  await withServer({ files: { "/a.mist": good }, answer: (request, response) => turn++ < 2 && (response.writeHead(503, { "Retry-After": "0" }).end("{}"), true) }, async ({ url }) => {
    const one = await openItem(`${url}/a.mist`);
    assert.equal(one.info.width, 1024);
    one.close();
  });
  await withServer({ files: { "/cut.mist": good.subarray(0, 100), "/short.mist": good.subarray(0, 50000), "/page.mist": "<!doctype html><p>Please log in", "/empty.mist": "", "/long.mist": Buffer.concat([good, Buffer.alloc(9)]) } }, async ({ url }) => {
    await rejected(openItem(`${url}/cut.mist`), "truncated", /head|ends/);
    await rejected(openItem(`${url}/page.mist`), "corrupt", /./);
    await rejected(openItem(`${url}/empty.mist`), "truncated", /ends/);
    await rejected(openItem(`${url}/nothing.mist`), "not found", /404/);
    const short = await openItem(`${url}/short.mist`);
    await rejected(short.read(), "truncated", /ends/);
    short.close();
  });
  await rejected(openItem("http://127.0.0.1:9/a.mist"), "network", /127\.0\.0\.1/);
});

test("ranges of two versions are never mixed", async () => {
  const good = file();
  let version = 1;
  await withServer({ files: { "/a.mist": good }, answer: (request, response) => { response.setHeader("ETag", `"${version}"`); return false; } }, async ({ url }) => {
    const one = await openItem(`${url}/a.mist`);
    version = 2;
    await rejected(one.read(), "corrupt", /changed/);
    one.close();
  });
});

test("requests that make no sense", async () => {
  const one = await open(rows[0].path);
  for (const request of [{ reduce: 1, size: 3 }, { reduce: -1 }, { reduce: 0.5 }, { size: 0 }, { size: "axb" }, { size: [1, 2, 3, 4] }, { spacing: -1 }, { size: 9, policy: "best" }, { frame: 9999 }, { frame: -1 }, { first: 0, frames: 0 }, { exact: true }]) await assert.rejects(one.read(request), (error) => error.name === "MistError" && error.status === "argument" || assert.fail(`${JSON.stringify(request)}: ${error}`));
  const stop = new AbortController();
  stop.abort();
  await assert.rejects(one.read({ signal: stop.signal, reduce: 0 }), { name: "AbortError" });
  one.close();
});

test("ten thousand damaged heads and bodies: a sentence, never a trap", async () => {
  let seed = 12345, opened = 0, refused = 0;
  const random = (n) => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed % n; };
  const sources = rows.slice(0, 8).map((row) => fs.readFileSync(path.join(STORE, "d/items", `${row.path}.mist`))).filter((bytes) => bytes.length < 500000);
  assert.ok(sources.length >= 3);
  for (let i = 0; i < 10000; i++) {
    const bytes = new Uint8Array(sources[i % sources.length]), head = new DataView(bytes.buffer, bytes.byteOffset).getUint32(20, true);
    for (let k = random(4) + 1; k > 0; k--) bytes[i % 3 ? random(head) : head + random(bytes.length - head)] = random(256);
    const cut = i % 5 ? bytes : bytes.subarray(0, random(bytes.length) + 1);
    const get = async (url, { headers: { Range } }) => {
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec(Range).map(Number);
      if (i % 2) return new Response(cut);
      return from < cut.length ? new Response(cut.slice(from, to + 1), { status: 206 }) : new Response("", { status: 416 });
    };
    const one = openItem("damaged", { fetch: get, firstBytes: 32 + random(4000) });
    try {
      const item = await one;
      opened++;
      try {
        const frame = random(item.info.frames);
        for (const reduce of [item.info.levels - 1, Math.max(0, item.info.levels - 2)]) await item.read({ reduce, frame });
        if (!(i % 7)) await item.read({ reduce: item.info.levels - 1 });
      } finally { item.close(); }
    } catch (error) {
      refused++;
      assert.equal(error.name, "MistError", `${error.stack}`);
    }
  }
  assert.ok(opened > 500 && refused > 500, `${opened} opened, ${refused} refused`);
});
