// Small pictures, of our own making. Beside each is what it shows, in words.

import {app} from "./api.js";
import {h} from "./dom.js";
import {stateClass} from "./parts.js";
import {at, money, now, span, words} from "./text.js";

const round = n => Math.round(n * 10) / 10;

// A bar of its part of 1, with the words beside it.
export const bar = (part, name = "") => h("svg.bar",
	{class: name, viewBox: "0 0 100 8", preserveAspectRatio: "none"},
	h("rect.track", {x: 0, y: 0, width: 100, height: 8}),
	h("rect.fill", {x: 0, y: 0, height: 8,
		width: round(part > 0 ? Math.max(1.5, Math.min(1, part) * 100) : 0)}));

// Days to costs, all days of the span, today last.
function perDay(rows, days = 30) {
	const sums = new Map();
	for (const row of rows ?? [])
		sums.set(row.date, (sums.get(row.date) ?? 0) + Number(row.cost));
	const list = [];
	for (let i = days - 1; i >= 0; i--) {
		const date = new Date(now() - i * 86400e3).toISOString().slice(0, 10);
		list.push({date, cost: sums.get(date) ?? 0});
	}
	return list;
}
export function daysChart(rows) {
	const list = perDay(rows);
	const most = list.reduce((a, b) => b.cost > a.cost ? b : a);
	const width = 300 / list.length;
	const label = `Cost per day from ${list[0].date} to ${list.at(-1).date}; ` +
		`the most was ${money(most.cost)} on ${most.date}, the last ` +
		`${money(list.at(-1).cost)}`;
	return h("figure.days",
		h("svg", {viewBox: "0 0 300 48", preserveAspectRatio: "none",
			role: "img", "aria-label": label},
		list.map((d, i) => h("g", {key: d.date},
			h("title", `${d.date}: ${money(d.cost)}`),
			h("rect.hit", {x: round(i * width), y: 0, width: round(width),
				height: 48}),
			h("rect.fill", {x: round(i * width + 1), width: round(width - 2),
				rx: 1,
				y: round(48 - (d.cost ? Math.max(2, d.cost / most.cost * 46)
					: 1)),
				height: round(d.cost ? Math.max(2, d.cost / most.cost * 46)
					: 1)})))),
		h("figcaption", {"aria-hidden": "true"},
			h("span", list[0].date.slice(5)),
			h("span", `most ${money(most.cost)}, ${most.date.slice(5)}`),
			h("span", "today")));
}

// Seconds to 0..100: a second at 0, 30 days at 100, each step as wide as another.
const log = s => Math.max(0, Math.min(100,
	Math.log10(Math.max(1, Number(s))) / Math.log10(2592000) * 100));
const marks = [60, 3600, 86400, 604800];

export function flowBar(s) {
	const median = log(s.medianSeconds ?? 1), most = log(s.p90Seconds ?? 1);
	return h("svg.flow", {viewBox: "0 0 100 10", preserveAspectRatio: "none",
		class: stateClass(s.state)},
	marks.map(at => h("line", {x1: log(at), x2: log(at), y1: 0, y2: 10})),
	s.medianSeconds === null ? null : [
		h("rect.light", {x: 0, y: 2, height: 6, width: Math.max(.6, most)}),
		h("rect.solid", {x: 0, y: 2, height: 6, width: Math.max(.6, median)})]);
}

// Neighbours of one state are one part; the shortest can still be seen.
export function lifeBar(steps, took, total) {
	const parts = [];
	steps.forEach((s, n) => {
		if (parts.at(-1)?.state === s.state)
			parts.at(-1).seconds += took[n];
		else
			parts.push({state: s.state, seconds: took[n], key: s.position});
	});
	const wide = parts.map(p => Math.max(4,
		total ? p.seconds / total * 1000 : 0));
	const scale = 1000 / wide.reduce((a, b) => a + b, 0);
	let x = 0;
	return h("figure.life",
		h("svg", {viewBox: "0 0 1000 20", preserveAspectRatio: "none",
			role: "img", "aria-label": "In proportion: " + parts
				.map(p => `${words(p.state)} ${span(p.seconds)}`)
				.join(", ")},
		parts.map((p, n) => {
			const from = x;
			x += wide[n] * scale;
			return h("rect", {key: p.key, class: stateClass(p.state),
				x: Math.round(from * 10) / 10, y: 0, height: 20,
				width: Math.max(1,
					Math.round((x - from - 1.5) * 10) / 10)},
			h("title", `${words(p.state)}: ${span(p.seconds)}`));
		})),
		h("figcaption", {"aria-hidden": "true"},
			h("span", at(steps[0].at)),
			h("span", steps.at(-1).state === "done"
				? at(steps.at(-1).at) : app.at === null ? "now" : "then")));
}
