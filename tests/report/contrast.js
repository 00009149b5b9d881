// [element, contrast ratio, text] of every text that is seen, by WCAG 2.2: its colour on the colours behind it.
(() => {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const parse = (colour) => { const [r, g, b, a = 1] = numbers(colour), unit = colour.startsWith("color(") ? 255 : 1; return [r * unit, g * unit, b * unit, a]; };
  const over = (top, below) => [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3])).concat(1);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = (c) => 0.2126 * linear(c[0] / 255) + 0.7152 * linear(c[1] / 255) + 0.0722 * linear(c[2] / 255);
  const upwards = function* (e) { for (; e; e = e.parentElement) yield getComputedStyle(e); };
  const behind = (e) => [...upwards(e)].map((s) => parse(s.backgroundColor)).reduceRight((below, c) => over(c, below), [255, 255, 255, 1]);
  const opacity = (e) => [...upwards(e)].reduce((o, s) => o * s.opacity, 1);
  const found = [];
  const look = (e, colour, text) => {
    const back = behind(e), ink = parse(colour);
    ink[3] *= opacity(e);
    const [low, high] = [luminance(over(ink, back)), luminance(back)].sort((a, b) => a - b);
    found.push([`${e.tagName}.${e.getAttribute("class") || ""} in #${e.closest("[id]")?.id}`, (high + 0.05) / (low + 0.05), text]);
  };
  for (const e of document.body.querySelectorAll("*:not(script, noscript, option)")) {
    if (!e.checkVisibility()) continue;
    const style = getComputedStyle(e), text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join(" ").trim();
    if (text) look(e, e instanceof SVGElement ? style.fill : style.color, text);
    for (const side of ["::before", "::after"]) {
      const added = getComputedStyle(e, side);
      if (!["none", "normal", '""'].includes(added.content)) look(e, added.color, added.content);
    }
  }
  return found;
})()
