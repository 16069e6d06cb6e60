"use strict";
// The tables of the page: they sort, and their rows open the plot of a channel.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);

  // ---- rows: open and close

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
    if (channel.labels !== null) mark("shade", channel.labels);
    mark("alarm", plural(channel.alarms.length, "alarm"));
    if (channel.threshold !== null) mark("dash", `threshold ${Number(channel.threshold.toPrecision(3))}`);
    if (channel.masked.length) mark("gap", "not measured");
    const drawn = channel.stride > 1 ? ` Of every ${channel.stride} steps the highest and the lowest are drawn.` : "";
    const changes = channel.times?.offsets.length
      ? " Times are those of local clocks, which change here: an hour by which they are set back is drawn twice."
      : "";
    const hint = element("p", "hint", `Drag sideways to zoom into a time span, double-click to see all.${drawn}${changes}`);
    return [marks, hint];
  }

  const draw = (row) => plots.drawChannel(
    row.nextElementSibling.querySelector(".plot"),
    read(`channel-${row.dataset.channel}`),
    row.dataset.alarm === undefined ? null : Number(row.dataset.alarm),
  );

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
    const { channel: number, alarm } = row.dataset;
    const channel = read(`channel-${number}`);
    const detail = element("tr", "detail");
    const cell = detail.insertCell();
    const box = element("div", "plot");
    cell.colSpan = row.cells.length;
    cell.append(element("div", ""));
    cell.firstChild.append(...describe(channel), box);
    detail.id = alarm === undefined ? `detail-${number}` : `detail-${number}-${alarm}`;
    button.setAttribute("aria-controls", detail.id);
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `Columns, alarms and score of ${channel.name} over time`);
    row.after(detail);
    draw(row);
  }

  // ---- tables: sort, show all rows

  const SHOWN = 20; // rows of a table of alarms before the reader asks for all
  const byText = new Intl.Collator("en", { numeric: true }).compare;
  const detailOf = (row) => (row.classList.contains("open") ? [row.nextElementSibling] : []);

  function equip(table) {
    const original = [...table.tBodies[0].rows]; // in the order of the report, which also breaks ties
    let shown = table.id === "alarms" && original.length > SHOWN + 5 ? SHOWN : Infinity;

    function arrange(rows) {
      table.tBodies[0].append(...rows.flatMap((row, number) => {
        const together = [row, ...detailOf(row)];
        for (const each of together) each.classList.toggle("late", number >= shown);
        return together;
      }));
    }

    function sort(head) {
      const column = head.cellIndex;
      const numeric = head.dataset.kind === "number";
      const before = head.getAttribute("aria-sort");
      // numbers begin with the highest, names with A
      const descending = before === "none" ? numeric : before === "ascending";
      const value = (row) => row.cells[column].dataset.value;
      const compare = (a, b) => (numeric ? Number(a) - Number(b) : byText(a, b));
      for (const other of table.tHead.rows[0].cells) if (other.dataset.kind) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      arrange([...original].sort((first, second) => {
        const [a, b] = [value(first), value(second)];
        if (a === undefined || b === undefined) return (a === undefined) - (b === undefined); // always last
        return descending ? compare(b, a) : compare(a, b);
      }));
    }

    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th[data-kind]");
      if (head) sort(head);
    });
    table.tBodies[0].addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-channel]");
      if (row) toggle(row);
    });
    if (shown === Infinity) return;
    arrange(original);
    const button = element("button", "all", `Show all ${original.length} rows`);
    button.type = "button";
    button.addEventListener("click", () => {
      shown = Infinity;
      arrange([...table.tBodies[0].querySelectorAll("tr[data-channel]")]);
      button.remove();
    });
    table.parentElement.after(button);
  }

  document.querySelectorAll("table.sorted").forEach(equip);

  // ---- start, and again when the reader's system turns dark or light

  function drawAll() {
    if (document.getElementById("roc")) plots.drawCurves(read("curves"));
    document.querySelectorAll("tr.open").forEach(draw);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll();
})();
