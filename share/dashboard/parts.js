// What several pages are made of.

import {app, url} from "./api.js";
import {bar} from "./charts.js";
import {h} from "./dom.js";
import {Exact, ago, amount, at, count, many, money, said, visible, words}
	from "./text.js";

// In the order of their way.
export const states = ["queued", "assigned", "in_progress", "in_review",
	"changes_requested", "ci_failed", "gated", "merged", "staging",
	"smoke_failed", "production", "verified", "escalated", "done"];
export const active = states.filter(s => s !== "queued" && s !== "done");

// ---- links

export function place(...path) {
	const {query, parts} = path.reduce((all, one) => {
		if (typeof one === "object")
			all.query = one;
		else
			all.parts.push(encodeURIComponent(one));
		return all;
	}, {query: {}, parts: []});
	return "#/" + url(parts.join("/"), {...query, at: app.at});
}

export const issueLink = (stream, ...content) => h("a.ref",
	{href: place("issue", stream), "data-go": ""},
	content.length ? content : said(stream));
export const agentLink = name => name ? h("a.agent",
	{href: place("agent", String(name).split("/")[0])}, said(name)) : null;
export const eventLink = (position, ...content) => h("a.pos",
	{href: place("event", position)},
	content.length ? content : `#${position}`);

// Where an event or a document is at home.
export const streamLink = (stream, name = stream) => h("a",
	{href: place(stream.includes("#") ? "issue" : "agent", stream)}, said(name));

// ---- small things

export const dim = (...text) => h("span.dim", text);
export const note = (...text) => h("span.count", text);
export const fact = (name, ...content) => h("div", {key: name},
	h("dt", name), h("dd", content));
export const unseen = text => h("span.unseen", text);
export const stateClass = state =>
	`s-${states.includes(state) ? state : "other"}`;
export const badge = state => h("span.badge", {class: stateClass(state)},
	words(state));
export const online = agent => h("span.online",
	{class: agent.online ? "on" : "off"},
	unseen(agent.online ? "online " : "offline "));
export const rank = name => name && name !== "normal"
	? h("span.rank", {class: `r-${/^\w+$/.test(name) ? name : ""}`},
		said(name)) : null;

export function icon(name) {
	const paths = {
		clock: "M8 4v4.2l2.8 1.6M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8z",
		search: "M7 2.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6zM10.6 10.6l3.2 3.2",
		theme: "M8 1.8a6.2 6.2 0 1 1 0 12.4zM8 1.8a6.2 6.2 0 0 0 0 12.4",
		help: "M5.6 5.8a2.4 2.4 0 1 1 3.4 2.3c-.7.4-1 .8-1 1.6M8 12.2v.3",
		done: "M3 8.6l3.4 3.4L13 4.8",
		no: "M4 4l8 8M12 4l-8 8",
		none: "M4 8h8",
		more: "M6 3.5L10.5 8 6 12.5"
	};
	return h("svg.icon", {viewBox: "0 0 16 16"}, h("path", {d: paths[name]}));
}

export const issueCell = i => h("th.issue", {scope: "row"},
	issueLink(i.streamId, said(i.streamId), h("span.title", said(i.title))),
	rank(i.priority));

// What is shown while there is no answer: why, or that it is on its way.
export function waiting(answer) {
	if (answer.error)
		return h("p.trouble", {role: "status"}, "Cannot be shown: ",
			said(answer.error.message), ".");
	return h("p.empty.loading", "…");
}
// The body of a panel, as soon as there is an answer.
export const answered = (answer, body) => answer.data === undefined
	? waiting(answer) : [body(answer.data), trouble(answer)];
export const empty = (...text) => h("p.empty", text);
export const trouble = answer => answer.error
	? h("p.trouble", {role: "status"}, "As it was; what is new cannot be read: ",
		said(answer.error.message), ".") : null;

// head: what stands beside the title
export function panel(id, title, head, ...body) {
	return h("section.panel", {id, key: id, "aria-labelledby": `${id}-title`},
		h("div.panel-head", h("h2", {id: `${id}-title`}, title), head), body);
}
// "3 events", if it is known
export const counted = (list, one) => list && note(one ? many(list.length, one)
	: count(list.length));

// columns: names, with the classes of their heads: "Cost.num"
export function table(caption, columns, rows, attributes) {
	return h("div.scroll", attributes, h("table",
		h("caption.unseen", caption),
		h("thead", h("tr", columns.map(c => {
			const [name, ...classes] = c.split(".");
			const hidden = classes.at(-1) === "unseen" && classes.pop();
			return h("th", {scope: "col", class: classes.join(" ")},
				hidden ? unseen(name) : name);
		}))),
		h("tbody", rows)));
}

// ---- costs

const tokens = r => r.tokens ?? Number(r.input) + Number(r.output);
export const figures = sum => h("p.figures",
	h("b.big", {title: `${sum.cost} USD`}, money(sum.cost)),
	h("span", `${amount(tokens(sum))} tokens`),
	h("span", many(sum.calls, "call")));
export function costTable(caption, what, rows, name, link) {
	const most = Math.max(...rows.map(r => Number(r.cost)));
	return table(caption, [what, "Part.chart.unseen", "Cost.num", "Tokens.num"],
		rows.map(r => h("tr", {key: r[name]},
			h("th.name", {scope: "row"}, link(r[name])),
			h("td.chart", bar(most ? Number(r.cost) / most : 0)),
			h("td.num", {title: `${r.cost} USD`}, money(r.cost)),
			h("td.num.dim", {title: `${count(tokens(r))} tokens in ${
				many(r.calls, "call")}`}, amount(tokens(r))))));
}

// ---- events

// JSON in colours, exact numbers as they are.
export function json(value, indent = "") {
	const more = indent + "  ";
	const list = (open, close, items) => items.length === 0 ? open + close
		: [open, items.map((one, i) => [i ? ",\n" : "\n", more, one]),
			"\n", indent, close];
	if (value === null || typeof value === "boolean")
		return h("span.j-word", String(value));
	if (typeof value === "string")
		return h("span.j-text",
			h("bdi", visible(JSON.stringify(value))));
	if (Array.isArray(value))
		return list("[", "]", value.map(one => json(one, more)));
	if (typeof value === "object" && !(value instanceof Exact))
		return list("{", "}", Object.entries(value).map(([name, one]) =>
			[h("bdi.j-name", visible(JSON.stringify(name))), ": ",
				json(one, more)]));
	return h("span.j-number", String(value));
}

// What an event tells beyond its type, in a few words.
export function told(event) {
	const d = event.data ?? {};
	const parts = [d.title, d.status, d.branch, d.reason,
		d.prNumber && `#${d.prNumber}`, d.failedChecks?.join?.(", "),
		d.agentId && d.agentId !== event.actor && d.agentId,
		d.attempt > 1 && `attempt ${d.attempt}`, d.milestone,
		d.costUsd !== undefined && `${money(d.costUsd)}, ${visible(d.model ?? "")}`]
		.filter(one => typeof one === "string" && one);
	return said(parts.slice(0, 3).join(" · ").slice(0, 200));
}

// Events as rows that unfold; `home`: also where each is.
export function eventList(events, home) {
	return h("ol.events", events.map(e => h("li", {key: e.position},
		h("details",
			h("summary", {"data-go": ""},
				h("span.pos", `#${e.position}`),
				h("span.type", {class: `p-${e.priority}`}, words(e.type)),
				home ? h("span.home", said(e.streamId)) : null,
				h("span.told", told(e)),
				h("span.who", said(e.actor)),
				h("span.when", ago(e.timestamp))),
			h("div.payload",
				h("pre", {tabindex: 0, role: "group",
					"aria-label": `Payload of event ${e.position}`},
				json(e.data)),
				h("p", eventLink(e.position, "All of event ",
					`#${e.position}`), " · ", said(e.catalog), " · version ",
				String(e.version), " · ", at(e.timestamp)))))));
}
