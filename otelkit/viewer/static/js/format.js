// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Numbers as the page writes them. Each rule returns pairs [value, unit]; `text` joins them, `shown` makes elements in
// which the unit is quieter than its value.

import { h, remembered } from "./dom.js";

const THIN = "\u2009";
const NARROW = "\u202f";
const MINUS = "\u2212";
export const ABSENT = "–";
const absent = [[ABSENT, ""]];

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

/** Thousands apart by a narrow space. */
export function whole(value) {
  const digits = Math.round(Math.abs(value)).toString().replace(/\B(?=(\d{3})+$)/g, NARROW);
  return (value < 0 && digits !== "0" ? MINUS : "") + digits;
}

/** Three figures, at most `most` decimals. */
export function figures(value, most = 9) {
  const size = Math.abs(value);
  if (size >= 999.5) return whole(value);
  if (size === 0) return "0";
  const decimals = Math.max(0, Math.min(most, 2 - Math.floor(Math.log10(size * 1.0000001))));
  let digits = size.toFixed(decimals);
  if (digits.replace(/\D/g, "").replace(/^0+/, "").length > 3 && decimals > 0) digits = size.toFixed(decimals - 1);
  return (value < 0 && Number(digits) !== 0 ? MINUS : "") + digits;
}

const pad = (value) => String(value).padStart(2, "0");

/** Seconds. */
export function duration(seconds) {
  if (missing(seconds)) return absent;
  if (seconds === Infinity) return [["∞", ""]];
  const size = Math.abs(seconds);
  const sign = seconds < 0 ? MINUS : "";
  if (size === 0) return [["0", "s"]];
  if (size < 120) {
    const [unit, scale] = size < 0.9995e-6 ? ["ns", 1e9] : size < 0.9995e-3 ? ["µs", 1e6] : size < 0.9995 ? ["ms", 1e3] : ["s", 1];
    return [[figures(seconds * scale), unit]];
  }
  const whole_ = Math.round(size);
  if (whole_ < 7200) return [[sign + Math.floor(whole_ / 60), "min"], [pad(whole_ % 60), "s"]];
  const minutes = Math.round(size / 60);
  if (minutes < 48 * 60) return [[sign + Math.floor(minutes / 60), "h"], [pad(minutes % 60), "min"]];
  return [[sign + figures(size / 86400, 1), "d"]];
}

/** Seconds that somebody chose, without idle zeros: "10 s", "2.5 s". */
export const brief = (seconds) => text(duration(seconds)).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");

/** Events a second. */
export function rate(perSecond) {
  if (missing(perSecond)) return absent;
  if (perSecond === 0) return [["0", "/s"]];
  if (perSecond < 0.1) return [[figures(perSecond * 60, 2), "/min"]];
  return [[perSecond >= 1000 ? whole(perSecond) : figures(perSecond, 2), "/s"]];
}

/** A count, short from 10 000 on. */
export function count(value) {
  if (missing(value)) return absent;
  if (Math.abs(value) < 1e4) return [[Number.isInteger(value) ? whole(value) : figures(value), ""]];
  const [unit, scale] = Math.abs(value) < 1e6 ? ["k", 1e3] : Math.abs(value) < 1e9 ? ["M", 1e6] : ["G", 1e9];
  return [[figures(value / scale, 2), unit]];
}

/** Bytes, binary. */
export function bytes(value, per = "") {
  if (missing(value)) return absent;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let step = 0;
  let size = value;
  while (Math.abs(size) >= 1023.5 && step < 5) [size, step] = [size / 1024, step + 1];
  return [[step === 0 ? whole(size) : figures(size), units[step] + per]];
}

/** A share, 0 to 1, as percent. */
export function percent(share, sentence = false) {
  if (missing(share)) return absent;
  const value = share * 100;
  if (value === 0) return [["0", "%"]];
  if (Math.abs(value) < 0.005) return [["<0.01", "%"]];
  if (sentence && Math.abs(value) >= 9.95) return [[whole(value), "%"]];
  return [[figures(value, 2), "%"]];
}

/** How many times the usual, or the signed difference. */
export function factor(now, usual) {
  if (missing(now) || !usual) return absent;
  const ratio = now / usual;
  if (ratio >= 1.5) return [[`${ratio >= 99.5 ? whole(ratio) : figures(ratio, 1)}×`, ""]];
  const change = Math.round((ratio - 1) * 100);
  return [[`${change > 0 ? "+" : change < 0 ? MINUS : ""}${Math.abs(change)}`, "%"]];
}

/** A duration with its sign, for differences. */
export function difference(seconds) {
  if (missing(seconds)) return absent;
  const pairs = duration(Math.abs(seconds));
  return [[(seconds < 0 ? MINUS : "+") + pairs[0][0], pairs[0][1]], ...pairs.slice(1)];
}

const SCALED = { W: "W", Cel: "°C", J: "J", Hz: "Hz" };

/** A value in a UCUM unit, as a metric carries it. */
export function quantity(value, unit = "", perSecond = false) {
  if (missing(value)) return absent;
  const counted = /^(.*)\/s$/.exec(unit);
  if (counted && !perSecond) return quantity(value, counted[1], true);
  const plain = unit.replace(/^\{.*\}$/, "");
  if (plain === "s") return perSecond ? [[figures(value), "s/s"]] : duration(value);
  if (plain === "ms") return duration(value / 1e3);
  if (plain === "By") return bytes(value, perSecond ? "/s" : "");
  if (plain === "1" && !perSecond) return value <= 1.5 ? percent(value) : [[figures(value), ""]];
  if (plain === "Cel" || plain === "W") return [[whole(value), SCALED[plain]]];
  if (plain === "Hz" && value >= 1e9) return [[figures(value / 1e9), "GHz"]];
  if (plain === "Hz" && value >= 1e6) return [[figures(value / 1e6), "MHz"]];
  if (perSecond) return plain && plain !== "1" ? [[figures(value, 2), `${plain}/s`]] : rate(value);
  const pairs = count(value);
  return SCALED[plain] ? [[pairs[0][0], pairs[0][1] + SCALED[plain]]] : plain && plain !== "1" ? [[pairs[0][0], `${pairs[0][1]}${plain}`]] : pairs;
}

/** In one string, for sentences, axes and tooltips. */
export function text(pairs) {
  return pairs.map(([value, unit]) => (unit ? `${value}${THIN}${unit}` : value)).join(" ");
}

/** As elements: the unit is quieter; `tone` colours the value (err, warn, quiet). */
export function shown(pairs, tone = "") {
  const zero = pairs.length === 1 && (pairs[0][0] === "0" || pairs[0][0] === ABSENT);
  return h(
    "span",
    { class: `num ${tone || (zero ? "quiet" : "")}` },
    pairs.map(([value, unit], i) => [i ? " " : "", h("b", null, value), unit ? h("i", null, THIN, unit) : null]),
  );
}

let utc = remembered("otelkit.utc") === "1";
export const isUtc = () => utc;
export function setUtc(on) {
  utc = on;
  remembered("otelkit.utc", on ? "1" : "0");
}

function fields(ms) {
  const date = new Date(ms);
  return utc
    ? [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), date.getUTCMilliseconds()]
    : [date.getFullYear(), date.getMonth() + 1, date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds(), date.getMilliseconds()];
}

/** Clock time of a Unix time in ms: "14:42", with seconds or milliseconds; the date where it is not today. */
export function clock(ms, precision = "min") {
  if (missing(ms)) return ABSENT;
  const [year, month, day, hours, minutes, seconds, millis] = fields(ms);
  let out = `${pad(hours)}:${pad(minutes)}`;
  if (precision !== "min") out += `:${pad(seconds)}`;
  if (precision === "ms") out += `.${String(millis).padStart(3, "0")}`;
  const today = fields(Date.now());
  return today[0] === year && today[1] === month && today[2] === day ? out : `${year}-${pad(month)}-${pad(day)} ${out}`;
}

/** A sentence of the server's, whose times are ISO 8601 in UTC, with clock times. */
export const localTimes = (sentence) => sentence?.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\dZ/g, (iso) => clock(Date.parse(iso)));

/** The zone that clock times are in. */
export function zone() {
  return utc ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
}

/** "1 span", "13 spans". */
export function plural(value, one, many = `${one}s`) {
  return `${whole(value)} ${value === 1 ? one : many}`;
}

/** Small numbers as words, at the head of a sentence. */
export function word(value) {
  const words = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"];
  return words[value] ?? whole(value);
}

/** Round values for an axis from `low` to `high`: about `wanted` steps. */
export function ticks(low, high, wanted = 4) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / wanted;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = size * ([1, 2, 2.5, 5, 10].find((m) => m * size >= raw * 0.93) ?? 10);
  const out = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step) out.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return out;
}

/** 1, 2 and 5 of each decade between two bounds: the ticks of a log axis. */
export function roundSteps(low, high) {
  const out = [];
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade++) for (const m of [1, 2, 5]) out.push(m * 10 ** decade);
  return out.filter((v) => v >= low * 0.999 && v <= high * 1.001);
}

const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800];

/** Clock times at round steps between two Unix times in ms; returns [ms, label]. */
export function clockTicks(from, to, wanted = 5) {
  const step = 1000 * (CLOCK_STEPS.find((s_) => (to - from) / 1000 / s_ <= wanted) ?? 2592000);
  const shift = utc ? 0 : new Date(from).getTimezoneOffset() * 60000;
  const out = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) {
    const [, month, day, hours, minutes, seconds] = fields(at);
    const label = step >= 86400000 ? `${day}.${month}.` : `${pad(hours)}:${pad(minutes)}${step < 60000 ? `:${pad(seconds)}` : ""}`;
    out.push([at, label]);
  }
  return out;
}

/** Labels of an axis: the unit stands on the top one only. */
export function axisLabels(values, write) {
  return values.map((value, i) => {
    const [first] = write(value);
    return i === values.length - 1 ? text(write(value)) : first[0];
  });
}

const KINDS = { up_down_counter: "up-down counter", exponential_histogram: "exponential histogram" };
export const kindName = (kind) => KINDS[kind] ?? kind;

/** UCUM's annotations say what is counted: "{request}" is "request". */
export const unitName = (unit) => (unit === "1" ? "share" : unit.replace(/^\{(.*)\}$/, "$1"));
