"use strict";
// The plots of the page, drawn by plotly from the JSON that stands in it.
const plots = (() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // ---- plots: what all of them share

  const CONFIG = {
    displaylogo: false,
    responsive: true,
    showTips: false,
    modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
  };
  const font = () => ({ family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("muted") });
  const axis = () => ({
    gridcolor: colour("grid"), linecolor: colour("rule"), zeroline: false, showline: true, ticks: "outside",
    ticklen: 4, tickcolor: colour("rule"), automargin: false,
  });
  const title = (text) => ({ text, standoff: 8, font: { ...font(), size: 13 } });
  const layout = () => ({
    font: font(), paper_bgcolor: colour("paper"), plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
    hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("rule"), font: { ...font(), color: colour("ink") }, namelength: -1 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: colour("ink") },
    dragmode: "zoom",
  });

  // ---- ROC and precision-recall curves

  function drawCurves(curves) {
    const draw = (id, shape, xTitle, yTitle, guess) => {
      const traces = curves[id].map((curve, number) => ({
        x: curve.x, y: curve.y, name: escapeText(curve.name), mode: "lines", hovertemplate: "%{y:.3f} at %{x:.3f}",
        line: { color: colour(`curve-${number % 7}`), width: number ? 1.6 : 3, dash: curve.dash, shape },
      }));
      Plotly.react(id, traces.reverse(), { // reversed: the model, first in the list, lies on top
        ...layout(), margin: { l: 52, r: 12, t: 28, b: 46 },
        xaxis: { ...axis(), range: [-0.01, 1.01], title: title(xTitle) },
        yaxis: { ...axis(), range: [-0.01, 1.01], title: title(yTitle) },
        shapes: [{ type: "line", x0: 0, x1: 1, ...guess, layer: "below", line: { color: colour("muted"), width: 1, dash: "dot" } }],
        hovermode: "closest",
      }, CONFIG);
    };
    draw("roc", "linear", "false positive rate", "true positive rate", { y0: 0, y1: 1 });
    // as steps: the area under them is the average precision
    draw("pr", "vh", "recall", "precision", { y0: curves.prevalence, y1: curves.prevalence });
  }

  // ---- one channel: columns, alarms and score above one time axis

  const GAP = 28, TOP = 46, BOTTOM = 44, DATES = 16; // pixels; a gap holds the title of the panel below it

  function panelsOf(channel) {
    const panels = channel.columns.map((column, number) => ({
      ...decode.seriesOf(column), height: number === 0 ? 150 : column.switch ? 22 : 80,
      colour: number > 0 && column.switch ? "more" : "value", narrow: number > 0 && column.switch,
    }));
    const hidden = channel.hidden ? `and ${channel.hidden} more column${channel.hidden === 1 ? "" : "s"}, not drawn` : "";
    const alarms = { name: channel.alarms.length ? "alarms" : "no alarms", height: 16, narrow: true, alarms: channel.alarms, right: hidden };
    return [...panels, alarms, { name: "time-step score", ...decode.seriesOf(channel.score), height: 170, colour: "ink" }];
  }

  function alarmTrace(alarms, clock) {
    const trace = {
      x: [], y: [], mode: "lines+markers", hoverinfo: "skip", connectgaps: false,
      line: { color: colour("alarm"), width: 11 },
      marker: { symbol: "line-ns", size: 11, line: { color: colour("alarm"), width: 1.5 } }, // seen when a step is thinner than a pixel
    };
    for (const [start, end] of alarms) {
      trace.x.push(clock.left(start), clock.right(end), null);
      trace.y.push(0.5, 0.5, null);
    }
    return trace;
  }

  // What holds at each of the steps x, for the hover text of the score.
  function remarks(x, channel, clock) {
    const format = (step) => step.toLocaleString("en");
    const texts = x.map((step) => (channel.times ? `<br>step ${format(step)}${clock.offset(step) && `, UTC${clock.offset(step)}`}` : ""));
    const mark = (start, end, text) => {
      for (let index = x.findIndex((step) => step >= start); index >= 0 && x[index] <= end; index += 1) texts[index] += text;
    };
    for (const [start, end] of channel.intervals) mark(start, end, `<br>labelled ${start}–${end}`);
    channel.alarms.forEach(([start, end, peak, step], number) => {
      const cause = channel.causes[number] ? `<br>causes: ${escapeText(channel.causes[number])}` : "";
      mark(start, end, `<br>alarm ${start}–${end}, peak ${peak ?? "–"} at ${step}${cause}`);
    });
    return texts;
  }

  function lines(panel, channel, clock, isScore) {
    const filled = decode.breakLines(decode.fillFlatRuns(panel, channel.stride), clock.breaks);
    const trace = (points, look) => ({
      x: points.x.map(clock.at), y: points.y, name: escapeText(panel.name), hovertemplate: isScore ? "%{y}%{text}" : "%{y}",
      ...(isScore && { text: remarks(points.x, channel, clock) }), ...look,
    });
    const drawn = [trace(filled, { mode: "lines", line: { color: colour(panel.colour), width: 1.1 } })];
    const single = decode.alonePoints(filled);
    const dots = { mode: "markers", marker: { color: colour(panel.colour), size: 3 }, hoverinfo: "skip", hovertemplate: undefined };
    if (single.x.length) drawn.push(trace(single, dots));
    return drawn;
  }

  // Draws a channel into the box; `alarm`, a number, is the one to zoom to.
  async function drawChannel(box, channel, alarm = null) {
    const panels = panelsOf(channel), clock = decode.clockOf(channel), last = channel.steps - 1;
    const inner = panels.reduce((sum, panel) => sum + panel.height, 0) + GAP * (panels.length - 1);
    const band = (start, end, fill, line) => ({
      type: "rect", yref: "paper", x0: clock.left(start), x1: clock.right(end), y0: 0, y1: 1, layer: "below",
      fillcolor: colour(fill), line: { color: colour(line), width: 0.6 },
    });
    const shapes = channel.masked.map(([start, end]) => band(start, end, "gap-fill", "gap"));
    shapes.push(...channel.intervals.map(([start, end]) => band(start, end, "label-fill", "label")));
    const whole = [clock.left(0), clock.right(last)];
    const bottomMargin = BOTTOM + (channel.times ? DATES : 0); // dates stand on two lines
    const fine = channel.times?.usual < 1000 ? ".%L" : "";
    const content = {
      ...layout(), height: inner + TOP + bottomMargin, margin: { l: 52, r: 12, t: TOP, b: bottomMargin }, shapes,
      hovermode: "x unified", hoversubplots: "axis", hoverdistance: -1, annotations: [],
      xaxis: {
        ...axis(), range: whole,
        title: { ...title(escapeText(channel.title)), ...(channel.times && { standoff: 8 + DATES }) },
        ...(channel.times ? { type: "date", hoverformat: `%Y-%m-%d %H:%M:%S${fine}` } : { tickformat: ",d" }),
        spikethickness: 1, spikecolor: colour("muted"), spikedash: "solid",
        minallowed: whole[0], maxallowed: whole[1], anchor: `y${panels.length}`,
      },
    };
    const note = (text, side, y) => ({
      text: escapeText(text), xref: "paper", x: side === "left" ? 0 : 1, xanchor: side, yref: "paper", y,
      yanchor: "bottom", yshift: 3, showarrow: false, font: font(),
    });
    let top = 0;
    const traces = panels.flatMap((panel, number) => {
      const key = number ? `${number + 1}` : "";
      const bottom = top + panel.height, y = 1 - top / inner;
      content[`yaxis${key}`] = {
        ...axis(), fixedrange: Boolean(panel.narrow), domain: [1 - bottom / inner, y], nticks: 5,
        ...(panel.narrow && { showticklabels: false, ticks: "", showgrid: false }),
        ...(panel.alarms && { range: [0, 1], showline: false }),
      };
      content.annotations.push(note(panel.name, "left", y));
      if (panel.right) content.annotations.push(note(panel.right, "right", y));
      top = bottom + GAP;
      const drawn = panel.alarms ? [alarmTrace(panel.alarms, clock)] : lines(panel, channel, clock, number === panels.length - 1);
      return drawn.map((trace) => ({ ...trace, xaxis: "x", yaxis: `y${key}` }));
    });
    if (channel.threshold !== null) {
      const y = channel.threshold;
      shapes.push({
        type: "line", xref: "paper", x0: 0, x1: 1, yref: `y${panels.length}`, y0: y, y1: y,
        line: { color: colour("alarm"), width: 1.5, dash: "6px,4px" },
      });
    }
    await Plotly.react(box, traces, content, CONFIG);
    if (alarm === null) return;
    const [start, end] = channel.alarms[alarm];
    const margin = Math.max(2 * (end - start + 1), 50);
    // after the drawing of the whole, to which a double click leads back
    await Plotly.relayout(box, { "xaxis.range": [clock.left(Math.max(start - margin, 0)), clock.right(Math.min(end + margin, last))] });
  }

  // plotly reads some HTML tags and, between dollars, formulas in its texts
  const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;" };
  const escapeText = (text) => text.replace(/[&<>$]/g, (character) => ENTITIES[character]);

  return { drawCurves, drawChannel };
})();
