"use strict";
// The table of channels: it sorts, it is searched, and its rows open the plot of a channel.
(() => {
  const table = document.getElementById("channels");
  const body = table.tBodies[0];
  const original = [...body.rows]; // in the order of the report, which also breaks ties
  const plots = new Map(); // of the open rows

  // ---- rows: open and close

  function legend(row) {
    const channel = decode.channel(Number(row.dataset.channel));
    row.nextElementSibling.querySelector(".legend").replaceChildren(views.marks(channel, null));
    return channel;
  }

  function toggle(row) {
    const button = row.querySelector("button");
    const open = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(open));
    row.classList.toggle("open", open);
    if (!open) {
      plots.get(row).remove();
      plots.delete(row);
      row.nextElementSibling.remove();
      return;
    }
    const detail = document.createElement("tr"), cell = detail.insertCell(), frame = document.createElement("div");
    detail.className = "detail";
    detail.id = `detail-${row.dataset.channel}`;
    cell.colSpan = row.cells.length;
    const [marks, tools, box] = ["legend", "tools", "plot"].map((name) => {
      const part = document.createElement("div");
      part.className = name;
      return part;
    });
    frame.append(tools, box, marks);
    cell.append(frame);
    button.setAttribute("aria-controls", detail.id);
    row.after(detail);
    const drawn = new plot.Plot(box);
    tools.append(gestures.buttons(drawn));
    plots.set(row, drawn);
    drawn.set(views.whole(legend(row)));
  }

  threshold.onChange(() => {
    for (const [row, drawn] of plots) drawn.set(views.whole(legend(row)), drawn.range);
    const sorted = table.querySelector("[aria-sort=ascending], [aria-sort=descending]");
    if (sorted && body.rows[0]?.cells[sorted.cellIndex].classList.contains("count")) sort(sorted, sorted.getAttribute("aria-sort"));
  });

  // ---- sort and search

  const byText = new Intl.Collator("en", { numeric: true }).compare;
  const heads = [...table.tHead.rows[0].cells].filter((head) => head.dataset.kind);

  function sort(head, wanted) {
    const column = head.cellIndex, numeric = head.dataset.kind === "number", before = head.getAttribute("aria-sort");
    // numbers begin with the highest, names with A
    const descending = wanted ? wanted === "descending" : before === "none" ? numeric : before === "ascending";
    const value = (row) => row.cells[column].dataset.value;
    const compare = (a, b) => (numeric ? Number(a) - Number(b) : byText(a, b));
    for (const other of heads) other.setAttribute("aria-sort", other !== head ? "none" : descending ? "descending" : "ascending");
    const rows = [...original].sort((first, second) => {
      const [a, b] = [value(first), value(second)];
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined); // always last
      return descending ? compare(b, a) : compare(a, b);
    });
    body.append(...rows.flatMap((row) => (row.classList.contains("open") ? [row, row.nextElementSibling] : [row])));
    for (const row of original) for (const cell of row.cells) cell.classList.toggle("by", cell.cellIndex === column);
    if (chooser) chooser.value = String(heads.indexOf(head));
  }

  const search = document.getElementById("find-channel");
  function find() {
    const wanted = search.value.trim().toLowerCase();
    let found = 0;
    for (const row of original) {
      const hit = row.cells[0].textContent.toLowerCase().includes(wanted);
      row.classList.toggle("unfound", !hit);
      if (row.classList.contains("open")) row.nextElementSibling.classList.toggle("unfound", !hit);
      found += hit;
    }
    document.getElementById("found-channels").textContent = wanted ? `${format.whole(found)} of ${format.plural(original.length, "channel")}` : "";
  }

  // Where rows are cards there are no headings to click: a choice stands above them.
  const chooser = document.getElementById("order-channels");
  heads.forEach((head, number) => chooser?.append(new Option(head.textContent, number)));
  if (chooser) {
    chooser.value = String(heads.findIndex((head) => head.getAttribute("aria-sort") !== "none"));
    chooser.addEventListener("change", () => sort(heads[Number(chooser.value)], heads[Number(chooser.value)].dataset.kind === "number" ? "descending" : "ascending"));
  }
  search?.addEventListener("input", find);
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th[data-kind]");
    if (head) sort(head);
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-channel]");
    if (row) toggle(row);
  });

  // ---- the address of the page may name a channel

  function follow() {
    const name = /^#channel-(.*)$/.exec(location.hash)?.[1];
    if (name === undefined) return;
    const channel = decode.fleet.channels.findIndex((one) => encodeURIComponent(one.name) === name);
    const row = original.find((one) => Number(one.dataset.channel) === channel);
    if (!row) return;
    if (search?.value) { search.value = ""; find(); }
    if (!row.classList.contains("open")) toggle(row);
    row.scrollIntoView({ block: "start" });
  }
  addEventListener("hashchange", follow);
  follow();
  if (original.length === 1 && !plots.size) toggle(original[0]); // nothing else to look at
})();
