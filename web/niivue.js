// SPDX-License-Identifier: BSD-2-Clause
// NiiVue (0.69) shows MIST items: volumes at the size that a page needs, sharper in place.
//
//   import { Niivue, NVImage } from "@niivue/niivue";
//   import { loadVolume, useMist } from "./niivue.js";
//   const nv = new Niivue(); await nv.attachTo("canvas");
//   await loadVolume(nv, NVImage, "https://host/v1/datasets/mr/items/a.nii.gz", { size: 64 });  // shown at once
//   await loadVolume(nv, NVImage, "https://host/v1/datasets/mr/items/a.nii.gz");                // the same, sharp
//   useMist(nv);                                          // or: nv.loadVolumes([{ url: ".../a.nii.gz.mist" }])

import { MistError, openItem } from "./mist.js";

// NIfTI-1 datatype and bits of each sample type.
const NIFTI = { u8: [2, 8], s8: [256, 8], u16: [512, 16], s16: [4, 16], u32: [768, 32], s32: [8, 32], f16: [16, 32], f32: [16, 32], f64: [64, 64], s64: [1024, 64], u64: [1280, 64] };

/** What read() gave of a volume, as the bytes of a .nii file (an ArrayBuffer): its affine as sform, slope and intercept. */
export function toNifti(volume, [slope, intercept] = [1, 0]) {
  const { width, height, frames, slices, components, type, affine, spacing, data } = volume;
  if (!(type in NIFTI) || ![1, 3].includes(components) || (components === 3 && type !== "u8")) throw new MistError(`NIfTI has no type for ${components} samples of ${type} a pixel`, "unsupported");
  const depth = Math.min(slices ?? frames, frames), volumes = Math.max(1, Math.floor(frames / depth));
  const bytes = new ArrayBuffer(352 + data.byteLength), view = new DataView(bytes);
  const [datatype, bits] = components === 3 ? [128, 24] : NIFTI[type];
  view.setInt32(0, 348, true);
  [volumes > 1 ? 4 : 3, width, height, depth, volumes, 1, 1, 1].forEach((side, i) => view.setInt16(40 + 2 * i, side, true));
  view.setInt16(70, datatype, true);
  view.setInt16(72, bits, true);
  [1, ...(spacing ?? [1, 1, 1]).map((mm) => mm || 1), 1, 1, 1, 1].forEach((mm, i) => view.setFloat32(76 + 4 * i, mm, true));
  view.setFloat32(108, 352, true);
  view.setFloat32(112, slope, true);
  view.setFloat32(116, intercept, true);
  view.setUint8(123, 2); // millimetres
  if (affine) {
    view.setInt16(254, 1, true);
    affine.slice(0, 12).forEach((value, i) => view.setFloat32(280 + 4 * i, value, true));
  }
  [0x6e, 0x2b, 0x31, 0].forEach((byte, i) => view.setUint8(344 + i, byte)); // "n+1"
  new Uint8Array(bytes, 352).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return bytes;
}

const items = new Map(); // by URL: what was fetched of one is kept for the next size

/** Shows an item in a Niivue at a size ({ size | reduce | spacing, ...read() }), in the place of what it showed of it before. */
export async function loadVolume(nv, NVImage, url, { colormap, opacity, ...request } = {}) {
  if (!items.has(url)) items.set(url, openItem(url));
  const item = await items.get(url).catch((error) => { items.delete(url); throw error; });
  const volume = await item.read(request);
  const label = item.info.label;
  const image = await NVImage.loadFromUrl({ url: toNifti(volume, item.scaling(0)), name: `${decodeURIComponent(String(url).split("/").pop()).replace(/\.mist$/, "")}.nii`, colormap: colormap ?? (label ? "random" : "gray"), opacity: opacity ?? 1 });
  const before = nv.volumes.find((old) => old.mistUrl === url);
  image.mistUrl = url;
  if (before) nv.removeVolume(before);
  nv.addVolume(image);
  return image;
}

/** Lets nv.loadVolumes() take whole .mist files, of which it fetches all bytes itself. */
export function useMist(nv, request = {}) {
  nv.useLoader(async (bytes) => {
    const item = await openItem("volume.mist", { fetch: async () => new Response(bytes) });
    try {
      return toNifti(await item.read(request), item.scaling(0));
    } finally {
      item.close();
    }
  }, "mist", "nii");
}
