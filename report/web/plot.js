"use strict";
// A plot over time on a canvas: lines and lanes, one panel under the other, above one axis.
const plot = (() => {
  const LEFT = 54, RIGHT = 12, TITLE = 20, AXIS = 38, DATES = 14, FEWEST = 4; // pixels; steps that are shown at least

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  };

  const all = new Set();
  // colours change when the reader's system turns dark or light
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => all.forEach((one) => one.draw()));

  class Plot {
    constructor(box) {
      all.add(this);
      this.box = box;
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "img");
      this.readout = document.createElement("p");
      this.readout.className = "readout";
      this.hover = null; // step under the pointer
      this.picked = null; // the two places between which the pointer is drawn
      box.replaceChildren(this.canvas, this.readout);
      this.observer = new ResizeObserver(() => this.draw());
      this.observer.observe(box);
      gestures.attach(this);
    }

    // Shows what there is, from and to a place.
    set(content, range) {
      this.content = content;
      this.canvas.setAttribute("aria-label", content.label);
      this.show(range ?? content.whole);
      this.paint(); // at once, so that what is below stands where it will
    }

    show([from, to]) {
      const [first, last] = this.content.whole;
      const width = Math.min(Math.max(to - from, FEWEST * this.content.clock.usual), last - first);
      const start = Math.min(Math.max(from, first), last - width);
      this.range = [start, start + width];
      [this.box.dataset.from, this.box.dataset.to] = this.range;
      this.draw();
    }

    remove() {
      all.delete(this);
      this.observer.disconnect();
      this.box.replaceChildren();
      this.content = null;
    }

    // The scale is that of the last painting: to ask the page for a width is slow.
    toPixel(place) { return this.inner[0] + (place - this.range[0]) * this.perPlace; }
    toPlace(pixel) { const [a, b] = this.inner, [from, to] = this.range; return from + ((pixel - a) / (b - a)) * (to - from); }

    draw() { // once per frame, whatever calls
      this.due ??= requestAnimationFrame(() => { this.due = null; if (this.content && this.box.isConnected) this.paint(); });
    }

    paint() {
      cancelAnimationFrame(this.due);
      this.due = null;
      const { content, canvas } = this, ratio = devicePixelRatio || 1, width = this.box.clientWidth;
      this.inner = [LEFT, Math.max(width - RIGHT, LEFT + 1)];
      this.perPlace = (this.inner[1] - LEFT) / (this.range[1] - this.range[0]);
      const axis = AXIS + (content.clock.timed ? DATES : 0); // dates stand below the times of day
      const height = content.panels.reduce((sum, panel) => sum + TITLE + panel.height, axis);
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
        canvas.style.height = `${height}px`;
      }
      this.pen = canvas.getContext("2d");
      this.colour = colours();
      this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.pen.clearRect(0, 0, width, height);
      this.pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
      this.pen.lineJoin = "round";
      const bottom = height - axis;
      this.paintBands(TITLE, bottom);
      const marks = this.paintAxis(bottom);
      let top = 0;
      for (const panel of content.panels) {
        top += TITLE;
        if (panel.spans) this.paintLane(panel, top);
        else this.paintLines(panel, top, marks);
        this.paintTitle(panel, top);
        top += panel.height;
      }
      this.paintHover(bottom);
    }

    text(text, x, y, align, colour = "muted") {
      this.pen.textAlign = align;
      this.pen.fillStyle = this.colour(colour);
      this.pen.fillText(text, x, y);
    }

    rule(x, y, toX, toY, colour, width = 1, dash = []) {
      const { pen } = this;
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(toX, toY);
      pen.strokeStyle = this.colour(colour);
      pen.lineWidth = width;
      pen.setLineDash(dash);
      pen.stroke();
      pen.setLineDash([]);
    }

    clip(top, bottom, paint) {
      const [a, b] = this.inner;
      this.pen.save();
      this.pen.beginPath();
      this.pen.rect(a, top, b - a, bottom - top);
      this.pen.clip();
      paint();
      this.pen.restore();
    }

    paintBands(top, bottom) {
      this.clip(top, bottom, () => {
        for (const { from, to, fill, edge } of this.content.bands) {
          if (to < this.range[0] || from > this.range[1]) continue;
          const x = this.toPixel(from), width = Math.max(this.toPixel(to) - x, 1);
          this.pen.fillStyle = this.colour(fill);
          this.pen.fillRect(x, top, width, bottom - top);
          for (const side of edge ? [x, x + width] : []) this.rule(side, top, side, bottom, edge, 0.8);
        }
      });
    }

    paintAxis(bottom) {
      const [a, b] = this.inner, ticks = format.axisTicks(...this.range, Math.max((b - a) / 95, 2), this.content.clock);
      this.rule(a, bottom + 0.5, b, bottom + 0.5, "rule");
      let free = -Infinity;
      const shown = ticks.filter(([place]) => place >= this.range[0] && place <= this.range[1]);
      shown.forEach(([place, text, more]) => {
        const x = this.toPixel(place), half = this.pen.measureText(more || text).width / 2;
        this.rule(x, bottom, x, bottom + 4, "rule");
        const middle = Math.min(Math.max(x, a - 30 + half), b + RIGHT - half);
        if (middle - half < free) return;
        this.text(text, middle, bottom + 16, "center");
        if (more) this.text(more, middle, bottom + 30, "center");
        free = middle + half + 8;
      });
      this.text(this.content.title, b, bottom + (this.content.clock.timed ? 46 : 32), "right");
      return shown.map(([place]) => this.toPixel(place));
    }

    paintTitle(panel, top) {
      const [a, b] = this.inner, { pen } = this;
      const value = this.hover === null || panel.spans ? "" : this.valueText(panel);
      const right = value || panel.right || "";
      const room = b - a - pen.measureText(right).width - 16;
      let name = panel.name;
      while (name.length > 2 && pen.measureText(`${name}…`).width > room) name = name.slice(0, -1);
      this.text(name === panel.name ? name : `${name}…`, a, top - 6, "left");
      this.text(right, b, top - 6, "right", value ? "ink" : "muted");
    }

    paintLane({ spans, height, colour }, top) {
      this.rule(...[this.inner[0], top + height / 2, this.inner[1], top + height / 2], "grid");
      this.clip(top, top + height, () => {
        this.pen.fillStyle = this.colour(colour);
        for (const [from, to] of spans) { // at least two pixels wide
          if (to < this.range[0] || from > this.range[1]) continue;
          const x = this.toPixel(from);
          this.pen.fillRect(x, top, Math.max(this.toPixel(to) - x, 2), height);
        }
      });
    }

    paintLines(panel, top, marks) {
      const { pen } = this, [a, b] = this.inner, bottom = top + panel.height;
      const [low, high] = scale.of(panel, this.range);
      const toY = (value) => bottom - ((value - low) / (high - low)) * panel.height;
      for (const x of marks) this.rule(x, top, x, bottom, "grid");
      if (!panel.narrow) {
        for (const [value, text] of format.ticks(low, high, panel.height / 30)) {
          const y = Math.round(toY(value)) + 0.5;
          this.rule(a, y, b, y, "grid");
          if (y > top + 3 && y < bottom + 1) this.text(text, a - 6, y + 4, "right");
        }
      }
      this.rule(a - 0.5, top, a - 0.5, bottom, "rule");
      this.clip(top - 2, bottom + 2, () => {
        for (const series of [...(panel.limits ?? []), ...panel.series]) this.paintSeries(series, toY);
      });
      if (this.hover !== null) this.paintDots(panel, toY, top, bottom);
      pen.lineWidth = 1;
    }

    paintSeries({ places, values, joined, colour, width = 1.2, dash = [] }, toY) {
      const { pen } = this, [from, to] = this.range;
      const first = Math.max(decode.lastAtMost(places, from), 0), last = Math.min(decode.lastAtMost(places, to) + 1, places.length - 1);
      const alone = [];
      // of a line that goes up and down within a pixel only the ends and the extremes there are drawn
      let at = NaN, low = 0, high = 0, end = 0;
      const leave = () => {
        if (low === high) return;
        pen.lineTo(at, low);
        pen.lineTo(at, high);
        pen.lineTo(at, end);
      };
      pen.beginPath();
      for (let index = first; index <= last; index += 1) {
        if (Number.isNaN(values[index])) continue;
        const x = this.toPixel(places[index]), y = toY(values[index]), pixel = Math.round(x * 2) / 2;
        const goesOn = joined[index] && index > first;
        if (goesOn && pixel === at) {
          [low, high, end] = [Math.min(low, y), Math.max(high, y), y];
          continue;
        }
        leave();
        if (goesOn) pen.lineTo(x, y);
        else pen.moveTo(x, y);
        if (!joined[index] && !joined[index + 1]) alone.push([x, y]);
        [at, low, high, end] = [pixel, y, y, y];
      }
      leave();
      pen.strokeStyle = pen.fillStyle = this.colour(colour);
      pen.lineWidth = width;
      pen.setLineDash(dash);
      pen.stroke();
      pen.setLineDash([]);
      for (const [x, y] of alone) pen.fillRect(x - 1.3, y - 1.3, 2.6, 2.6);
    }

    // The point of a series nearest to a step; -1 where the step was not measured or not drawn.
    pointAt({ steps, values }, step) {
      const before = decode.lastAtMost(steps, step);
      const near = before + 1 < steps.length && (before < 0 || steps[before + 1] - step < step - steps[before]) ? before + 1 : before;
      return near >= 0 && !Number.isNaN(values[near]) && Math.abs(steps[near] - step) <= this.reach(steps, before) ? near : -1;
    }

    reach(steps, before) { return before >= 0 && before + 1 < steps.length ? steps[before + 1] - steps[before] : this.content.stride; }

    valueText({ series }) {
      const point = this.pointAt(series[0], this.hover);
      return point < 0 ? "" : format.short(series[0].values[point]);
    }

    paintDots({ series: [series] }, toY, top, bottom) {
      const point = this.pointAt(series, this.hover);
      if (point < 0) return;
      const x = this.toPixel(this.content.clock.at(this.hover)), y = Math.min(Math.max(toY(series.values[point]), top), bottom);
      this.pen.beginPath();
      this.pen.arc(x, y, 3, 0, 7);
      this.pen.fillStyle = this.colour(series.colour);
      this.pen.fill();
    }

    paintHover(bottom) {
      const { content, pen } = this;
      if (this.picked) {
        const [x, toX] = this.picked.map((place) => this.toPixel(place));
        pen.globalAlpha = 0.15;
        pen.fillStyle = this.colour("link");
        pen.fillRect(x, TITLE, toX - x, bottom - TITLE);
        pen.globalAlpha = 1;
      }
      if (this.hover === null) {
        this.readout.textContent = content.hint;
        return;
      }
      const x = this.toPixel(content.clock.at(this.hover));
      this.rule(x, TITLE, x, bottom, "muted", 0.8);
      const values = content.panels.filter((panel) => !panel.spans).map((panel) => [panel.name, this.valueText(panel)]);
      const told = values.filter(([, text]) => text).map(([name, text]) => `${name} ${text}`);
      this.readout.textContent = [format.placeText(this.hover, content.clock), ...told, ...content.remarks(this.hover)].join(" · ");
    }
  }

  return { Plot };
})();
