// What agents say while they work. These are no events: they are kept apart for
// a while, and there is no going back in time.

import {Stream, app, request, url} from "./api.js";
import {h} from "./dom.js";
import {empty, panel} from "./parts.js";
import {at, hour, said, visible} from "./text.js";

const levels = ["trace", "debug", "info", "warn", "error"];
const kept = 400;

// The panel; with `only`, of that agent.
export function logs(only) {
	const known = new Set(), entries = [];
	let agent = only ?? "", level = "", paused = false, missed = 0;
	let stream, last = null, up = false, redraw, timer, list, tail = true;

	function add(more) {
		for (const one of more) {
			if (last !== null && Number(one.id) <= last)
				continue;
			last = Number(one.id);
			entries.push(one);
			if (known.size < 500)
				known.add(one.agentId);
			missed += paused ? 1 : 0;
		}
		entries.splice(0, entries.length - kept);
		timer ??= setTimeout(() => {
			timer = undefined;
			redraw();
		}, 200);
	}

	function open() {
		stream?.close();
		entries.length = 0;
		last = null;
		missed = 0;
		const filter = {agentId: agent, level};
		stream = new Stream({
			async from(signal) {
				if (last === null) {
					const {data} = await request(url("api/agent-logs",
						{...filter, limit: 200}), {signal});
					add(data.entries);
					last ??= Number(data.next ?? 0);
				}
				return url("api/agent-logs", {...filter, after: last});
			},
			take: more => add(more.filter(one => one.type === "message" ||
				one.type === "log").map(one => JSON.parse(one.data))),
			state(is) {
				up = is;
				redraw();
			}
		});
		redraw();
	}

	function choice(name, value, options, change) {
		return h("label.choice", h("span.unseen", name),
			h("select", {value, onchange: event => {
				change(event.target.value);
				open();
			}}, options.map(([one, text]) =>
				h("option", {key: one, value: one}, text))));
	}

	let frozen = [];
	function render(get, again) {
		redraw = again;
		if (app.at !== null)
			return panel("logs", "Logs", null, empty("Logs are of now: agents' ",
				"logs are not in the log of events."));
		if (!stream)
			queueMicrotask(open);
		if (!paused)
			frozen = entries.slice();
		const names = [...known].sort();
		return panel("logs", "Logs", h("div.tools",
			only ? null : choice("Agent", agent, [["", "all agents"],
				...names.map(n => [n, visible(n)])], v => {
				agent = v;
			}),
			choice("Level", level, [["", "all levels"],
				...levels.map(l => [l, `${l} and above`])], v => {
				level = v;
			}),
			h("button", {type: "button", "aria-pressed": paused, onclick() {
				paused = !paused;
				missed = 0;
				tail = true;
				redraw();
			}}, paused ? missed ? `Go on (${missed} new)` : "Go on" : "Pause")),
		h("div.logs", {role: "log", "aria-live": "off", tabindex: 0,
			"aria-label": "Lines of the agents' logs",
			onscroll: event => {
				const box = event.currentTarget ?? event.target;
				tail = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
			}, "data-list": ""},
		frozen.length === 0 ? empty(!up ? "…" : agent || level
			? "Nothing of that kind yet." : ["Nothing yet. Agents send theirs to ",
				h("code", "POST /api/agent-logs"), "."])
			: frozen.map(one => h("p", {key: one.id,
				class: `l-${levels.includes(one.level) ? one.level : "other"}`},
			h("time", {datetime: one.timestamp, title: at(one.timestamp)},
				hour(one.timestamp)),
			h("span.level", said(one.level)),
			only ? null : h("span.who", said(one.agentId)),
			h("span.text", h("bdi",
				visible(one.message, "\n\t")))))));
	}
	// new lines are seen, unless somebody has scrolled up
	render.drawn = element => {
		list = element.querySelector("[data-list]");
		if (list && tail && !paused)
			list.scrollTop = list.scrollHeight;
	};
	render.close = () => {
		clearTimeout(timer);
		timer = undefined;
		stream?.close();
		stream = undefined;
	};
	return render;
}
