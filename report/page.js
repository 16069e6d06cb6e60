"use strict";
(() => {
  const channels = document.getElementById("channels");
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
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

  const GAP = 28, TOP = 46, BOTTOM = 44; // pixels; a gap holds the title of the panel below it

  function panelsOf(channel) {
    const panels = channel.columns.map((column, number) => ({
      ...column, height: number === 0 ? 150 : column.switch ? 22 : 80, colour: number === 0 ? "value" : "more",
      narrow: number > 0 && column.switch,
    }));
    const alarms = { name: channel.alarms.length ? "alarms" : "no alarms", height: 16, narrow: true, alarms: channel.alarms };
    return [...panels, alarms, { name: "time-step score", ...channel.score, height: 170, colour: "ink" }];
  }

  function alarmTrace(alarms) {
    const trace = {
      x: [], y: [], mode: "lines+markers", hoverinfo: "skip", connectgaps: false,
      line: { color: colour("alarm"), width: 11 },
      marker: { symbol: "line-ns", size: 11, line: { color: colour("alarm"), width: 1.5 } }, // seen when a step is thinner than a pixel
    };
    for (const [start, end] of alarms) {
      trace.x.push(start - 0.5, end + 0.5, null);
      trace.y.push(0.5, 0.5, null);
    }
    return trace;
  }

  // The page leaves out the inside of flat runs; hovering needs a point every `stride` steps, so they are put back.
  function fillFlatRuns({ x, y }, stride) {
    const full = { x: [], y: [] };
    x.forEach((step, index) => {
      const previous = x[index - 1];
      if (index > 0 && y[index] === y[index - 1]) {
        for (let between = previous + stride; between < step; between += stride) {
          full.x.push(between);
          full.y.push(y[index]);
        }
      }
      full.x.push(step);
      full.y.push(y[index]);
    });
    return full;
  }

  // What holds at each of the steps x, for the hover text of the score.
  function remarks(x, channel) {
    const texts = x.map(() => "");
    const mark = (start, end, text) => {
      for (let index = x.findIndex((step) => step >= start); index >= 0 && x[index] <= end; index += 1) texts[index] += text;
    };
    for (const [start, end] of channel.intervals) mark(start, end, `<br>labelled ${start}–${end}`);
    for (const [start, end, peak, step] of channel.alarms) {
      mark(start, end, `<br>alarm ${start}–${end}, peak ${peak ?? "–"} at ${step}`);
    }
    return texts;
  }

  function drawChannel(box, channel) {
    const panels = panelsOf(channel);
    const inner = panels.reduce((sum, panel) => sum + panel.height, 0) + GAP * (panels.length - 1);
    const shapes = channel.intervals.map(([start, end]) => ({
      type: "rect", yref: "paper", x0: start - 0.5, x1: end + 0.5, y0: 0, y1: 1, layer: "below",
      fillcolor: colour("label-fill"), line: { color: colour("label"), width: 0.6 },
    }));
    const content = {
      ...layout(), height: inner + TOP + BOTTOM, margin: { l: 52, r: 12, t: TOP, b: BOTTOM }, shapes,
      hovermode: "x unified", hoversubplots: "axis", hoverdistance: -1, annotations: [],
      xaxis: {
        ...axis(), range: [-0.5, channel.steps - 0.5], title: title("time step"), tickformat: ",d",
        spikethickness: 1, spikecolor: colour("muted"), spikedash: "solid",
        minallowed: -0.5, maxallowed: channel.steps - 0.5, anchor: `y${panels.length}`,
      },
    };
    let top = 0;
    const traces = panels.map((panel, number) => {
      const key = number ? `${number + 1}` : "";
      const bottom = top + panel.height;
      content[`yaxis${key}`] = {
        ...axis(), fixedrange: Boolean(panel.narrow), domain: [1 - bottom / inner, 1 - top / inner], nticks: 5,
        ...(panel.narrow && { showticklabels: false, ticks: "", showgrid: false }),
        ...(panel.alarms && { range: [0, 1], showline: false }),
      };
      content.annotations.push({
        text: escapeText(panel.name), xref: "paper", x: 0, xanchor: "left", yref: "paper", y: 1 - top / inner,
        yanchor: "bottom", yshift: 3, showarrow: false, font: font(),
      });
      top = bottom + GAP;
      const trace = panel.alarms ? alarmTrace(panel.alarms) : {
        ...fillFlatRuns(panel, channel.stride), name: escapeText(panel.name), mode: "lines", hovertemplate: "%{y}",
        line: { color: colour(panel.colour), width: 1.1 },
      };
      if (number === panels.length - 1) {
        trace.text = remarks(trace.x, channel);
        trace.hovertemplate = "%{y}%{text}";
      }
      return { ...trace, xaxis: "x", yaxis: `y${key}` };
    });
    if (channel.threshold !== null) {
      const y = channel.threshold;
      shapes.push({
        type: "line", xref: "paper", x0: 0, x1: 1, yref: `y${panels.length}`, y0: y, y1: y,
        line: { color: colour("alarm"), width: 1.5, dash: "6px,4px" },
      });
    }
    return Plotly.react(box, traces, content, CONFIG);
  }

  // plotly reads some HTML tags and, between dollars, formulas in its texts
  const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;" };
  const escapeText = (text) => text.replace(/[&<>$]/g, (character) => ENTITIES[character]);

  // ---- the table of channels: open, close, sort

  function element(tag, className, text = "") {
    const node = document.createElement(tag);
    node.className = className;
    node.textContent = text;
    return node;
  }

  function describe(channel) {
    const marks = element("p", "marks");
    const mark = (swatch, text) => {
      const item = element("span", "");
      item.append(element("span", `swatch ${swatch}`), text);
      marks.append(item);
    };
    const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
    mark("shade", channel.labelled ? plural(channel.intervals.length, "labelled interval") : "not labelled");
    mark("alarm", plural(channel.alarms.length, "alarm"));
    if (channel.threshold !== null) mark("dash", `threshold ${Number(channel.threshold.toPrecision(3))}`);
    const drawn = channel.stride > 1 ? ` Of every ${channel.stride} steps the highest and the lowest are drawn.` : "";
    const hint = element("p", "hint", `Drag sideways to zoom into a time span, double-click to see all.${drawn}`);
    return [marks, hint];
  }

  function toggle(row) {
    const button = row.querySelector("button");
    const open = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(open));
    row.classList.toggle("open", open);
    if (!open) {
      Plotly.purge(row.nextElementSibling.querySelector(".plot"));
      row.nextElementSibling.remove();
      return;
    }
    const channel = read(`channel-${row.dataset.channel}`);
    const detail = element("tr", "detail");
    const cell = detail.insertCell();
    const box = element("div", "plot");
    cell.colSpan = row.cells.length;
    cell.append(element("div", ""));
    cell.firstChild.append(...describe(channel), box);
    detail.id = `detail-${row.dataset.channel}`;
    button.setAttribute("aria-controls", detail.id);
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `Columns, alarms and score of ${channel.name} over time`);
    row.after(detail);
    drawChannel(box, channel);
  }

  const rows = [...channels.tBodies[0].rows]; // in the order of the report, which also breaks ties
  const byText = new Intl.Collator("en", { numeric: true }).compare;

  function sort(head) {
    const column = head.cellIndex;
    const numeric = head.dataset.kind === "number";
    const before = head.getAttribute("aria-sort");
    // numbers begin with the highest, names with A
    const descending = before === "none" ? numeric : before === "ascending";
    const value = (row) => row.cells[column].dataset.value;
    const compare = (a, b) => (numeric ? Number(a) - Number(b) : byText(a, b));
    const sorted = [...rows].sort((first, second) => {
      const [a, b] = [value(first), value(second)];
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined); // always last
      return descending ? compare(b, a) : compare(a, b);
    });
    for (const other of channels.tHead.rows[0].cells) if (other.dataset.kind) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const details = new Map(sorted.map((row) => [row, row.classList.contains("open") ? row.nextElementSibling : null]));
    channels.tBodies[0].append(...[...details].flat().filter(Boolean));
  }

  channels.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th[data-kind]");
    if (head) sort(head);
  });
  channels.tBodies[0].addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-channel]");
    if (row) toggle(row);
  });

  // ---- start, and again when the reader's system turns dark or light

  function drawAll() {
    drawCurves(read("curves"));
    for (const row of channels.querySelectorAll("tr.open")) {
      drawChannel(row.nextElementSibling.querySelector(".plot"), read(`channel-${row.dataset.channel}`));
    }
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll();
})();
