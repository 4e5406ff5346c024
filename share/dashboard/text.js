// Words, numbers, times: how things are said.

import {h} from "./dom.js";

// ---- hostile text

// Nothing in a text turns around what is beside it, or is there unseen:
// controls, and the marks of Unicode that change direction, become \u....
const unseen =
	/[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
export function visible(text, keep = "") {
	return String(text).replace(unseen, c => keep.includes(c) ? c
		: "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

// As a part of a line, apart from its direction.
export function said(text, attributes) {
	return text === null || text === undefined || text === "" ? null
		: h("bdi", attributes, visible(text));
}

// ---- JSON in which numbers keep their digits

const number = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
export class Exact {
	constructor(text) {
		this.text = text;
	}
	valueOf() {
		return Number(this.text);
	}
	toString() {
		return this.text;
	}
}
// Numbers that a double would change (12.10) are told apart by a member that
// nobody can know beforehand.
const mark = `exact-${Math.random()}`;
export function parse(text) {
	let changed = false;
	const marked = text.replace(
		/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g, token => {
			if (token[0] === '"' || String(Number(token)) === token ||
			    !number.test(token))
				return token;
			changed = true;
			return `{"${mark}":"${token}"}`;
		});
	return changed
		? JSON.parse(marked, (key, value) => value?.[mark] === undefined
			? value : new Exact(value[mark]))
		: JSON.parse(text);
}

// ---- numbers

const plain = new Intl.NumberFormat("en");
const brief = new Intl.NumberFormat("en",
	{notation: "compact", maximumSignificantDigits: 3});
const cents = new Intl.NumberFormat("en", {style: "currency", currency: "USD"});
const small = new Intl.NumberFormat("en", {style: "currency", currency: "USD",
	minimumFractionDigits: 4, maximumFractionDigits: 4});
export const count = n => plain.format(String(n ?? 0));
export const amount = n => Number(n) < 10000 ? count(n) : brief.format(Number(n));
// From its digits, so that no double rounds an amount.
export const money = v => (Number(v) !== 0 && Math.abs(Number(v)) < 1
	? small : cents).format(String(v ?? 0));
export const many = (n, one, more = `${one}s`) =>
	`${count(n)} ${Number(n) === 1 ? one : more}`;

// ---- names

// CI_FAILED: CI failed; in_review: in review
export function words(name) {
	const text = visible(name ?? "").replace(/_/g, " ");
	const upper = text === text.toUpperCase();
	const low = (upper ? text.toLowerCase() : text)
		.replace(/\b(ci|pr|e2e)\b/g, w => w.toUpperCase());
	return upper ? low.replace(/^./, c => c.toUpperCase()) : low;
}

// ---- time

// How far this machine's clock is behind the server's, and the moment that is
// looked at instead of now: both in ms.
const clock = {ahead: 0, moment: null};
export function setServerTime(ms) {
	const ahead = ms - Date.now();
	// a Date header knows no fractions of a second
	clock.ahead = Math.abs(ahead) > 3000 ? ahead : 0;
}
export function setMoment(time) {
	clock.moment = time ? Date.parse(time) : null;
	tick();
}
export const now = () => clock.moment ?? Date.now() + clock.ahead;

export function span(seconds) {
	if (seconds === null || seconds === undefined)
		return "";
	const s = Math.max(0, Number(seconds));
	if (s < 0.001)
		return "0 s";
	if (s < 1)
		return `${Math.ceil(s * 1000)} ms`;
	if (s < 10)
		return `${Math.round(s * 10) / 10} s`;
	if (s < 120)
		return `${Math.floor(s)} s`;
	if (s < 7200)
		return `${Math.floor(s / 60)} min`;
	const [big, unit, of, part] = s < 172800
		? [3600, "h", 60, "min"] : [86400, "d", 3600, "h"];
	const minor = Math.floor(s % big / of);
	return `${Math.floor(s / big)} ${unit}` + (minor ? ` ${minor} ${part}` : "");
}

const two = n => String(n).padStart(2, "0");
export function at(time) {
	const d = new Date(time);
	return Number.isNaN(d.getTime()) ? visible(time ?? "")
		: [d.getFullYear(), d.getMonth() + 1, d.getDate()].map(two).join("-") +
			" " + [d.getHours(), d.getMinutes(), d.getSeconds()].map(two)
				.join(":");
}
export function hour(time) {
	return at(time).slice(11);
}

// In one unit, for columns.
const age = s => s < 120 ? `${Math.floor(s)} s`
	: s < 7200 ? `${Math.floor(s / 60)} min`
		: s < 172800 ? `${Math.floor(s / 3600)} h`
			: `${Math.floor(s / 86400)} d`;

// Elements that say how long ago something was, or has lasted.
const ticking = new Set();
let timer, pace;
function say(node) {
	const seconds = (now() - Date.parse(node.dateTime)) / 1000;
	const text = seconds < 1 ? "now" : age(seconds);
	if (node.textContent !== text)
		node.textContent = text;
	return seconds;
}
// Once a second as long as there is an age in seconds, else less often; not at
// all where nobody looks.
export function tick() {
	clearTimeout(timer);
	if (document.hidden)
		return;
	let youngest = Infinity;
	for (const node of ticking)
		if (node.isConnected)
			youngest = Math.min(youngest, say(node));
		else
			ticking.delete(node);
	if (ticking.size && clock.moment === null)
		timer = setTimeout(tick, pace = youngest < 120 ? 1000 : 15000);
}
export function ago(time, label) {
	if (!time)
		return null;
	return h("time", {datetime: time, title: `${label ?? ""}${at(time)} (${time})`,
		onpatch: node => {
			ticking.add(node);
			if (say(node) < 120 && pace !== 1000 || timer === undefined) {
				clearTimeout(timer);
				timer = setTimeout(tick, pace = 1000);
			}
		}});
}
export function moment(time) {
	return time ? h("time", {datetime: time, title: time}, at(time)) : null;
}
