// SPDX-License-Identifier: BSD-2-Clause
// The page at "/" of `mist serve`: datasets, what a size costs, items, and a viewer that sharpens as levels arrive.
// All that it shows comes from /v1 (docs/http.md); texts of datasets are put in as text, never as HTML.

const main = document.getElementById("main");
const trail = document.getElementById("trail");
const THUMBNAIL = 112;
const MOST_SHOWN = 200;
const MOST_PLANNED = 20000; // items: of more, a plan is asked for where the slider stops, not while it moves
let stop = new AbortController(); // what the view that is being left still fetches

// ---- elements ----

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Instead of all that was in it; null is left out.
function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

const counted = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

function bytesText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; unit++) bytes /= 1000;
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

function timeText(seconds) {
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function percent(part, whole) {
  const share = whole ? (100 * part) / whole : 0;
  return `${share < 10 ? share.toFixed(1) : Math.round(share)} %`;
}

// What ends when the view is left, or when something newer is asked for.
const either = (newer) => (AbortSignal.any ? AbortSignal.any([newer.signal, stop.signal]) : newer.signal);

// ---- the host ----

const datasetUrl = (dataset) => `v1/datasets/${encodeURIComponent(dataset)}`;
const itemUrl = (dataset, path) => `${datasetUrl(dataset)}/items/${encodeURIComponent(path)}`;
const frameUrl = (dataset, path, frame, reduce) => `${itemUrl(dataset, path)}/frames/${frame}?reduce=${reduce}&accept=image/jpeg`;

async function ask(url, signal = stop.signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "application/json" } });
  if (answer.ok) return answer;
  let sentence = answer.statusText;
  try { sentence = (await answer.json()).error || sentence; } catch { /* no JSON: the status says it */ }
  throw new Error(sentence);
}

const askJson = async (url) => (await ask(url)).json();

// Calls `each` with every line of a plan, and resolves to its totals; an answer without them is not complete.
async function askPlan(dataset, parameters, each = () => {}, signal = stop.signal) {
  const answer = await ask(`${datasetUrl(dataset)}/plan?${new URLSearchParams(parameters)}`, signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", totals = null;
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const row = JSON.parse(line);
      if ("items" in row) totals = row;
      else each(row);
    }
    if (done) break;
  }
  if (!totals) throw new Error("the host's plan ended early; reload the page");
  return totals;
}

// ---- parts of views ----

function link(text, place) {
  return make("a", { href: `#${new URLSearchParams(place)}` }, text);
}

function picture(dataset, path, frame, reduce, description) {
  const tile = make("div", { class: "tile" });
  tile.append(make("img", {
    src: frameUrl(dataset, path, frame, reduce), alt: description, loading: "lazy",
    onerror: () => fill(tile, "no picture of this kind"),
  }));
  return tile;
}

const middle = (row) => Math.floor((row.frames ?? row.slices ?? 1) / 2);

function command(what, text) {
  const button = make("button", { class: "plain", type: "button", "aria-label": `Copy the ${what} command` }, "Copy");
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(button.previousSibling); button.textContent = "Selected"; }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return make("div", { class: "command" }, make("code", {}, text), button);
}

function cardTable(card) {
  const rows = Object.entries(card ?? {}).filter(([, value]) => typeof value === "string" && value);
  return rows.length ? make("table", {}, ...rows.map(([name, value]) => make("tr", {}, make("th", {}, name), make("td", {}, value)))) : null;
}

// The smallest planned pictures of up to `count` items.
async function thumbnails(dataset, count, parameters = {}, signal = stop.signal) {
  const rows = [];
  await askPlan(dataset, { size: THUMBNAIL, policy: "at-least", limit: count, ...parameters }, (row) => {
    if (row.path && !row.refused) rows.push(row);
  }, signal);
  return rows;
}

// ---- all datasets ----

async function showDatasets() {
  const { datasets } = await askJson("v1/datasets");
  fill(main, make("h1", {}, "Medical images, at the size that you need"),
    make("p", { class: "soft" }, "Every image is stored once, losslessly, at full resolution. Choose a dataset, move the slider, and download only the bytes of that size."));
  if (!datasets.length) main.append(make("p", {}, "There is no dataset yet: mist encode FILES -o STORE --dataset NAME makes one."));
  for (const row of datasets) {
    const stored = row.item_bytes + row.file_bytes;
    const strip = make("div", { class: "strip" });
    main.append(make("section", { class: "card" }, make("h2", {}, link(row.dataset, { d: row.dataset })),
      make("div", {}, `${counted(row.items, "item")} and ${counted(row.files, "other file")}: ${bytesText(stored)}, of ${bytesText(row.source_bytes)} before`),
      cardTable(row.card), strip));
    thumbnails(row.dataset, 8).then((items) => strip.append(...items.map(
      (item) => picture(row.dataset, item.path, middle(item), item.reduce, item.path)))).catch(() => {});
  }
}

// ---- one dataset ----

async function showDataset(dataset) {
  const about = await askJson(datasetUrl(dataset));
  const [sample] = await thumbnails(dataset, 1);
  const facts = sample ? (await askJson(`${datasetUrl(dataset)}/items?limit=1`)).items[0] : null;
  const originals = about.source_bytes;
  const cost = make("div", { "aria-live": "polite" });
  const sizes = [32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048, 0];
  const slider = make("input", { type: "range", id: "size", min: 0, max: sizes.length - 1, value: sizes.indexOf(256) });
  const chosen = make("output", { for: "size" });
  const shown = make("div", { class: "pair" });
  const commands = make("div");
  let asked = new AbortController(), later = 0;

  async function plan() {
    const size = sizes[slider.value], parameters = size ? { size } : { reduce: 0 };
    asked.abort();
    asked = new AbortController();
    const signal = either(asked);
    let mine = null, larger = 0;
    try {
      const totals = await askPlan(dataset, parameters, (row) => {
        if (sample && row.path === sample.path) mine = row;
        larger += row.not_reduced ? 1 : 0;
      }, signal);
      const times = [10, 100, 1000].map((rate) => make("tr", {}, make("th", {}, `at ${rate} Mbit/s`), make("td", {}, timeText((totals.bytes * 8) / (rate * 1e6)))));
      fill(cost, make("div", { class: "big" }, bytesText(totals.bytes)),
        make("div", {}, `${totals.bytes.toLocaleString("en")} bytes to fetch, ${percent(totals.bytes, originals)} of the originals' ${bytesText(originals)}`),
        make("table", {}, ...times),
        larger ? make("p", { class: "note" }, `${larger} of them come larger than asked for; the plan says why.`) : null);
      if (mine) {
        const full = facts && facts.path === mine.path ? `${facts.width} × ${facts.height}` : "full size";
        fill(shown, 
          make("figure", {}, picture(dataset, mine.path, middle(mine), mine.reduce, `${mine.path} at this size`), make("figcaption", {}, `${mine.width} × ${mine.height}: ${bytesText(mine.bytes)}`)),
          make("figure", {}, picture(dataset, mine.path, middle(facts ?? mine), 0, `${mine.path} at full size`), make("figcaption", {}, `${full}: ${bytesText(mine.size)}`)));
      }
    } catch (error) {
      if (error.name !== "AbortError") fill(cost, make("p", { class: "error" }, error.message));
    }
  }

  function moved() {
    const size = sizes[slider.value], origin = new URL(".", location).href.replace(/\/$/, "");
    const words = size ? `${size} pixels on the shorter side` : "full resolution";
    chosen.textContent = words;
    slider.setAttribute("aria-valuetext", words);
    const url = `${origin}/${encodeURIComponent(dataset)}`, flag = size ? ` --size ${size}` : "";
    fill(commands, 
      command("mist", `mist get ${url} -o ${dataset}${size ? `-${size}` : ""}${flag}`),
      command("Python", `import pymist\ndataset = pymist.Dataset("${url}"${size ? `, size=${size}` : ""})`));
    if (sample) commands.append(command("curl", `curl -o item.mist "${origin}/${itemUrl(dataset, sample.path)}${size ? `?size=${size}` : ""}"`));
    clearTimeout(later);
    if (about.items <= MOST_PLANNED) later = setTimeout(plan, 120);
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
    const parameters = !text ? {} : text.includes("=") ? { where: text } : { include: `*${text.replace(/[[\]*?\\]/g, "?")}*` };
    try {
      const rows = await thumbnails(dataset, MOST_SHOWN, parameters, signal);
      count.textContent = rows.length < MOST_SHOWN ? counted(rows.length, "item") : `the first ${MOST_SHOWN}; a search finds the others`;
      fill(grid, ...rows.map((row) => make("a", { class: "item", href: `#${new URLSearchParams({ d: dataset, i: row.path })}` },
        picture(dataset, row.path, middle(row), row.reduce, ""), row.path)));
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
  moved();
  if (about.items > MOST_PLANNED) plan();
  await find();
}

// ---- one item ----

async function showItem(dataset, path) {
  // Listings begin behind a path: the one just before this is the path with its last character taken back by one.
  const before = path.slice(0, -1);
  let facts = null;
  for (let after = before; !facts && after !== null;) {
    const page = await askJson(`${datasetUrl(dataset)}/items?${new URLSearchParams({ limit: 200, after })}`);
    facts = page.items.find((row) => row.path === path) ?? null;
    after = page.items.some((row) => row.path === path) || !page.items.length || page.items[0].path.slice(0, before.length) !== before ? null : page.next;
  }
  if (!facts) throw new Error(`${path}: there is no such item`);
  const frames = facts.frames ?? facts.slices ?? 1, levels = facts.levels;
  const image = make("img", { alt: path, draggable: "false" });
  const screen = make("div", { class: "screen" }, image);
  const bar = make("div"), said = make("p", { "aria-live": "polite", class: "note" });
  const slider = make("input", { type: "range", id: "frame", min: 0, max: frames - 1, value: Math.floor(frames / 2) });
  const bright = make("input", { type: "range", id: "bright", min: 20, max: 300, value: 100 });
  const contrast = make("input", { type: "range", id: "contrast", min: 20, max: 400, value: 100 });
  let view = { zoom: 1, x: 0, y: 0 }, turn = 0;

  function place() {
    image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    image.style.filter = `brightness(${bright.value}%) contrast(${contrast.value}%)`;
  }

  function sayLevel(reduce) {
    const sent = facts.ends[levels - 1 - reduce];
    bar.style.width = `${Math.min(100, (100 * sent) / facts.source_bytes)}%`;
    const size = `${Math.ceil(facts.width / 2 ** reduce)} × ${Math.ceil(facts.height / 2 ** reduce)}`;
    said.textContent = `${size}${frames > 1 ? `, slice ${Number(slider.value) + 1} of ${frames}` : ""}: the first ${bytesText(sent)} of the item hold ${frames > 1 ? "all slices" : "it"}; the original has ${bytesText(facts.source_bytes)}`;
  }

  async function sharpen() {
    const mine = ++turn, frame = Number(slider.value);
    let shown = 0;
    for (let reduce = levels - 1; reduce >= 0 && mine === turn && !stop.signal.aborted; reduce--) {
      const next = new Image();
      next.src = frameUrl(dataset, path, frame, reduce);
      try { await next.decode(); } catch { continue; }
      if (mine !== turn) return;
      image.src = next.src;
      shown++;
      sayLevel(reduce);
      if (frames > 1) await new Promise((resolve) => { setTimeout(resolve, 80); }); // who scrolls needs no more than this
    }
    if (!shown && mine === turn) said.textContent = "The host makes no picture of items of this kind; mist get fetches it.";
  }

  const zoomBy = (factor) => { view.zoom = Math.min(32, Math.max(1, view.zoom * factor)); if (view.zoom === 1) view = { zoom: 1, x: 0, y: 0 }; place(); };
  const step = (by) => { slider.value = Number(slider.value) + by; sharpen(); };
  screen.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (frames > 1 && !event.ctrlKey) step(Math.sign(event.deltaY));
    else zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2);
  }, { passive: false });
  const fingers = new Map();
  let apart = 0;
  screen.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, event); apart = 0; screen.setPointerCapture(event.pointerId); });
  screen.addEventListener("pointermove", (event) => {
    const old = fingers.get(event.pointerId);
    if (!old) return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()], now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      if (apart) zoomBy(now / apart);
      apart = now;
    } else {
      view.x += event.clientX - old.clientX;
      view.y += event.clientY - old.clientY;
      place();
    }
  });
  for (const name of ["pointerup", "pointercancel"]) screen.addEventListener(name, (event) => { fingers.delete(event.pointerId); apart = 0; });
  document.addEventListener("keydown", (event) => {
    if (event.target.tagName === "INPUT") return;
    const keys = { ArrowUp: () => step(-1), ArrowDown: () => step(1), PageUp: () => step(-10), PageDown: () => step(10), "+": () => zoomBy(1.2), "-": () => zoomBy(1 / 1.2), 0: reset, Escape: () => { location.hash = new URLSearchParams({ d: dataset }); } };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }, { signal: stop.signal });
  function reset() {
    view = { zoom: 1, x: 0, y: 0 };
    bright.value = contrast.value = 100;
    place();
  }
  slider.addEventListener("input", sharpen);
  for (const input of [bright, contrast]) input.addEventListener("input", place);

  const told = Object.entries(facts).filter(([name, value]) => !["ends", "head_end", "ranges", "columns"].includes(name) && typeof value !== "object");
  fill(main, make("h1", {}, path), screen,
    make("div", { class: "controls" },
      frames > 1 ? make("label", { for: "frame" }, "Slice", slider) : null,
      make("label", { for: "bright" }, "Brightness", bright), make("label", { for: "contrast" }, "Contrast", contrast),
      make("div", {}, make("button", { type: "button", onclick: () => zoomBy(1.5), "aria-label": "Zoom in" }, "+"), " ",
        make("button", { type: "button", onclick: () => zoomBy(1 / 1.5), "aria-label": "Zoom out" }, "−"), " ",
        make("button", { type: "button", class: "plain", onclick: reset }, "Reset"))),
    make("div", { class: "bar", role: "img", "aria-label": "Bytes of this size against the original's" }, bar), said,
    make("p", { class: "note" }, "Arrow keys or the wheel change the slice, + and − zoom, dragging moves, 0 resets, Escape goes back. The picture is a preview of 8 bits."),
    make("details", {}, make("summary", {}, "What is known of it"),
      make("table", {}, ...told.concat(Object.entries(facts.columns ?? {})).map(([name, value]) => make("tr", {}, make("th", {}, name), make("td", {}, String(value)))))),
    make("h2", {}, "Download it"),
    command("mist", `mist get ${new URL(".", location).href}${encodeURIComponent(dataset)} -o ${dataset} --include '${path}'`));
  place();
  await sharpen();
}

// ---- where we are ----

async function show() {
  stop.abort();
  stop = new AbortController();
  const place = new URLSearchParams(location.hash.slice(1)), dataset = place.get("d"), item = place.get("i");
  document.title = `${item ?? dataset ?? "Datasets"}: MIST`;
  fill(trail, ...(dataset ? [link(dataset, { d: dataset })] : []), ...(item ? [" / ", item] : []));
  try {
    if (item) await showItem(dataset, item);
    else if (dataset) await showDataset(dataset);
    else await showDatasets();
  } catch (error) {
    if (error.name !== "AbortError") fill(main, make("p", { class: "error" }, `${error.message}. `), make("a", { href: "#" }, "All datasets"));
  }
}
addEventListener("hashchange", () => { show(); main.focus(); });
show();
