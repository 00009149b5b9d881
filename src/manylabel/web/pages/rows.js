// The labels of one photograph: name, bar with its threshold, probability, thumbs.
import { send } from "./api.js";
import { sha256 } from "./digest.js";
import { icon, make, percent, say } from "./dom.js";

const THUMB = "M3.5 10.5h3.2v9.2H3.5zM9 10.6l3.6-7.1c1.5 0 2.5 1.1 2.2 2.6l-.7 3.4h4.6c1.3 0 2.2 1.2 1.9 2.4l-1.5 6c-.2 1-1.1 1.7-2.1 1.7H9z";
const WORDS = { up: "right", down: "wrong" };

// A row; `about.verdicts` says whether thumbs are kept.
export function makeRow(photo, name, about) {
  const row = { photo, name, verdict: null, busy: false };
  row.button = make("button", { type: "button", class: "label-name", "aria-pressed": "false" }, make("span", { class: "name" }, name), make("small"));
  row.cut = make("i", { class: "cut" });
  row.fill = make("i", { class: "fill" });
  row.share = make("span", { class: "share", "aria-hidden": "true" });
  row.thumbs = ["up", "down"].map((verdict) => thumb(row, verdict, about));
  row.node = make("li", { class: "label", "data-name": name },
    row.button, make("span", { class: "track", "aria-hidden": "true" }, row.fill, row.cut), row.share, make("span", { class: "thumbs" }, ...row.thumbs));
  return row;
}

function thumb(row, verdict, about) {
  const what = `${row.name} is ${WORDS[verdict]}`, why = about.verdicts ? "" : ": not kept, the server was started without --review FILE";
  return make("button", {
    type: "button", class: `thumb ${verdict}`, title: what + why, "aria-label": what + why, "aria-pressed": "false",
    "aria-disabled": about.verdicts ? null : "true", onclick: about.verdicts ? () => judge(row, verdict) : null,
  }, icon(THUMB, verdict === "down"));
}

// Fit a row to what is listed now.
export function fitRow(row, { p, alone, cut, label, decided }) {
  row.p = p;
  Object.assign(row.node.dataset, { probability: p, threshold: cut });
  row.node.classList.toggle("decided", decided);
  row.fill.style.width = `${100 * p}%`;
  row.cut.style.left = `${100 * cut}%`;
  row.share.textContent = percent(p);
  const above = label.ancestors.length ? [`a kind of ${label.ancestors.join(", ")}`] : [];
  const raised = alone < p ? [`${percent(alone)} by itself`] : [];
  row.button.querySelector("small").textContent = [...above, ...raised].join("; ");
  const seen = label.train_positives == null ? "" : `; ${label.train_positives.toLocaleString("en")} training images`;
  row.button.title = [...(label.aliases.length ? [`also ${label.aliases.join(", ")}`] : []), `threshold ${percent(cut)}${seen}`].join("; ");
  row.button.setAttribute("aria-label", `${row.name}, ${percent(p)}, ${decided ? "present" : "not decided present"}, ${raised.map((words) => `${words}, `).join("")}threshold ${percent(cut)}. Heat map`);
}

// The same verdict again takes it back.
async function judge(row, verdict) {
  if (row.busy) return;
  row.busy = true;
  row.node.setAttribute("aria-busy", "true");
  const wanted = row.verdict === verdict ? null : verdict;
  try {
    row.photo.digest ??= sha256(await row.photo.file.arrayBuffer());
    await send("/feedback", { image: row.photo.file.name || "photograph", sha256: await row.photo.digest, label: row.name, verdict: wanted ?? "undo", probability: row.p });
    row.verdict = wanted;
    say(wanted ? `${row.name} marked ${WORDS[wanted]}.` : `${row.name}: verdict taken back.`);
  } catch (problem) {
    row.photo.card.complain(`The verdict on ${row.name} was not kept: ${problem.message}`);
  }
  row.thumbs.forEach((button, k) => button.setAttribute("aria-pressed", String(row.verdict === ["up", "down"][k])));
  row.node.removeAttribute("aria-busy");
  row.busy = false;
}
