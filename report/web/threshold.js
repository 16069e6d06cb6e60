"use strict";
// The slider: which threshold the page shows, and what that changes.
const threshold = (() => {
  const { sweep, channels, strip } = decode.fleet;
  const listeners = [];
  let index = sweep ? sweep.used : 0;

  const isUsed = () => !sweep || index === sweep.used;
  const factor = (place = index) => (sweep ? sweep.factors[place] : 1);
  const known = new Map();

  // The alarms [start, end] of a channel under the threshold at a place of the slider.
  function spans(channel, place = index) {
    if (!sweep || place === sweep.used) return channels[channel].alarms;
    const key = place * channels.length + channel;
    if (!known.has(key)) {
      let from = place;
      while (sweep.spans[from][channel] === 0) from -= 1; // as at the factor before
      const numbers = sweep.spans[from][channel], found = [];
      for (let end = 0, at = 0; at < numbers.length; at += 2) {
        const start = end + numbers[at];
        end = start + numbers[at + 1];
        found.push([start, end]);
      }
      known.set(key, found);
    }
    return known.get(key);
  }

  const meets = ([start, end], others) => others.some(([from, to]) => from <= end && to >= start);

  // Alarms that a lower threshold adds, with the highest factor under which each is one, the highest first.
  function added() {
    if (!sweep || index >= sweep.used) return [];
    const found = channels.flatMap((_, channel) => spans(channel).filter((span) => !meets(span, channels[channel].alarms)).map((span) => {
      let top = index;
      while (top + 1 < sweep.used && meets(span, spans(channel, top + 1))) top += 1;
      return { channel, span, factor: factor(top) };
    }));
    return found.sort((a, b) => b.factor - a.factor);
  }

  // ---- strips: the bars of alarms and the height of the threshold

  function cell(channel, step) {
    const { steps, edges } = channels[channel];
    return edges ? Math.max(decode.lastAtMost(edges, step), 0) : Math.floor((step * strip.cells) / steps);
  }

  function bars(channel) {
    const filled = new Uint8Array(strip.cells + 2); // one empty cell more on either side
    for (const [start, end] of spans(channel)) {
      const first = Math.min(cell(channel, start), strip.cells - 2);
      filled.fill(1, first + 1, Math.max(cell(channel, end), first + 1) + 2);
    }
    const [top, bottom] = strip.alarms;
    let path = "", first = 0;
    for (let at = 1; at <= strip.cells + 1; at += 1) {
      if (filled[at] && !filled[at - 1]) first = at - 1;
      if (!filled[at] && filled[at - 1]) path += `M${first} ${top}H${at - 1}V${bottom}H${first}Z`;
    }
    return path;
  }

  function height() {
    const part = (Math.log2(factor()) - strip.low) / (strip.high - strip.low);
    return strip.bottom - Math.min(Math.max(part, 0), 1) * (strip.bottom - strip.top);
  }

  function drawStrips() {
    for (const row of document.querySelectorAll("#channels tr[data-channel]")) {
      const channel = Number(row.dataset.channel);
      row.querySelector(".strip .alarm").setAttribute("d", bars(channel));
      row.querySelector(".strip .limit")?.setAttribute("d", `M0 ${height().toFixed(1)}H${strip.cells}`);
      const count = row.querySelector(".count");
      if (count) count.textContent = count.dataset.value = spans(channel).length;
    }
  }

  // ---- figures and the marks in the charts

  function drawFigures() {
    const text = isUsed() ? "as learnt" : `× ${factor().toPrecision(3)}`;
    document.getElementById("factor").textContent = text;
    document.getElementById("slider").setAttribute("aria-valuetext", isUsed() ? text : `${factor().toPrecision(3)} times the learnt threshold`);
    document.getElementById("as-learnt").disabled = isUsed();
    sweep.figures.forEach(({ texts }, place) => {
      const cell = document.querySelector(`[data-figure="${place}"]`);
      cell.textContent = texts[index];
      if (isUsed() || texts[index] === texts[sweep.used]) return;
      const before = document.createElement("small");
      before.textContent = `was ${texts[sweep.used]}`;
      cell.append(" ", before);
    });
    for (const chart of document.querySelectorAll("svg[data-places]")) {
      const place = chart.dataset.places.split(",")[index];
      const marker = chart.querySelector(".marker");
      marker.style.display = place ? "" : "none";
      if (place) marker.setAttribute("transform", `translate(${place})`);
    }
  }

  function set(place) {
    index = place;
    document.getElementById("slider").value = place;
    drawFigures();
    drawStrips();
    for (const listener of listeners) listener();
  }

  if (sweep) {
    const slider = document.getElementById("slider");
    slider.value = sweep.used; // a browser may have kept another from before
    slider.addEventListener("input", () => set(Number(slider.value)));
    document.getElementById("as-learnt").addEventListener("click", () => { set(sweep.used); slider.focus(); });
  }

  return { isUsed, factor, spans, meets, added, onChange: (listener) => listeners.push(listener) };
})();
