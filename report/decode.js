"use strict";
// The data of a channel as numbers again: what encoding.py has shortened.
const decode = (() => {
  // Differences of steps, -n for n differences of 1, as steps.
  function stepsOf(differences) {
    const steps = [];
    let step = 0;
    for (const difference of differences) {
      if (difference >= 0) steps.push((step += difference));
      else for (let left = difference; left < 0; left += 1) steps.push((step += 1));
    }
    return steps;
  }

  // Differences of integers in units of 1 / per, null where there is none, as numbers.
  function valuesOf(differences, per) {
    let sum = 0;
    return differences.map((difference) => (difference === null ? null : (sum += difference) / per));
  }

  const seriesOf = ({ x, y, per, ...rest }) => ({ ...rest, x: stepsOf(x), y: valuesOf(y, per) });

  // plotly shows dates as if they were UTC, which keeps wall-clock time as it is; fractions of ms are written behind it
  const isoText = (ms) => {
    const whole = Math.floor(ms + 5e-5);
    return new Date(whole).toISOString().slice(0, -1) + String(Math.max(0, Math.round((ms - whole) * 1e3))).padStart(3, "0");
  };

  // The time axis of a channel: where a step lies on it, and from where to where it reaches.
  function clockOf({ steps, times }) {
    if (!times) {
      return { at: (step) => step, left: (step) => step - 0.5, right: (step) => step + 0.5, breaks: [], offset: () => "" };
    }
    const known = stepsOf(times.steps), ms = valuesOf(times.at, times.per);
    const last = steps - 1, half = times.usual / 2;
    const between = (step) => { // the times known on both sides of a step, on a straight line
      let [low, high] = [0, known.length - 1];
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (known[middle] <= step) low = middle;
        else high = middle;
      }
      const part = high > low ? (step - known[low]) / (known[high] - known[low]) : 0;
      return ms[low] + part * (ms[high] - ms[low]);
    };
    return {
      at: (step) => isoText(between(step)),
      left: (step) => isoText(Math.max(step > 0 ? between(step - 0.5) : -Infinity, between(step) - half)),
      right: (step) => isoText(Math.min(step < last ? between(step + 0.5) : Infinity, between(step) + half)),
      breaks: stepsOf(times.breaks),
      offset: (step) => times.offsets.findLast(([from]) => from <= step)?.[1] ?? "",
    };
  }

  // The page leaves out the inside of flat runs; hovering needs a point every `stride` steps, so they are put back.
  function fillFlatRuns({ x, y }, stride) {
    const full = { x: [], y: [] };
    x.forEach((step, index) => {
      if (index > 0 && y[index] !== null && y[index] === y[index - 1]) {
        for (let between = (Math.floor(x[index - 1] / stride) + 1) * stride; between < step; between += stride) {
          full.x.push(between);
          full.y.push(y[index]);
        }
      }
      full.x.push(step);
      full.y.push(y[index]);
    });
    return full;
  }

  // A null wherever no line may go on from one step to the next.
  function breakLines({ x, y }, breaks) {
    const broken = { x: [], y: [] };
    let next = 0;
    x.forEach((step, index) => {
      if (next < breaks.length && breaks[next] < step) {
        if (index > 0) {
          broken.x.push(x[index - 1]);
          broken.y.push(null);
        }
        while (next < breaks.length && breaks[next] < step) next += 1;
      }
      broken.x.push(step);
      broken.y.push(y[index]);
    });
    return broken;
  }

  // Points without a neighbour, which no line reaches.
  function alonePoints({ x, y }) {
    const known = (index) => y[index] !== null && y[index] !== undefined;
    const kept = x.map((_, index) => index).filter((index) => known(index) && !known(index - 1) && !known(index + 1));
    return { x: kept.map((index) => x[index]), y: kept.map((index) => y[index]) };
  }

  return { seriesOf, clockOf, fillFlatRuns, breakLines, alonePoints };
})();
