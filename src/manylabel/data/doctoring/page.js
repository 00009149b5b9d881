// Filter the findings by words and severity; without this script all of them are shown.
(() => {
  "use strict";
  const form = document.getElementById("filters"), words = document.getElementById("words"), shown = document.getElementById("shown");
  const all = [...document.querySelectorAll(".finding")].map((e) => [e, e.textContent.toLowerCase()]);
  const show = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = new Set([...form.querySelectorAll("[name=severity]:checked")].map((box) => box.value));
    let n = 0;
    for (const [element, text] of all) {
      const on = kept.has(element.dataset.severity) && wanted.every((word) => text.includes(word));
      element.hidden = !on;
      n += on;
    }
    shown.textContent = `${n} of ${all.length} shown`;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  show();
})();
