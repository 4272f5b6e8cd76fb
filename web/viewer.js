// SPDX-License-Identifier: BSD-2-Clause
// An item, looked at: sharper as its bytes arrive, slice by slice or in three planes, windowed in its own units, with
// label maps of the same grid laid over it. Everything is decoded here, by mist.js.

import { bytesText, fill, make } from "./elements.js";
import { openItem } from "./mist.js";
import { canvasOf, labelColour, labelCounts, paint, paintLabels, usualWindow } from "./picture.js";

// Of CT, in Hounsfield units: [name, centre, width].
const CT_WINDOWS = [["Brain", 40, 80], ["Subdural", 75, 215], ["Stroke", 40, 40], ["Soft tissue", 50, 400], ["Lung", -600, 1500], ["Bone", 400, 1800]];
const MOST_VOXELS = 2 ** 27; // of a volume in memory: beyond that a smaller level is kept
const PLANES = [["Axial", 0, 1, 2], ["Coronal", 0, 2, 1], ["Sagittal", 1, 2, 0]]; // across, down, through: array axes

// Which end of an array axis is which side of the patient, by the affine (RAS+): ["L", "R"] ...; null where unknown.
function sidesOf(affine, axis) {
  if (!affine) return null;
  const column = [affine[axis], affine[4 + axis], affine[8 + axis]];
  const largest = [0, 1, 2].reduce((a, b) => (Math.abs(column[b]) > Math.abs(column[a]) ? b : a));
  if (!column[largest]) return null;
  const letters = ["LR", "PA", "IS"][largest];
  return column[largest] > 0 ? [letters[0], letters[1]] : [letters[1], letters[0]];
}

// The plane whose normal is nearest to the axis it looks along.
function planeName(affine, through, fallback) {
  const sides = sidesOf(affine, through);
  return sides ? { L: "Sagittal", R: "Sagittal", A: "Coronal", P: "Coronal", S: "Axial", I: "Axial" }[sides[0]] : fallback;
}

// ---- what is shown: samples of one frame, or of a volume, at some level ----

class Layer {
  constructor(item) {
    this.item = item;
    this.frame = null; // { frame, picture }
    this.volume = null; // what read() gave of all slices of one volume, and `first`
  }

  // Where sample n of a level of reduce r is centred, in full-size pixels: offset of its left edge.
  offset(reduce) { return this.item.info.centred ? 0 : 0.5 - 2 ** reduce / 2; }
}

// A plane of a volume as RGBA: [pixels, width, height, millimetres of a pixel across and down].
function slicePixels(volume, [, across, down, through], at, flips, put) {
  const sides = [volume.width, volume.height, volume.depth], strides = [1, volume.width, volume.width * volume.height];
  const [w, h] = [sides[across], sides[down]], c = volume.components;
  const samples = new volume.data.constructor(w * h * c);
  for (let y = 0; y < h; y++) {
    const row = at * strides[through] + (flips[1] ? h - 1 - y : y) * strides[down];
    for (let x = 0; x < w; x++) {
      const from = (row + (flips[0] ? w - 1 - x : x) * strides[across]) * c;
      for (let k = 0; k < c; k++) samples[(y * w + x) * c + k] = volume.data[from + k];
    }
  }
  const rgba = new Uint8Array(4 * w * h);
  put(rgba, { ...volume, data: samples });
  return canvasOf(rgba, w, h);
}

/** Fills `root` with a viewer of the item at `url`, until `signal` aborts. `others`: label maps that may fit, [{ name, url }]. */
export async function showViewer(root, url, { name, signal, others = async () => [] }) {
  const item = await openItem(url, { signal });
  signal.addEventListener("abort", () => item.close(), { once: true });
  const { info } = item, frames = info.frames, slices = info.slices || frames, volumes = Math.max(1, Math.floor(frames / slices));
  const main = new Layer(item);
  const state = { frame: Math.floor(slices / 2), planes: false, cross: null, zoom: 1, x: 0, y: 0, window: null, overlay: null, hidden: new Set(), opacity: 0.5, turn: 0 };
  const dicomCt = info.format === "dicom" && (info.units === "HU" || (info.intercept?.[0] ?? 0) <= -900);
  const units = info.units || (dicomCt ? "HU" : "");
  const windowed = !info.label && info.components < 3;

  // ---- elements ----
  const canvas = make("canvas", { class: "stage", tabindex: "0", role: "img", "aria-label": `${name}. Arrow keys change the slice, plus and minus zoom.` });
  const planes = PLANES.map(([label]) => make("canvas", { class: "plane", tabindex: "0", role: "img", "aria-label": `${name}, ${label}` }));
  const stage = make("div", { class: "screen" }, canvas), triple = make("div", { class: "screen planes", hidden: "" }, ...planes);
  const bar = make("div"), said = make("p", { "aria-live": "polite", class: "note said" }), probe = make("output", { class: "probe" });
  const slider = make("input", { type: "range", id: "frame", min: 0, max: frames - 1, value: state.frame });
  const sliceText = make("output", { for: "frame" });
  const center = make("input", { type: "number", id: "center", step: "any" }), width = make("input", { type: "number", id: "width", step: "any", min: "0" });
  const preset = make("select", { id: "preset" }, make("option", { value: "" }, "Window…"), make("option", { value: "all" }, "Whole range"), make("option", { value: "usual" }, "Usual"),
    ...(info.window ? [make("option", { value: info.window.join(",") }, `As stored ${info.window.join(" / ")}`)] : []));
  const overlayChoice = make("select", { id: "overlay" }, make("option", { value: "" }, "No labels"));
  const overlayBox = make("label", { for: "overlay", hidden: "" }, "Labels", overlayChoice);
  const opacity = make("input", { type: "range", id: "opacity", min: 0, max: 100, value: 50 });
  const opacityBox = make("label", { for: "opacity", hidden: "" }, "Opacity", opacity);
  const legend = make("div", { class: "legend" });
  const modeButton = make("button", { type: "button", class: "plain", "aria-pressed": "false" }, "Three planes");

  // ---- drawing ----
  function fit(element) { // the canvas has the pixels of its place on the screen
    const scale = globalThis.devicePixelRatio || 1, w = Math.max(1, Math.round(element.clientWidth * scale)), h = Math.max(1, Math.round(element.clientHeight * scale));
    if (element.width !== w || element.height !== h) { element.width = w; element.height = h; }
    return element.getContext("2d");
  }

  const put = (layer, frame) => (rgba, picture) => {
    if (layer.item.info.label) paintLabels(rgba, picture, 0, state.hidden);
    else paint(rgba, picture, 0, state.window, ...layer.item.scaling(frame), Boolean(layer.item.info.white_is_zero));
  };

  function pixelSize() { // of the full picture, on the screen: aspect by spacing
    const [sx, sy] = info.spacing[0] > 0 && info.spacing[1] > 0 ? info.spacing : [1, 1];
    return [1, sy / sx];
  }

  function placeOf(element) {
    const [px, py] = pixelSize();
    const scale = Math.min(element.width / (info.width * px), element.height / (info.height * py)) * state.zoom, ratio = globalThis.devicePixelRatio || 1;
    return { sx: scale * px, sy: scale * py, x: element.width / 2 + state.x * ratio - (info.width * px * scale) / 2, y: element.height / 2 + state.y * ratio - (info.height * py * scale) / 2 };
  }

  function drawFrame() {
    const context = fit(canvas), place = placeOf(canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const layer of [main, state.overlay]) {
      if (!layer?.frame) continue;
      const { picture, frame } = layer.frame, step = 2 ** picture.reduce, off = layer.offset(picture.reduce);
      const rgba = new Uint8Array(4 * picture.width * picture.height);
      put(layer, frame)(rgba, picture);
      layer.canvas = canvasOf(rgba, picture.width, picture.height, layer.canvas);
      context.imageSmoothingEnabled = !layer.item.info.label && place.sx * step < 8;
      context.imageSmoothingQuality = "high";
      context.globalAlpha = layer === main ? 1 : state.opacity;
      context.save();
      context.beginPath();
      context.rect(place.x, place.y, info.width * place.sx, info.height * place.sy);
      context.clip();
      context.drawImage(layer.canvas, place.x + off * place.sx, place.y + off * place.sy, picture.width * step * place.sx, picture.height * step * place.sy);
      context.restore();
    }
  }

  function flipsOf(plane, affine) {
    const [, across, down] = plane, a = sidesOf(affine, across), d = sidesOf(affine, down);
    // As radiologists look: the patient's right, or front, on the left; front, or head, above.
    return { flips: [a ? ["R", "A"].includes(a[1]) : false, d ? ["A", "S"].includes(d[1]) : down === 2], a, d };
  }

  function drawPlanes() {
    const volume = main.volume;
    if (!volume) return;
    const extent = [info.width, info.height, slices].map((side, axis) => side * (info.spacing[axis] > 0 ? info.spacing[axis] : axis < 2 ? info.spacing[0] || 1 : info.spacing[0] || 1));
    PLANES.forEach((plane, index) => {
      const element = planes[index], context = fit(element), [label, across, down, through] = plane;
      const { flips, a, d } = flipsOf(plane, info.affine);
      const scale = Math.min(element.width / extent[across], element.height / extent[down]);
      const w = extent[across] * scale, h = extent[down] * scale, x = (element.width - w) / 2, y = (element.height - h) / 2;
      context.clearRect(0, 0, element.width, element.height);
      for (const layer of [main, state.overlay]) {
        if (!layer?.volume) continue;
        const sides = [layer.volume.width, layer.volume.height, layer.volume.depth], at = Math.min(sides[through] - 1, Math.floor((state.cross[through] / [info.width, info.height, slices][through]) * sides[through]));
        const image = slicePixels(layer.volume, plane, at, flips, put(layer, layer.volume.first));
        context.imageSmoothingEnabled = !layer.item.info.label;
        context.globalAlpha = layer === main ? 1 : state.opacity;
        context.drawImage(image, x, y, w, h);
      }
      context.globalAlpha = 1;
      const part = (axis, flip) => { const f = (state.cross[axis] + 0.5) / [info.width, info.height, slices][axis]; return flip ? 1 - f : f; };
      context.strokeStyle = "rgba(111, 208, 226, .8)";
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x + part(across, flips[0]) * w, y);
      context.lineTo(x + part(across, flips[0]) * w, y + h);
      context.moveTo(x, y + part(down, flips[1]) * h);
      context.lineTo(x + w, y + part(down, flips[1]) * h);
      context.stroke();
      const ratio = globalThis.devicePixelRatio || 1;
      context.fillStyle = "#cfe8ee";
      context.font = `${12 * ratio}px system-ui, sans-serif`;
      context.textBaseline = "top";
      context.fillText(`${planeName(info.affine, through, label)} ${Math.round(state.cross[through]) + 1}`, 8 * ratio, 8 * ratio);
      context.textBaseline = "middle";
      if (a) { context.fillText(a[flips[0] ? 1 : 0], 8 * ratio, element.height / 2); context.fillText(a[flips[0] ? 0 : 1], element.width - 18 * ratio, element.height / 2); }
      if (d) { context.fillText(d[flips[1] ? 1 : 0], element.width / 2, 14 * ratio); context.fillText(d[flips[1] ? 0 : 1], element.width / 2, element.height - 12 * ratio); }
      element.plane = { x, y, w, h, flips, plane };
    });
  }

  let waiting = false;
  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; if (!signal.aborted && state.window) (state.planes ? drawPlanes : drawFrame)(); });
  }

  // ---- bytes ----
  function sayBytes(what) {
    const bytes = item.bytesFetched + (state.overlay?.item.bytesFetched ?? 0), part = info.source_bytes ? bytes / info.source_bytes : 1;
    bar.style.width = `${Math.min(100, 100 * part)}%`;
    said.textContent = `${what}: ${bytesText(bytes)} fetched so far; the original has ${bytesText(info.source_bytes)}`;
  }

  function sayLegend(picture) {
    if (!state.overlay && !info.label) { fill(legend); return; }
    const counts = labelCounts(picture.data, 64);
    fill(legend, ...[...counts.keys()].filter(Boolean).map((value) => {
      const colour = labelColour(value), swatch = make("span", { class: "swatch" });
      swatch.style.background = `rgb(${colour.join(",")})`;
      const button = make("button", { type: "button", class: "plain", "aria-pressed": String(!state.hidden.has(value)), title: "Show or hide" }, swatch, ` ${value}`);
      button.addEventListener("click", () => { if (!state.hidden.delete(value)) state.hidden.add(value); button.setAttribute("aria-pressed", String(!state.hidden.has(value))); draw(); });
      return button;
    }));
  }

  function setWindow(low, high, typed = false) {
    state.window = { low, high };
    if (!typed) {
      const digits = high - low > 20 ? 0 : 3;
      center.value = ((low + high) / 2).toFixed(digits);
      width.value = (high - low).toFixed(digits);
    }
    draw();
  }

  // Air is far below water in CT alone: files of other formats do not say what they are of.
  function offerCtWindows(picture, slope, intercept) {
    if (preset.dataset.ct || !(dicomCt || (!info.units && picture.data.some?.((sample) => Number(sample) * slope + intercept <= -500)))) return;
    preset.dataset.ct = "yes";
    preset.append(...CT_WINDOWS.map(([label, c, w]) => make("option", { value: `${c},${w}` }, `${label} ${c} / ${w}`)));
  }

  function firstWindow(picture) {
    const [slope, intercept] = item.scaling(state.frame);
    if (windowed) offerCtWindows(picture, slope, intercept);
    if (state.window) return;
    if (info.window && windowed) setWindow(info.window[0] - info.window[1] / 2, info.window[0] + info.window[1] / 2);
    else { const usual = usualWindow(picture, slope, intercept); setWindow(usual.low, usual.high); }
  }

  // ---- loading ----
  const failed = (error) => { if (!signal.aborted && error.name !== "AbortError") { said.textContent = error.message; said.classList.add("error"); } };

  async function sharpenFrame() {
    const mine = ++state.turn, frame = state.frame, scrolled = performance.now();
    sliceText.textContent = frames > 1 ? `${frame + 1} of ${frames}` : "";
    said.classList.remove("error");
    for (let reduce = info.levels - 1; reduce >= 0; reduce--) {
      let shown = 0;
      for (const layer of [main, state.overlay]) {
        if (!layer) continue;
        const r = Math.min(reduce, layer.item.info.levels - 1);
        try {
          const picture = await layer.item.read({ frame, reduce: r, signal });
          if (mine !== state.turn || signal.aborted) return;
          layer.frame = { frame, picture: { ...picture, reduce: r } };
          shown++;
          if (layer === main) firstWindow(picture);
          if (layer === state.overlay || info.label) sayLegend(picture);
        } catch (error) {
          if (mine === state.turn && reduce === 0) failed(error);
          if (signal.aborted) return;
        }
      }
      if (shown) {
        draw();
        sayBytes(`${main.frame?.picture.width ?? 0} × ${main.frame?.picture.height ?? 0}${frames > 1 ? `, slice ${frame + 1} of ${frames}` : ""}`);
      }
      // Who scrolls on sees the small level of each slice; the rest comes once they stay.
      if (frames > 1 && performance.now() - scrolled < 150) await new Promise((resolve) => { setTimeout(resolve, 60); });
      if (mine !== state.turn) return;
    }
  }

  async function sharpenVolume() {
    const mine = ++state.turn, first = Math.floor(state.frame / slices) * slices;
    said.classList.remove("error");
    for (let reduce = info.levels - 1; reduce >= 0; reduce--) {
      const plan = item.plan({ reduce });
      if (plan.width * plan.height * slices > MOST_VOXELS && main.volume) { sayBytes(`${main.volume.width} × ${main.volume.height} × ${slices}, the largest that is kept here`); return; }
      for (const layer of [main, state.overlay]) {
        if (!layer) continue;
        try {
          const r = Math.min(reduce, layer.item.info.levels - 1);
          const volume = await layer.item.read({ reduce: r, first, frames: slices, signal });
          if (mine !== state.turn || signal.aborted) return;
          layer.volume = { ...volume, depth: slices, first };
          if (layer === main) firstWindow(volume);
          if (layer === state.overlay || info.label) sayLegend(volume);
        } catch (error) {
          failed(error);
          return;
        }
      }
      draw();
      sayBytes(`${main.volume.width} × ${main.volume.height} × ${slices}`);
      await new Promise((resolve) => { setTimeout(resolve, 0); });
      if (mine !== state.turn) return;
    }
  }

  const sharpen = () => (state.planes ? sharpenVolume() : sharpenFrame()).catch(failed);

  // ---- what the visitor does ----
  function goTo(frame) {
    state.frame = Math.min(frames - 1, Math.max(0, frame));
    slider.value = state.frame;
    if (state.planes) { state.cross[2] = state.frame % slices; draw(); } else sharpen();
  }
  const zoomBy = (factor) => { state.zoom = Math.min(64, Math.max(1, state.zoom * factor)); if (state.zoom === 1) state.x = state.y = 0; draw(); };
  function reset() { Object.assign(state, { zoom: 1, x: 0, y: 0, window: null }); const layer = state.planes ? main.volume : main.frame?.picture; if (layer) firstWindow(layer); draw(); }
  function setMode(on) {
    state.planes = on;
    state.cross ??= [Math.floor(info.width / 2), Math.floor(info.height / 2), state.frame % slices];
    stage.hidden = on;
    triple.hidden = !on;
    modeButton.setAttribute("aria-pressed", String(on));
    modeButton.textContent = on ? "One slice" : "Three planes";
    sharpen();
  }
  modeButton.addEventListener("click", () => setMode(!state.planes));
  slider.addEventListener("input", () => goTo(Number(slider.value)));
  for (const input of [center, width]) input.addEventListener("input", () => { const c = Number(center.value), w = Number(width.value); if (Number.isFinite(c) && w > 0) setWindow(c - w / 2, c + w / 2, true); });
  preset.addEventListener("change", () => {
    const picture = state.planes ? main.volume : main.frame?.picture, [slope, intercept] = item.scaling(state.frame);
    if (preset.value === "usual" && picture) { const usual = usualWindow(picture, slope, intercept); setWindow(usual.low, usual.high); }
    else if (preset.value === "all" && picture) {
      let low = Infinity, high = -Infinity;
      for (const sample of picture.data) { const value = Number(sample); if (value < low) low = value; if (value > high) high = value; }
      if (high > low) setWindow(Math.min(low * slope, high * slope) + intercept, Math.max(low * slope, high * slope) + intercept);
    } else if (preset.value) { const [c, w] = preset.value.split(",").map(Number); setWindow(c - w / 2, c + w / 2); }
    preset.value = "";
  });
  opacity.addEventListener("input", () => { state.opacity = opacity.value / 100; draw(); });
  overlayChoice.addEventListener("change", async () => {
    state.overlay?.item.close();
    state.overlay = null;
    state.hidden.clear();
    opacityBox.hidden = !overlayChoice.value;
    fill(legend);
    try { if (overlayChoice.value) state.overlay = new Layer(await openItem(overlayChoice.value, { signal })); } catch (error) { failed(error); }
    sharpen();
  });

  stage.addEventListener("wheel", (event) => { event.preventDefault(); if (frames > 1 && !event.ctrlKey) goTo(state.frame + Math.sign(event.deltaY)); else zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2); }, { passive: false });
  const fingers = new Map();
  let apart = 0;
  stage.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, event); apart = 0; stage.setPointerCapture(event.pointerId); canvas.focus({ preventScroll: true }); });
  stage.addEventListener("pointermove", (event) => {
    const old = fingers.get(event.pointerId);
    if (!old) { sayValue(event); return; }
    fingers.set(event.pointerId, event);
    const dx = event.clientX - old.clientX, dy = event.clientY - old.clientY;
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()], now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      if (apart) zoomBy(now / apart);
      apart = now;
      state.x += dx / 2;
      state.y += dy / 2;
    } else if (event.shiftKey || event.buttons === 4 || !windowed || state.zoom > 1 && event.pointerType === "touch") {
      state.x += dx;
      state.y += dy;
    } else if (event.pointerType === "touch" && frames > 1 && Math.abs(dy) > Math.abs(dx)) {
      goTo(state.frame + Math.sign(dy));
    } else if (state.window) { // across: width, down: centre
      const span = state.window.high - state.window.low, w = Math.max(1e-6, span * (1 + dx / 250)), c = (state.window.low + state.window.high) / 2 + (dy * span) / 250;
      setWindow(c - w / 2, c + w / 2);
    }
    draw();
  });
  for (const event of ["pointerup", "pointercancel"]) stage.addEventListener(event, (at) => { fingers.delete(at.pointerId); apart = 0; });

  function sayValue(event) {
    const shown = main.frame?.picture;
    if (!shown) return;
    const place = placeOf(canvas), ratio = globalThis.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) * ratio - place.x) / place.sx), y = Math.floor(((event.clientY - box.top) * ratio - place.y) / place.sy);
    if (x < 0 || y < 0 || x >= info.width || y >= info.height) { probe.textContent = ""; return; }
    const step = 2 ** shown.reduce, at = (Math.min(shown.height - 1, Math.round(y / step)) * shown.width + Math.min(shown.width - 1, Math.round(x / step))) * shown.components;
    const [slope, intercept] = item.scaling(state.frame), values = [];
    for (let c = 0; c < shown.components; c++) values.push(info.label ? Number(shown.data[at + c]) : +(Number(shown.data[at + c]) * slope + intercept).toPrecision(6));
    const a = info.affine, k = state.frame % slices, mm = a ? [0, 1, 2].map((i) => (a[4 * i] * x + a[4 * i + 1] * y + a[4 * i + 2] * k + a[4 * i + 3]).toFixed(1)).join(", ") : null;
    probe.textContent = `column ${x}, row ${y}${mm ? `, ${mm} mm` : ""}: ${values.join(", ")} ${units}${shown.reduce ? ` (at 1/${step})` : ""}`;
  }

  planes.forEach((element) => {
    const move = (event) => {
      if (!event.buttons && event.type === "pointermove") return;
      const { x, y, w, h, flips, plane } = element.plane ?? {};
      if (!w) return;
      const ratio = globalThis.devicePixelRatio || 1, box = element.getBoundingClientRect(), sides = [info.width, info.height, slices];
      const part = (value, flip) => Math.min(0.999, Math.max(0, flip ? 1 - value : value));
      state.cross[plane[1]] = Math.floor(part(((event.clientX - box.left) * ratio - x) / w, flips[0]) * sides[plane[1]]);
      state.cross[plane[2]] = Math.floor(part(((event.clientY - box.top) * ratio - y) / h, flips[1]) * sides[plane[2]]);
      state.frame = Math.floor(state.frame / slices) * slices + state.cross[2];
      slider.value = state.frame;
      draw();
    };
    element.addEventListener("pointerdown", (event) => { element.setPointerCapture(event.pointerId); move(event); });
    element.addEventListener("pointermove", move);
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      const through = element.plane?.plane[3];
      if (through === undefined) return;
      state.cross[through] = Math.min([info.width, info.height, slices][through] - 1, Math.max(0, state.cross[through] + Math.sign(event.deltaY)));
      draw();
    }, { passive: false });
  });

  document.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { ArrowUp: () => goTo(state.frame - 1), ArrowDown: () => goTo(state.frame + 1), PageUp: () => goTo(state.frame - 10), PageDown: () => goTo(state.frame + 10), Home: () => goTo(0), End: () => goTo(frames - 1), "+": () => zoomBy(1.2), "-": () => zoomBy(1 / 1.2), 0: reset, p: () => slices > 1 && setMode(!state.planes) };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }, { signal });
  new ResizeObserver(() => draw()).observe(stage.parentElement ?? root);
  addEventListener("resize", draw, { signal });

  root.append(stage, triple, probe,
    make("div", { class: "bar", role: "img", "aria-label": "Bytes fetched so far against the original's" }, bar), said,
    make("div", { class: "controls" },
      frames > 1 ? make("label", { for: "frame" }, volumes > 1 ? `Slice (${volumes} volumes of ${slices}) ` : "Slice ", sliceText, slider) : null,
      windowed ? make("label", { for: "center" }, `Centre${units ? ` (${units})` : ""}`, center) : null,
      windowed ? make("label", { for: "width" }, "Width", width) : null,
      windowed ? make("label", { for: "preset" }, "Preset", preset) : null,
      overlayBox, opacityBox,
      make("div", { class: "buttons" }, slices > 1 ? modeButton : null, make("button", { type: "button", onclick: () => zoomBy(1.5), "aria-label": "Zoom in" }, "+"),
        make("button", { type: "button", onclick: () => zoomBy(1 / 1.5), "aria-label": "Zoom out" }, "−"), make("button", { type: "button", class: "plain", onclick: reset }, "Reset"))),
    legend,
    make("p", { class: "note" }, `${frames > 1 ? "The wheel and the arrow keys change the slice. " : ""}${windowed ? "Dragging sets the window: across its width, down its centre. " : ""}Shift and dragging, or two fingers, move; + and − zoom; 0 resets${slices > 1 ? "; p shows three planes" : ""}; Escape goes back.`));
  sharpen();
  others(info).then(async (candidates) => {
    for (const candidate of candidates) {
      try {
        const other = await openItem(candidate.url, { signal });
        const fits = other.info.label && other.info.width === info.width && other.info.height === info.height && other.info.frames === frames;
        other.close();
        if (fits) { overlayChoice.append(make("option", { value: candidate.url }, candidate.name)); overlayBox.hidden = false; }
      } catch { /* one that cannot be read fits not */ }
    }
  }).catch(() => {});
  // For tests, and for whoever looks from the console.
  root.mistViewer = { item, state, main };
  return item;
}
