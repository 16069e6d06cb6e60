"use strict";
// The data of the page as numbers again: what encoding.py has shortened.
const decode = (() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);

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

  // Differences of integers in units of 1 / per, null where there is none, as numbers and NaN.
  function valuesOf(differences, per) {
    let sum = 0;
    return Float64Array.from(differences, (difference) => (difference === null ? NaN : (sum += difference) / per));
  }

  // The last place in ascending numbers whose number is not above x; -1 where there is none.
  function lastAtMost(numbers, x) {
    let [low, high] = [-1, numbers.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (numbers[middle] <= x) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // Where steps lie on the time axis of a channel: in milliseconds since 1970 (UTC), or at their own number.
  function clockOf({ steps, times }) {
    if (!times) {
      return {
        timed: false, at: (step) => step, step: (x) => x, left: (step) => step - 0.5, right: (step) => step + 0.5,
        breaks: [], usual: 1, offsetAt: () => 0, changes: false,
      };
    }
    const known = stepsOf(times.steps), ms = valuesOf(times.at, times.per);
    const last = steps - 1, half = times.usual / 2;
    const between = (from, to, x) => { // a straight line between the numbers known on both sides of x
      const low = Math.min(Math.max(lastAtMost(from, x), 0), Math.max(from.length - 2, 0));
      if (from.length < 2 || from[low + 1] === from[low]) return to[low];
      return to[low] + ((x - from[low]) / (from[low + 1] - from[low])) * (to[low + 1] - to[low]);
    };
    const at = (step) => between(known, ms, step);
    const offsets = times.offsets.map(([step, minutes]) => [step === 0 ? -Infinity : at(step), minutes * 6e4]);
    return {
      timed: true, at, step: (x) => between(ms, known, x),
      left: (step) => Math.max(step > 0 ? at(step - 0.5) : -Infinity, at(step) - half),
      right: (step) => Math.min(step < last ? at(step + 0.5) : Infinity, at(step) + half),
      breaks: stepsOf(times.breaks), usual: times.usual, unit: times.unit, changes: times.changes,
      offsetAt: (x) => offsets.findLast(([from]) => from <= x)?.[1] ?? 0,
      offsets,
    };
  }

  // A series with the place of every point on the time axis, and whether a line leads there from the point before.
  function seriesOf({ x, y, per, ...rest }, clock) {
    const steps = stepsOf(x), values = valuesOf(y, per);
    const joined = new Uint8Array(steps.length);
    let next = 0;
    steps.forEach((step, index) => {
      let broken = false;
      for (; next < clock.breaks.length && clock.breaks[next] < step; next += 1) broken = true;
      joined[index] = index > 0 && !broken && !Number.isNaN(values[index]) && !Number.isNaN(values[index - 1]);
    });
    return { ...rest, steps, values, joined, places: Float64Array.from(steps, clock.at) };
  }

  const channels = new Map();

  // A channel by its number, read when it is first asked for.
  function channel(number) {
    if (!channels.has(number)) {
      const data = read(`channel-${number}`);
      const clock = clockOf(data);
      channels.set(number, {
        ...data, number, clock, score: seriesOf(data.score, clock), columns: data.columns.map((one) => seriesOf(one, clock)),
        limits: data.limits && seriesOf(data.limits, clock),
      });
    }
    return channels.get(number);
  }

  const fleet = read("fleet");

  return { stepsOf, seriesOf, lastAtMost, channel, fleet };
})();
