// SPDX-License-Identifier: BSD-2-Clause
// The page of a host, or beside the files of a store: datasets, what a size costs, items, and the viewer. Texts of datasets
// are put in as text, never as HTML.

import { bytesText, counted, fill, make, percent, timeText } from "./elements.js";
import { datasetAddress, host } from "./host.js";
import { load, openItem } from "./mist.js";
import { frameCanvas } from "./picture.js";
import { showViewer } from "./viewer.js";

const main = document.getElementById("main");
const trail = document.getElementById("trail");
const THUMBNAIL = 112;
const MOST_SHOWN = 200;
const MOST_PLANNED = 20000; // items: of more, a plan is asked for where the slider stops, not while it moves
const FIRST_BYTES = 65536; // of an item, for a thumbnail: its head and smallest levels, where they are not longer
const AT_ONCE = 6; // thumbnails
let stop = new AbortController(); // what the view that is being left still fetches

// What ends when the view is left, or when something newer is asked for.
const either = (newer) => (AbortSignal.any ? AbortSignal.any([newer.signal, stop.signal]) : newer.signal);

// ---- parts of views ----

const place = (parameters) => `#${new URLSearchParams(parameters)}`;
const middle = (row) => Math.floor((row.frames ?? row.slices ?? 1) / 2);

// Some at a time, those that come into view first.
const queue = [];
let running = 0;
function next() {
  while (running < AT_ONCE && queue.length) {
    running++;
    queue.shift()().catch(() => {}).finally(() => { running--; next(); });
  }
}
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watcher.unobserve(entry.target);
    queue.push(entry.target.mistDraw);
    next();
  }
}, { rootMargin: "200px" });

// A frame of an item, decoded here, once it comes into view.
function picture(dataset, row, reduce, description, signal = stop.signal) {
  const tile = make("div", { class: "tile" }, make("span", { class: "wait" }, ""));
  tile.mistDraw = async () => {
    if (signal.aborted || !tile.isConnected) return;
    let item = null;
    try {
      item = await openItem(host.itemUrl(dataset, row.path), { signal, firstBytes: Math.min(FIRST_BYTES, row.bytes ?? FIRST_BYTES) });
      const frame = Math.min(middle(row), item.info.frames - 1), r = Math.min(reduce, item.info.levels - 1);
      fill(tile, frameCanvas(await item.read({ frame, reduce: r, signal }), item, frame, description));
    } catch (error) {
      if (!signal.aborted) fill(tile, make("span", { title: error.message }, "no picture"));
    } finally {
      item?.close();
    }
  };
  watcher.observe(tile);
  return tile;
}

function command(what, text) {
  const button = make("button", { class: "plain", type: "button", "aria-label": `Copy the ${what} command` }, "Copy");
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(button.previousSibling); button.textContent = "Selected"; }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return make("div", { class: "command" }, make("code", {}, text), button);
}

// Of a shell: quoted where it has to be.
const word = (text) => (/^[A-Za-z0-9_./:=@%+-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`);

function cardTable(card) {
  const rows = Object.entries(card ?? {}).filter(([, value]) => typeof value === "string" && value);
  return rows.length ? make("table", {}, ...rows.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)))) : null;
}

// The smallest planned pictures of up to `count` items.
async function thumbnails(dataset, count, parameters = {}, signal = stop.signal) {
  const rows = [];
  await host.plan(dataset, { size: THUMBNAIL, policy: "at-least", limit: count, ...parameters }, (row) => {
    if (row.path && !row.refused && rows.length < count) rows.push(row);
  }, signal);
  return rows;
}

// ---- all datasets ----

async function showDatasets() {
  const datasets = await host.datasets(stop.signal);
  fill(main, make("h1", {}, "Medical images, at the size that you need"),
    make("p", { class: "soft" }, "Every image is stored once, losslessly, at full resolution. Choose a dataset, move the slider, and download only the bytes of that size."));
  if (!datasets.length) main.append(make("p", {}, "There is no dataset yet: mist encode FILES -o STORE --dataset NAME makes one."));
  for (const row of datasets) {
    const stored = row.item_bytes + row.file_bytes, strip = make("div", { class: "strip" });
    main.append(make("section", { class: "card" }, make("h2", {}, make("a", { href: place({ d: row.dataset }) }, row.dataset)),
      make("div", {}, `${counted(row.items, "item")} and ${counted(row.files, "other file")}: ${bytesText(stored)}, of ${bytesText(row.source_bytes)} before`),
      cardTable(row.card), strip));
    thumbnails(row.dataset, 8).then((items) => strip.append(...items.map((item) => make("a", { href: place({ d: row.dataset, i: item.path }), "aria-label": item.path }, picture(row.dataset, item, item.reduce, item.path))))).catch(() => {});
  }
}

// ---- one dataset ----

async function showDataset(dataset) {
  const about = await host.about(dataset, stop.signal);
  // Of the first ones the largest, which shows best what a size leaves of it.
  const first = await thumbnails(dataset, 12), side = (row) => row.width * 2 ** row.reduce;
  const sample = first.reduce((best, row) => (!best || side(row) > side(best) ? row : best), null);
  const originals = about.source_bytes, cost = make("div", { "aria-live": "polite" });
  const sizes = [32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048, 0];
  const slider = make("input", { type: "range", id: "size", min: 0, max: sizes.length - 1, value: sizes.indexOf(256) });
  const chosen = make("output", { for: "size" }), shown = make("div", { class: "pair" }), commands = make("div");
  let asked = new AbortController(), later = 0, drawn = "";

  // The item at both sizes; again only when the level changes.
  function compare(mine) {
    const key = `${mine.reduce}`;
    if (drawn === key) return;
    drawn = key;
    const full = { ...mine, bytes: mine.size };
    fill(shown,
      make("figure", {}, picture(dataset, mine, mine.reduce, `${mine.path} at this size`), make("figcaption", {}, `${mine.width} × ${mine.height}: ${bytesText(mine.bytes)}`)),
      make("figure", {}, picture(dataset, full, 0, `${mine.path} at full size`), make("figcaption", {}, `full size: ${bytesText(mine.size)}`)));
  }

  async function plan() {
    const size = sizes[slider.value], parameters = size ? { size } : { reduce: 0 };
    asked.abort();
    asked = new AbortController();
    let mine = null, larger = 0;
    try {
      const totals = await host.plan(dataset, parameters, (row) => {
        if (sample && row.path === sample.path) mine = row;
        larger += row.not_reduced ? 1 : 0;
      }, either(asked));
      const times = [10, 100, 1000].map((rate) => make("tr", {}, make("th", { scope: "row" }, `at ${rate} Mbit/s`), make("td", {}, timeText((totals.bytes * 8) / (rate * 1e6)))));
      fill(cost, make("div", { class: "big" }, bytesText(totals.bytes)),
        make("div", {}, `${totals.bytes.toLocaleString("en")} bytes to fetch, ${percent(totals.bytes, originals)} of the originals' ${bytesText(originals)}`),
        make("table", {}, ...times),
        larger ? make("p", { class: "note" }, `${larger} of them come larger than asked for; the plan says why.`) : null);
      if (mine && !mine.refused) compare(mine);
    } catch (error) {
      if (error.name !== "AbortError") fill(cost, make("p", { class: "error" }, error.message));
    }
    say(mine);
  }

  function say(row) {
    const size = sizes[slider.value], url = datasetAddress(dataset), flag = size ? ` --size ${size}` : "";
    fill(commands,
      command("mist", `mist get ${word(url)} -o ${word(`${dataset}${size ? `-${size}` : ""}`)}${flag}`),
      command("Python", `import pymist\ndataset = pymist.Dataset("${url}"${size ? `, size=${size}` : ""})`));
    if (row ?? sample) commands.append(command("curl", `curl${host.curlRange(row ?? sample)} -o item.mist ${word(host.curlUrl(dataset, (row ?? sample).path, row ?? sample))}`));
  }

  function moved() {
    const size = sizes[slider.value], words = size ? `${size} pixels on the shorter side` : "full resolution";
    chosen.textContent = words;
    slider.setAttribute("aria-valuetext", words);
    clearTimeout(later);
    if (about.items <= MOST_PLANNED) later = setTimeout(plan, 120);
    else say(null);
  }
  slider.addEventListener("input", moved);
  if (about.items > MOST_PLANNED) slider.addEventListener("change", plan);

  const grid = make("div", { class: "grid" }), count = make("p", { class: "note", "aria-live": "polite" });
  const search = make("input", { type: "search", id: "search", placeholder: "part of a path, or COLUMN=VALUE" });
  let looked = new AbortController(), soon = 0;
  async function find() {
    const text = search.value.trim();
    looked.abort();
    looked = new AbortController();
    const signal = either(looked);
    const parameters = !text ? {} : /[=<>]/.test(text) ? { where: text } : { include: `*${text.replace(/[[\]*?\\]/g, "?")}*` };
    try {
      const rows = await thumbnails(dataset, MOST_SHOWN, parameters, signal);
      count.textContent = rows.length < MOST_SHOWN ? counted(rows.length, "item") : `the first ${MOST_SHOWN}; a search finds the others`;
      fill(grid, ...rows.map((row) => make("a", { class: "item", href: place({ d: dataset, i: row.path }) }, picture(dataset, row, row.reduce, "", signal), row.path)));
    } catch (error) {
      if (error.name === "AbortError") return;
      fill(grid);
      count.textContent = error.message;
    }
  }
  search.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(find, 200); });

  fill(main, make("h1", {}, dataset),
    make("p", { class: "soft" }, `${counted(about.items, "item")} and ${counted(about.files, "other file")}`), cardTable(about.card),
    make("div", { class: "columns" },
      make("section", { class: "card" }, make("h2", {}, "What a size costs"), make("label", { for: "size" }, "Size: ", chosen), slider, cost, shown),
      make("section", { class: "card" }, make("h2", {}, "Download it"), commands)),
    make("h2", {}, "Items"), make("label", { for: "search" }, "Search"), search, count, grid);
  say(null);
  moved();
  if (about.items > MOST_PLANNED) plan();
  await find();
}

// ---- one item ----

// Items whose names hold that of this one's file: a label map of it is mostly among them.
async function relatives(dataset, path) {
  const stem = path.split("/").pop().replace(/\.[^0-9]*$/, "").replace(/_\d{4}$/, "");
  if (stem.length < 3) return [];
  const rows = await thumbnails(dataset, 12, { include: `*${stem.replace(/[[\]*?\\]/g, "?")}*` });
  return rows.filter((row) => row.path !== path).map((row) => ({ name: row.path, url: host.itemUrl(dataset, row.path) }));
}

async function showItem(dataset, path) {
  const facts = await host.item(dataset, path, stop.signal), { signal } = stop;
  const root = make("section", { "aria-label": "Viewer" });
  const told = Object.entries(facts).filter(([name, value]) => !["ends", "head_end", "ranges", "columns"].includes(name) && typeof value !== "object");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.tagName !== "SELECT") location.hash = place({ d: dataset });
  }, { signal });
  fill(main, make("h1", {}, path), root,
    make("details", {}, make("summary", {}, "What is known of it"),
      make("table", {}, ...told.concat(Object.entries(facts.columns ?? {})).map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, String(value)))))),
    make("h2", {}, "Download it"),
    command("mist", `mist get ${word(datasetAddress(dataset))} -o ${word(dataset)} --include ${word(path)}`));
  try {
    await showViewer(root, host.itemUrl(dataset, path), { name: path, signal, others: () => relatives(dataset, path) });
  } catch (error) {
    if (signal.aborted) return;
    root.append(make("p", { class: "error" }, `${error.message}. mist get fetches it as it is.`));
  }
}

// ---- where we are ----

async function show() {
  stop.abort();
  stop = new AbortController();
  queue.length = 0;
  const where = new URLSearchParams(location.hash.slice(1)), dataset = where.get("d"), item = where.get("i"), { signal } = stop;
  document.title = `${item ?? dataset ?? "Datasets"}: MIST`;
  fill(trail, ...(dataset ? [make("a", { href: place({ d: dataset }) }, dataset)] : []), ...(item ? [" / ", item] : []));
  try {
    await load();
    if (item) await showItem(dataset, item);
    else if (dataset) await showDataset(dataset);
    else await showDatasets();
  } catch (error) {
    if (!signal.aborted) fill(main, make("p", { class: "error" }, `${error.message}. `), make("a", { href: "#" }, "All datasets"));
  }
}
addEventListener("hashchange", () => { show(); main.focus(); });
show();
