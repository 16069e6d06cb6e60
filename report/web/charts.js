"use strict";
// Pointing at a curve tells its values.
(() => {
  for (const chart of document.querySelectorAll("svg.chart")) {
    const [left, top, right, bottom, x0, x1, y0, y1] = chart.dataset.plane.split(" ").map(Number);
    const log = "log" in chart.dataset;
    const readout = chart.parentElement.querySelector(".readout");
    if (!readout || !chart.dataset.x) continue;
    const hint = readout.textContent;
    const curves = [...chart.querySelectorAll(".curve")].map((path) => ({
      name: path.dataset.name,
      points: path.getAttribute("d").slice(1).split("L").map((point) => point.split(" ").map(Number)),
    }));
    const part = (value, from, to) => (value - from) / (to - from);
    const valueAt = ([x, y]) => {
      const across = part(x, left, right);
      return [log ? x0 * (x1 / x0) ** across : x0 + across * (x1 - x0), y0 + part(y, bottom, top) * (y1 - y0)];
    };
    const dot = chart.querySelector(".point");
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect(), [, , width] = chart.getAttribute("viewBox").split(" ").map(Number);
      const scale = width / box.width, at = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
      let best = { distance: 60 };
      for (const { name, points } of curves) {
        for (const point of points) {
          const distance = Math.hypot(point[0] - at[0], point[1] - at[1]);
          if (distance < best.distance) best = { distance, name, point };
        }
      }
      dot.style.display = best.point ? "" : "none";
      if (!best.point) return;
      dot.setAttribute("cx", best.point[0]);
      dot.setAttribute("cy", best.point[1]);
      const [x, y] = valueAt(best.point);
      readout.textContent = `${best.name}: ${chart.dataset.y} ${format.short(Number(y.toPrecision(3)))} at ${chart.dataset.x} ${format.short(Number(x.toPrecision(3)))}`;
    });
    chart.addEventListener("pointerleave", () => {
      dot.style.display = "none";
      readout.textContent = hint;
    });
  }
})();
