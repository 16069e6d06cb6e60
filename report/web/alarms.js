"use strict";
// The list of alarms and the close-up of the one that is chosen; the address of the page says which.
(() => {
  const list = document.getElementById("alarms"), pane = document.getElementById("close-up");
  if (!list) return;
  const part = (name) => pane.querySelector(`.${name}`);
  const original = [...list.children];
  const links = [...list.querySelectorAll("a")];
  const MOST_ADDED = 60; // alarms of a lower threshold that are listed
  const box = new plot.Plot(part("plot"));
  part("tools").append(gestures.buttons(box));
  const says = document.getElementById("list-says"), saysAtFirst = says.textContent;
  let chosen = null; // {channel, alarm, title, link}
  let followed = ""; // the address that has been read

  // ---- the close-up

  function about(alarm, channel) {
    const rows = [];
    const [start, end, at, length] = alarm.when;
    rows.push(["when", start === end ? start : `${start} to ${end}`], ["length", length], ["highest at", at]);
    rows.push(["peak", alarm.threshold === null ? format.short(alarm.peak) : `${format.short(alarm.peak)}, threshold ${format.short(alarm.threshold)}`]);
    if (alarm.kind) rows.push(["looks like", alarm.kind]);
    if (alarm.row) rows.push(["seen at", alarm.row]);
    if (alarm.nearest) rows.push(["nearest in training", alarm.nearest.text]);
    if (alarm.labelled !== null) rows.push(["label", alarm.labelled ? "meets a labelled interval" : "meets no labelled interval"]);
    return rows.map(([name, text]) => {
      const row = document.createElement("div"), term = document.createElement("dt"), told = document.createElement("dd");
      [term.textContent, told.textContent] = [name, text];
      row.append(term, told);
      return row;
    });
  }

  function shares(columns) {
    return columns.map(([name, share]) => {
      const item = document.createElement("li"), bar = document.createElement("i"), text = document.createElement("span");
      bar.style.width = `${100 * share}%`;
      text.textContent = share > 0.995 ? name : `${name} ${Math.round(100 * share)} %`;
      item.append(text, bar);
      return item;
    });
  }

  function draw(keep) {
    const { channel, alarm } = chosen;
    const [content, range] = views.closeUp(channel, alarm);
    box.set(content, keep ? box.range : range);
    part("legend").replaceChildren(views.marks(channel, alarm));
    const stays = threshold.meets(alarm.span, threshold.spans(channel.number));
    part("gone").hidden = stays;
  }

  function show(next) {
    chosen = next;
    const { channel, alarm, title, link } = next;
    pane.hidden = false;
    part("name").textContent = title;
    part("channel").textContent = channel.name;
    part("size").textContent = alarm.size.endsWith("×") ? `${alarm.size} threshold` : alarm.size && `peak ${alarm.size}`;
    part("about").replaceChildren(...about(alarm, channel));
    part("shares").replaceChildren(...shares(alarm.columns));
    part("whole").href = `#channel-${encodeURIComponent(channel.name)}`;
    for (const other of list.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    draw(false);
    steer();
  }

  const shown = () => [...list.querySelectorAll("li.alarm:not(.gone, .unfound) > a")];

  // Where the chosen alarm stands among those listed, and which are before and after.
  function steer() {
    const all = shown(), at = all.indexOf(chosen.link);
    part("place").textContent = at < 0 ? "" : `${at + 1} of ${all.length}`;
    for (const [name, to] of [["previous", all[at - 1]], ["next", at < 0 ? all[0] : all[at + 1]]]) {
      if (to) part(name).href = to.getAttribute("href");
      else part(name).removeAttribute("href");
    }
  }

  function chooseLink(link) {
    const channel = decode.channel(Number(link.dataset.channel));
    if (link.dataset.span) {
      show({ channel, alarm: made(channel, JSON.parse(link.dataset.span)), title: "Below the learnt threshold", link });
    } else {
      const number = link.getAttribute("href").slice("#alarm-".length);
      show({ channel, alarm: channel.alarms[Number(link.dataset.alarm)], title: `Alarm ${number}`, link });
    }
  }

  // Reads the address: true where it names an alarm, which is then in sight.
  function follow(opening) {
    const link = links.concat([...list.querySelectorAll(".added > a")]).find((one) => one.getAttribute("href") === location.hash);
    if (!link) return false;
    followed = location.hash;
    chooseLink(link);
    const inside = link.closest("li"), frame = list.getBoundingClientRect(), row = inside.getBoundingClientRect();
    if (row.top < frame.top || row.bottom > frame.bottom) list.scrollTop += row.top - frame.top - frame.height / 3;
    const top = pane.getBoundingClientRect().top;
    if (opening || top < 0 || top > innerHeight * 0.6) pane.scrollIntoView({ block: "start" });
    return true;
  }

  // ---- alarms of another threshold

  // An alarm of which only its steps are known.
  function made(channel, span) {
    const { clock, score, steps } = channel, [start, end] = span;
    let at = start, peak = -Infinity;
    for (let index = Math.max(decode.lastAtMost(score.steps, start), 0); index < score.steps.length && score.steps[index] <= end; index += 1) {
      if (score.steps[index] >= start && score.values[index] > peak) [peak, at] = [score.values[index], score.steps[index]];
    }
    const text = (step) => (clock.timed ? format.timeText(clock.at(step), clock) : format.whole(step));
    const margin = Math.max(end - start + 1, 100);
    const size = channel.threshold > 0 && Number.isFinite(peak) ? `${format.three(peak / channel.threshold)} ×` : "";
    const labelled = channel.labels === null || channel.labels === "not labelled" ? null : threshold.meets(span, channel.intervals);
    return {
      span, at, peak, size, labelled, threshold: channel.threshold, columns: [], shown: channel.columns.length ? [0] : [], causes: "", row: "", kind: "",
      window: [Math.max(start - margin, 0), Math.min(end + margin, steps - 1)],
      when: [text(start), text(end), text(at), format.plural(end - start + 1, "step")],
    };
  }

  function addedRow({ channel: number, span, factor }) {
    const channel = decode.channel(number);
    const item = document.createElement("li"), link = document.createElement("a");
    item.className = "alarm added";
    link.href = `#lower-${number}-${span[0]}-${span[1]}`;
    link.dataset.channel = number;
    link.dataset.span = JSON.stringify(span);
    const text = channel.clock.timed ? format.timeText(channel.clock.at(span[0]), channel.clock) : `steps ${format.whole(span[0])} to ${format.whole(span[1])}`;
    for (const [name, content] of [["rank", ""], ["who", channel.name], ["size", `${format.three(factor)} ×`], ["time", `${text} · ${format.plural(span[1] - span[0] + 1, "step")}`]]) {
      const cell = document.createElement("span");
      [cell.className, cell.textContent] = [name, content];
      link.append(cell);
    }
    item.append(link);
    return item;
  }

  function changeThreshold() {
    for (const link of links) {
      const channel = Number(link.dataset.channel);
      const span = decode.fleet.channels[channel].alarms[Number(link.dataset.alarm)];
      link.parentElement.classList.toggle("gone", !threshold.meets(span, threshold.spans(channel)));
    }
    for (const item of list.querySelectorAll(".added")) item.remove();
    const added = threshold.added();
    list.append(...added.slice(0, MOST_ADDED).map(addedRow));
    const left = links.filter((link) => !link.parentElement.classList.contains("gone")).length;
    const more = added.length > MOST_ADDED ? ` (${MOST_ADDED} listed)` : "";
    says.textContent = threshold.isUsed() ? saysAtFirst : left < links.length ? `${left} of ${format.plural(links.length, "alarm")} stay`
      : `${format.plural(left, "alarm")}, ${format.whole(added.length)} more below the learnt threshold${more}`;
    filter();
    if (chosen) draw(true);
  }

  // ---- order and search

  const search = document.getElementById("find-alarm"), order = document.getElementById("order-alarms");

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    const left = new Set(); // incidents of which something is listed
    for (const item of list.querySelectorAll("li.alarm")) {
      const found = item.querySelector(".who").textContent.toLowerCase().includes(wanted);
      item.classList.toggle("unfound", !found);
      if (found && !item.classList.contains("gone")) left.add(item.dataset.group);
    }
    for (const item of list.querySelectorAll("li.incident")) item.classList.toggle("unfound", !left.has(item.dataset.group));
    document.getElementById("none-found").hidden = shown().length > 0;
    if (chosen) steer();
  }

  const byText = new Intl.Collator("en", { numeric: true }).compare;
  const ORDERS = {
    worst: null,
    time: (a, b) => Number(a.dataset.order) - Number(b.dataset.order),
    channel: (a, b) => byText(a.querySelector(".who").textContent, b.querySelector(".who").textContent) || Number(a.dataset.order) - Number(b.dataset.order),
  };
  function arrange() {
    const compare = ORDERS[order.value];
    list.classList.toggle("flat", compare !== null);
    list.prepend(...(compare ? [...links].sort(compare).map((link) => link.parentElement) : original));
    filter();
  }

  search.addEventListener("input", filter);
  order.addEventListener("change", arrange);
  threshold.onChange(changeThreshold);
  addEventListener("hashchange", () => {
    if (location.hash === followed) return;
    followed = "";
    follow(false);
  });
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest?.("input, select, textarea, canvas, table");
    const to = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
    if (busy || !to || !chosen || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    if (!part(to).hasAttribute("href")) return;
    location.hash = part(to).getAttribute("href");
    follow(false); // at once: the next key may come before the browser says that the address has changed
  });
  document.getElementById("all-alarms")?.addEventListener("click", (event) => {
    list.classList.remove("folded");
    event.target.remove();
  });
  if (!follow(true)) chooseLink(links[0]);
})();
