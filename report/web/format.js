"use strict";
// Numbers and times as texts, and the ticks of axes.
const format = (() => {
  const signed = (text) => text.replace(/^-/, "−");
  const whole = (number) => signed((Math.round(number) || 0).toLocaleString("en"));
  const pad = (number, length = 2) => String(number).padStart(length, "0");
  const plural = (count, noun) => `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;

  // Four digits, and no more than a narrow margin holds.
  function short(value) {
    if (!Number.isFinite(value)) return "none";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return signed(value.toExponential(2).replace("e+", "e"));
    return signed(value.toLocaleString("en", { maximumSignificantDigits: 4 }));
  }

  // As three_digits in tables.py.
  function three(value) {
    if (value >= 1e4) return value.toExponential(1);
    const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  // The ticks between low and high, about `most` of them, each a number and its text.
  function ticks(low, high, most) {
    const rough = (high - low) / Math.max(most, 1);
    const unit = 10 ** Math.floor(Math.log10(rough));
    const size = unit * [1, 2, 5, 10].find((times) => unit * times >= rough * 0.75);
    const digits = Math.min(Math.max(0, -Math.floor(Math.log10(size) + 1e-9)), 12);
    const far = Math.max(Math.abs(low), Math.abs(high));
    const text = far >= 1e5 || far < 1e-3 ? (value) => value.toExponential(Math.max(0, Math.ceil(Math.log10(far / size)))).replace("e+", "e")
      : (value) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    const found = [];
    for (let number = Math.ceil(low / size - 1e-9); number * size <= high + size * 1e-9; number += 1) {
      const value = number * size;
      found.push([value, value === 0 ? "0" : signed(text(value))]);
    }
    return found;
  }

  // ---- times: milliseconds since 1970 in UTC, shown as the clocks of their zone showed them

  const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  const SIZES = [
    ...[1e-3, 1e-2, 0.1, 1, 10, 100].flatMap((unit) => [unit, 2 * unit, 5 * unit]),
    ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND), ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
    ...[1, 2, 3, 6, 12].map((n) => n * HOUR), ...[1, 2, 7, 14].map((n) => n * DAY),
  ];
  const MONTHS = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200];

  function clockText(date, size) {
    const text = `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}`;
    if (size >= MINUTE) return text;
    const seconds = `${text}:${pad(date.getUTCSeconds())}`;
    return size >= SECOND ? seconds : `${seconds}.${pad(date.getUTCMilliseconds(), 3)}`;
  }

  const zoneText = (offset) => {
    const minutes = Math.abs(offset / MINUTE);
    return `${offset < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
  };
  const dayText = (date) => date.toISOString().slice(0, 10);

  // Ticks of a stretch, without its end, in which clocks keep their distance to UTC: the place of each, its text, its day.
  function timeTicks(low, high, offset, size) {
    const found = [];
    if (size > 14 * DAY) {
      const months = size / (30 * DAY);
      const first = new Date(low + offset);
      let month = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months;
      for (; ; month += months) {
        const local = Date.UTC(Math.floor(month / 12), month % 12, 1);
        if (local - offset >= high) return found;
        const text = dayText(new Date(local));
        if (local - offset >= low) found.push([local - offset, months >= 12 ? text.slice(0, 4) : text.slice(0, 7), ""]);
      }
    }
    for (let local = Math.ceil((low + offset) / size) * size; local - offset < high; local += size) {
      const date = new Date(local + 5e-5);
      const day = dayText(date);
      found.push(size >= DAY ? [local - offset, day.slice(5), day.slice(0, 4)] : [local - offset, clockText(date, size), day]);
    }
    return found;
  }

  // All ticks of a time axis; the day, or the year, stands where it is new.
  function axisTicks(low, high, most, clock) {
    if (!clock.timed) return ticks(low, high, most).filter(([value]) => Number.isInteger(value)).map(([value]) => [value, whole(value), ""]);
    const rough = (high - low) / most;
    const size = SIZES.find((one) => one >= rough) ?? 30 * DAY * (MONTHS.find((months) => months * 30 * DAY >= rough) ?? 1200);
    const starts = [low, ...clock.offsets.map(([from]) => from).filter((from) => from > low && from < high)];
    const found = starts.flatMap((from, number) => {
      const offset = clock.offsetAt(from), zone = clock.changes && size < DAY ? ` ${zoneText(offset)}` : "";
      return timeTicks(from, starts[number + 1] ?? high + 1e-3, offset, size).map(([place, text, more]) => [place, text, more && more + zone]);
    });
    return found.map(([place, text, more], number) => [place, text, more === found[number - 1]?.[2] ? "" : more]);
  }

  // A time in full, as fine as the steps of its channel.
  function timeText(x, clock) {
    const offset = clock.offsetAt(x);
    const date = new Date(x + offset + 5e-5);
    const zone = clock.changes ? ` ${zoneText(offset)}` : "";
    if (clock.unit === "D") return dayText(date) + zone;
    const fine = clock.unit === "us" ? pad(Math.floor(((x + 5e-5) % 1) * 1000), 3) : "";
    return `${dayText(date)} ${clockText(date, { m: MINUTE, s: SECOND }[clock.unit] ?? 1)}${fine}${zone}`;
  }

  // The time and step at a place, in words.
  function placeText(step, clock) {
    return clock.timed ? `${timeText(clock.at(step), clock)}, step ${whole(step)}` : `step ${whole(step)}`;
  }

  return { whole, plural, short, three, ticks, axisTicks, timeText, placeText };
})();
