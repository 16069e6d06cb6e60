"use strict";
// What a plot shows of a channel: the whole of it, or one alarm closely.
const views = (() => {
  const LANE = 12, FIRST = 140, MORE = 84, SWITCH = 20, SCORE = 130; // pixels
  const DASHES = [6, 4];
  const HINT = matchMedia("(pointer: coarse)").matches
    ? "Move with one finger, zoom with two; tap to read values."
    : "Drag to zoom, shift and drag to move, double-click for all.";

  function columnPanel(channel, column, number, nearest) {
    const narrow = column.switch && number > 0;
    const panel = {
      name: column.name, narrow, height: narrow ? SWITCH : number ? MORE : FIRST,
      series: [{ ...column, colour: narrow ? "more" : "value" }],
    };
    const known = nearest?.values[column.name];
    if (!known) return panel;
    const shifted = { breaks: [], at: (step) => channel.clock.at(step + nearest.from) };
    panel.series.unshift({ ...decode.seriesOf(known, shifted), colour: "near", width: 2, dash: [5, 3] });
    panel.series.reverse();
    return panel;
  }

  function lanes(channel) {
    const { clock } = channel, ends = ([start, end]) => [clock.left(start), clock.right(end)];
    const alarms = threshold.spans(channel.number);
    const found = [{ name: alarms.length ? "alarms" : "no alarms", height: LANE, colour: "alarm", spans: alarms.map(ends) }];
    if (channel.intervals.length) found.unshift({ name: "labelled", height: LANE, colour: "label", spans: channel.intervals.map(ends) });
    return found;
  }

  // A threshold that is the same at every step, as a series.
  function constant({ threshold: value, steps, clock }) {
    if (value === null) return null;
    return { steps: [0, steps - 1], values: [value, value], joined: [0, 1], places: [clock.left(0), clock.right(steps - 1)] };
  }

  function scorePanel(channel) {
    const learnt = channel.limits ?? constant(channel);
    const times = (factor, look) => ({ ...learnt, values: learnt.values.map((value) => value * factor), ...look });
    const limits = learnt ? [times(threshold.factor(), { colour: "alarm", dash: DASHES, width: 1.4 })] : [];
    if (learnt && !threshold.isUsed()) limits.push(times(1, { colour: "muted", dash: [2, 3] }));
    return { name: "score", height: SCORE, series: [{ ...channel.score, colour: "ink" }], limits };
  }

  // What is so at a step, in words.
  function remarks(channel, step) {
    const inside = ([start, end]) => start <= step && step <= end;
    const told = [];
    if (channel.masked.some(inside)) told.push("not measured");
    const label = channel.intervals.find(inside);
    if (label) told.push(`labelled, steps ${format.whole(label[0])} to ${format.whole(label[1])}`);
    const alarm = threshold.spans(channel.number).find(inside);
    if (!alarm) return told;
    const causes = channel.alarms.find(({ span }) => threshold.meets(span, [alarm]))?.causes;
    told.push(`alarm, steps ${format.whole(alarm[0])} to ${format.whole(alarm[1])}${causes ? `: ${causes}` : ""}`);
    return told;
  }

  function content(channel, columns, alarm) {
    const { clock, steps } = channel;
    const band = ([start, end], fill, edge) => ({ from: clock.left(start), to: clock.right(end), fill, edge });
    const panels = columns.map((column, number) => columnPanel(channel, column, number, alarm?.nearest));
    if (panels.length && channel.columns.length + channel.hidden > columns.length) {
      const more = format.plural(channel.columns.length + channel.hidden - columns.length, "more column");
      panels[0].right = alarm ? "" : `and ${more}, not drawn`;
    }
    return {
      clock, steps, stride: channel.stride, title: channel.title, hint: HINT,
      label: `Columns, alarms and score of ${channel.name} over time`,
      whole: [clock.left(0), clock.right(steps - 1)],
      panels: [...panels, ...lanes(channel), scorePanel(channel)],
      bands: [
        ...channel.masked.map((span) => band(span, "gap-fill", "gap")),
        ...(alarm ? [band(alarm.span, "alarm-fill", "alarm")] : []),
        ...channel.intervals.map((span) => band(span, "label-fill", "label")),
      ],
      remarks: (step) => remarks(channel, step),
    };
  }

  const whole = (channel) => content(channel, channel.columns, null);

  // The columns that carry an alarm first, the strongest on top; the first column where none is known.
  function closeUp(channel, alarm) {
    const shown = alarm.shown.map((number) => channel.columns[number]);
    const { clock } = channel, [start, end] = alarm.window;
    return [content(channel, shown, alarm), [clock.left(start), clock.right(end)]];
  }

  // What the colours of a plot mean.
  function marks(channel, alarm) {
    const list = document.createElement("p");
    list.className = "marks";
    const mark = (swatch, text) => {
      const item = document.createElement("span"), sample = document.createElement("i");
      sample.className = `swatch ${swatch}`;
      item.append(sample, text);
      list.append(item);
    };
    mark("alarm", alarm ? "alarm" : format.plural(threshold.spans(channel.number).length, "alarm"));
    if (channel.labels !== null && (!alarm || channel.intervals.length)) mark("label", alarm ? "labelled" : channel.labels);
    if (channel.threshold !== null) {
      const [now, learnt] = [threshold.factor(), 1].map((factor) => format.short(channel.threshold * factor));
      const about = channel.limits ? "threshold about" : "threshold";
      mark("dash", threshold.isUsed() ? `${about} ${now}` : `${about} ${now} (learnt: ${learnt})`);
    }
    if (alarm?.nearest && Object.keys(alarm.nearest.values).length) mark("near", "nearest in training");
    if (channel.masked.length) mark("gap", "not measured");
    if (!alarm && channel.stride > 1) mark("none", `of every ${channel.stride} steps the highest and the lowest are drawn`);
    return list;
  }

  return { whole, closeUp, marks };
})();
