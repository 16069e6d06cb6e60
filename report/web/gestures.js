"use strict";
// What a reader does with a plot: drag to zoom, shift or a finger to move, pinch, keys, and the buttons below it.
const gestures = (() => {
  const TAP = 4; // pixels that a pointer may move and still point

  function zoom(plot, factor, place = (plot.range[0] + plot.range[1]) / 2) {
    plot.show(plot.range.map((end) => place + (end - place) * factor));
  }

  function move(plot, part) {
    const by = part * (plot.range[1] - plot.range[0]);
    plot.show(plot.range.map((end) => end + by));
  }

  const whole = (plot) => plot.show(plot.content.whole);

  function point(plot, pixel) {
    const { clock, steps } = plot.content;
    const [a, b] = plot.inner;
    const step = Math.round(clock.step(plot.toPlace(Math.min(Math.max(pixel, a), b))));
    plot.hover = Math.min(Math.max(step, 0), steps - 1);
    plot.draw();
  }

  function attach(plot) {
    const { canvas } = plot;
    const pointers = new Map(); // pointers that are down: where, and which place lies under them
    const across = (event) => event.clientX - canvas.getBoundingClientRect().left;
    let start = null; // of a drag by mouse: its pixel, its place, and whether it moves

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const x = across(event);
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, { x, place: plot.toPlace(x) });
      if (event.pointerType === "mouse") start = { x, place: plot.toPlace(x), moves: event.shiftKey };
    });

    canvas.addEventListener("pointermove", (event) => {
      const x = across(event), down = pointers.get(event.pointerId);
      if (!down) {
        if (event.pointerType === "mouse") point(plot, x);
        return;
      }
      down.x = x;
      if (start && !start.moves) {
        if (Math.abs(x - start.x) > TAP) plot.picked = [start.place, plot.toPlace(x)];
        point(plot, x);
      } else drag(plot, [...pointers.values()]);
    });

    const up = (event) => {
      const down = pointers.get(event.pointerId);
      if (!pointers.delete(event.pointerId)) return;
      for (const pointer of pointers.values()) pointer.place = plot.toPlace(pointer.x);
      if (event.pointerType !== "mouse" && event.type === "pointerup") point(plot, down.x);
      const picked = plot.picked;
      [start, plot.picked] = [null, null];
      if (picked && event.type === "pointerup") plot.show(picked.sort((a, b) => a - b));
      else plot.draw();
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "mouse" || pointers.size) return;
      plot.hover = null;
      plot.draw();
    });
    canvas.addEventListener("dblclick", () => whole(plot));
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey) zoom(plot, Math.exp(Math.max(Math.min(event.deltaY, 60), -60) / 100), plot.toPlace(across(event)));
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(plot, event.deltaX / canvas.clientWidth);
      else return;
      event.preventDefault();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const act = KEYS[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      act(plot);
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // Keeps the places under one finger, or under two.
  function drag(plot, [one, two]) {
    const [a, b] = plot.inner, width = plot.range[1] - plot.range[0];
    const scale = two && Math.abs(two.x - one.x) > 8 ? (two.place - one.place) / (two.x - one.x) : width / (b - a);
    if (scale <= 0) return;
    const from = one.place - (one.x - a) * scale;
    plot.show([from, from + scale * (b - a)]);
  }

  const KEYS = {
    "+": (plot) => zoom(plot, 0.5), "=": (plot) => zoom(plot, 0.5), "-": (plot) => zoom(plot, 2),
    ArrowLeft: (plot) => move(plot, -0.25), ArrowRight: (plot) => move(plot, 0.25), 0: whole, Home: whole,
  };

  // Buttons that do the same.
  function buttons(plot) {
    const bar = document.createElement("span");
    bar.className = "buttons";
    for (const [text, title, act] of [
      ["−", "zoom out", (one) => zoom(one, 2)], ["+", "zoom in", (one) => zoom(one, 0.5)],
      ["‹", "earlier", (one) => move(one, -0.5)], ["›", "later", (one) => move(one, 0.5)], ["all", "show all", whole],
    ]) {
      const button = document.createElement("button");
      [button.type, button.textContent, button.title] = ["button", text, title];
      button.setAttribute("aria-label", title);
      button.addEventListener("click", () => act(plot));
      bar.append(button);
    }
    return bar;
  }

  return { attach, buttons };
})();
