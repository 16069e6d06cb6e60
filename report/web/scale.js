"use strict";
// The upright scale of a panel: it follows what is seen.
const scale = (() => {
  // The extent of what a series shows between two places, the ends of cut lines included.
  function extent({ places, values, joined }, [from, to], [low, high]) {
    const first = Math.max(decode.lastAtMost(places, from), 0), last = Math.min(decode.lastAtMost(places, to) + 1, places.length - 1);
    const take = (value) => { if (value < low) low = value; if (value > high) high = value; };
    for (let index = first; index <= last; index += 1) {
      const place = places[index];
      if (place >= from && place <= to) take(values[index]);
      if (!joined[index]) continue;
      for (const edge of [from, to]) { // a line that crosses an edge
        if (places[index - 1] < edge && place > edge) {
          take(values[index - 1] + ((edge - places[index - 1]) / (place - places[index - 1])) * (values[index] - values[index - 1]));
        }
      }
    }
    return [low, high];
  }

  function of(panel, range) {
    let [low, high] = panel.fixed ?? panel.series.reduce((found, series) => extent(series, range, found), [Infinity, -Infinity]);
    if (low > high) [low, high] = [0, 1];
    for (const limits of panel.limits ?? []) { // a threshold is shown unless it would press the line flat
      const [least, most] = extent(limits, range, [Infinity, -Infinity]);
      if (most > high && most <= high + 2 * (high - low)) high = most;
      if (least < low && least >= low - 2 * (high - low)) low = least;
    }
    const pad = (high - low) * 0.07 || Math.abs(high) * 0.1 || 1;
    return [low - pad, high + pad];
  }

  return { of };
})();
