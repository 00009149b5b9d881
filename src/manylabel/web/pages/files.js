// Photographs come in: dropped (folders too), pasted, chosen, or taken by a phone's camera.
import { make } from "./dom.js";

const ENDING = /\.(jpe?g|jpe|png|webp|bmp|gif|tiff?|avif|ppm|pgm|heic|heif)$/i;
const SIDE = 900;

const looks = (file) => file.type.startsWith("image/") || ENDING.test(file.name);

// Tell `take` of files, however they come.
export function welcome(zone, inputs, take) {
  for (const input of inputs) {
    input.addEventListener("change", () => { if (input.files.length) take([...input.files]); input.value = ""; });
  }
  let depth = 0;
  const over = (on) => zone.classList.toggle("over", on);
  addEventListener("dragenter", (event) => { if (carries(event)) { depth++; over(true); } });
  addEventListener("dragleave", (event) => { if (carries(event) && --depth <= 0) { depth = 0; over(false); } });
  addEventListener("dragover", (event) => { if (carries(event)) { event.preventDefault(); event.dataTransfer.dropEffect = "copy"; } });
  addEventListener("drop", async (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    over(false);
    try { take(await dropped(event.dataTransfer)); } catch (problem) { take([], `What was dropped cannot be read: ${problem.message}`); }
  });
  addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files].filter(looks);
    if (files.length) { event.preventDefault(); take(files); }
  });
}

const carries = (event) => [...(event.dataTransfer?.types || [])].includes("Files");

// The files dropped, and the images in folders that were.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  for (const entry of entries) await gather(entry, found);
  return found;
}

async function gather(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    if (looks(file)) found.push(file);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return;
    for (const one of some) await gather(one, found);
  }
}

// A small upright copy for the page; null where this browser cannot read the file, which the server may yet.
export async function thumbnail(file) {
  try {
    const whole = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(whole.width, whole.height));
    const [width, height] = [whole.width, whole.height].map((side) => Math.max(1, Math.round(side * scale)));
    const canvas = make("canvas", { width, height });
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(whole, 0, 0, width, height);
    const size = { width: whole.width, height: whole.height };
    whole.close();
    const blob = await new Promise((done) => canvas.toBlob(done, "image/webp", 0.86));
    return blob && { url: URL.createObjectURL(blob), ...size };
  } catch {
    return null;
  }
}
