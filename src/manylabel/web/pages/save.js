// What is shown, as files: JSON as /predict answers, and the CSV of `manylabel predict --csv`.
import { named, threshold } from "./decide.js";
import { download } from "./dom.js";

function entry(photo, view, labels) {
  const image = photo.file.name;
  if (photo.error) return { image, error: photo.error };
  const found = named(photo, view, labels).map(([name, probability]) => {
    const label = labels.get(name), told = { name, probability, threshold: threshold(label, view) };
    if (label.ancestors.length) told.ancestors = label.ancestors;
    if (label.aliases.length) told.aliases = label.aliases;
    return told;
  });
  const own = photo.own.size ? { own: Object.fromEntries(photo.own) } : {};
  return { image, labels: found, probabilities: Object.fromEntries(photo.probabilities), ...own };
}

const done = (photos) => photos.filter((photo) => photo.error || photo.probabilities);

export function saveJson(photos, view, labels, model) {
  const how = { guarantee: view.guarantee ? `recall=${view.guarantee.recall}` : null, shift: view.shift, min_score: view.least };
  const content = { model, decided_by: how, predictions: done(photos).map((photo) => entry(photo, view, labels)) };
  download("predictions.json", JSON.stringify(content, null, 1) + "\n", "application/json");
}

const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

// An image that could not be read is unknown ("?"), not without labels.
export function saveCsv(photos, view, labels) {
  const rows = done(photos).map((photo) => {
    const found = photo.error ? [] : named(photo, view, labels);
    const shares = found.map(([, p]) => p.toFixed(6)).join("|"), words = photo.error ? "?" : found.map(([name]) => name).join("|");
    return [photo.file.name, words, shares, photo.error || ""];
  });
  const lines = [["image", "labels", "probabilities", "error"], ...rows].map((row) => row.map(cell).join(","));
  download("predictions.csv", lines.join("\r\n") + "\r\n", "text/csv");
}
