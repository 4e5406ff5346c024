// What is above every page: where we are, whether it is live, search, and going
// back in time.

import {app, request, url} from "./api.js";
import {h, patch} from "./dom.js";
import {dim, icon, place, unseen} from "./parts.js";
import {at, count, said, setMoment, visible, words} from "./text.js";

const top = document.getElementById("top");
const travel = document.getElementById("travel");
const stateWords = {live: "live", connecting: "reconnecting",
	offline: "offline", login: "closed"};
const themes = ["auto", "light", "dark"];
let seen = "";

function theme() {
	return document.documentElement.dataset.theme ?? "auto";
}
export function nextTheme() {
	const next = themes[(themes.indexOf(theme()) + 1) % themes.length];
	if (next === "auto")
		delete document.documentElement.dataset.theme;
	else
		document.documentElement.dataset.theme = next;
	try {
		localStorage.setItem("ev-theme", next);
	} catch {
		// not kept, then
	}
	drawHeader();
}

const nav = [["", "Overview"], ["issues", "Issues"], ["events", "Events"]];

export function drawHeader() {
	const here = location.hash.replace(/^#\/?/, "").split(/[/?]/)[0];
	const state = app.at !== null ? "past" : app.state;
	patch(top,
		h("a.brand", {href: place(), "aria-label":
			`${location.host}, overview`},
		h("svg", {viewBox: "0 0 32 32"},
		h("rect", {width: 32, height: 32, rx: 7}),
		h("path", {d: "M8 9h16M8 16h11M8 23h6"})),
		h("b", location.host)),
		h("span.live", {class: `is-${state}`},
			h("span.dot", {"aria-hidden": "true"}),
			h("span.what", state === "past" ? "past"
				: stateWords[state])),
		h("a.position", {href: place("events"),
			title: "The log's last position"},
		unseen("last position "), `#${count(app.head)}`),
		h("nav", {"aria-label": "Pages"}, nav.map(([path, text]) =>
			h("a", {key: path, href: place(path),
				"aria-current": here === path ? "page" : null}, text))),
		h("div.search", icon("search"),
			h("input", {id: "search", type: "search", role: "combobox",
				"aria-label": "Search issues, agents and positions",
				"aria-expanded": found.length > 0, "aria-controls": "found",
				"aria-autocomplete": "list",
				"aria-activedescendant": chosen >= 0 ? `found-${chosen}` : null,
				placeholder: "Search", autocomplete: "off",
				spellcheck: "false", autocapitalize: "off",
				oninput: typed, onkeydown: keyed, onblur: () =>
					setTimeout(() => {
						if (document.activeElement?.id !== "search")
							clear();
					}, 150)}),
			h("kbd", {"aria-hidden": "true"}, "/"),
			h("ul", {id: "found", role: "listbox",
				"aria-label": "What was found", hidden: found.length === 0},
			found.map((one, n) => h("li", {key: one.href, id: `found-${n}`,
				role: "option", "aria-selected": n === chosen,
				onmousedown: event => {
					event.preventDefault();
					choose(one);
				}}, h("span.kind", one.kind), h("span.what",
				said(one.name), h("span.title", said(one.title))))))),
		h("div.buttons",
			h("button.icon-button", {type: "button", id: "travel-button",
				"aria-expanded": !travel.hidden, "aria-controls": "travel",
				title: "Time travel (t)", onclick: toggleTravel},
			icon("clock"), unseen("Time travel")),
			h("button.icon-button", {type: "button", id: "theme-button",
				title: `Theme: ${theme()}`, onclick: nextTheme},
			icon("theme"), unseen(`Theme: ${theme()}; change it`)),
			h("button.icon-button", {type: "button", id: "help-button",
				title: "Keys (?)", onclick: () => showHelp()},
			icon("help"), unseen("Help: keys")),
			app.session?.name ? h("button", {type: "button", id: "leave",
				title: `${visible(app.session.name)}: leave`, onclick: leave},
			"Leave") : null));
	const text = state === "live" ? "live" : stateWords[state] ?? "";
	// said only when it is another, and not when all is well from the start
	if (text !== seen && (seen || state === "offline"))
		say(state === "past" ? "" : `The page is ${text}`);
	seen = text;
	drawTravel();
}

export function say(text) {
	document.getElementById("say").textContent = text;
}

async function leave() {
	await request("api/session", {method: "DELETE"}).catch(() => {});
	location.reload();
}

// ---- search

let found = [], chosen = -1, searching, asked = 0;

function clear() {
	asked++;
	found = [];
	chosen = -1;
	drawHeader();
}

function typed(event) {
	clearTimeout(searching);
	const text = event.target.value.trim();
	if (!text)
		return clear();
	searching = setTimeout(() => look(text), 120);
}

async function look(text) {
	const turn = ++asked;
	const list = [];
	const position = /^#?(\d+)$/.exec(text)?.[1];
	if (position && Number(position) >= 1 && Number(position) <= app.head)
		list.push({kind: "Event", name: `#${position}`,
			href: place("event", position)});
	const when = app.at === null ? {} : {at: app.at};
	const [issues, agents] = await Promise.all([
		request(url("api/issues", {search: text, limit: 12, ...when})),
		request(url("api/agents", when))
	].map(p => p.then(a => a.data, () => [])));
	if (turn !== asked)
		return;
	const lower = text.toLowerCase();
	for (const a of agents.filter(a =>
		a.agentId.toLowerCase().includes(lower)).slice(0, 5))
		list.push({kind: "Agent", name: a.agentId,
			title: a.online ? "online" : "offline",
			href: place("agent", a.agentId)});
	for (const i of issues)
		list.push({kind: words(i.state), name: i.streamId, title: i.title,
			href: place("issue", i.streamId)});
	list.push({kind: "Issues", name: `all with “${text}”`,
		href: place("issues", {search: text})});
	found = list;
	chosen = 0;
	drawHeader();
}

function choose(one) {
	const field = document.getElementById("search");
	field.value = "";
	field.blur();
	clear();
	location.hash = one.href;
}

function keyed(event) {
	if (event.key === "ArrowDown" || event.key === "ArrowUp") {
		event.preventDefault();
		if (found.length) {
			chosen = (chosen + (event.key === "ArrowDown" ? 1 : -1) +
				found.length) % found.length;
			drawHeader();
			document.getElementById(`found-${chosen}`)
				?.scrollIntoView({block: "nearest"});
		}
	} else if (event.key === "Enter") {
		const text = event.target.value.trim();
		if (found[chosen])
			choose(found[chosen]);
		else if (text)
			choose({href: place("issues", {search: text})});
	} else if (event.key === "Escape") {
		event.stopPropagation();
		event.target.value = "";
		event.target.blur();
		clear();
	}
}

// ---- going back in time

let moving, timeOf = {position: null, time: null};

export function toPosition(position) {
	const [path, query] = location.hash.replace(/^#/, "").split("?");
	const parameters = new URLSearchParams(query);
	parameters.delete("at");
	if (position !== null)
		parameters.set("at", Math.max(1, Math.min(app.head, position)));
	const text = parameters.toString();
	history.replaceState(null, "", `#${path || "/"}${text ? `?${text}` : ""}`);
	dispatchEvent(new HashChangeEvent("hashchange"));
}

// The moment of the position that is looked at.
export async function atPosition() {
	const position = app.at;
	if (timeOf.position === position)
		return;
	timeOf = {position, time: null};
	if (position === null) {
		setMoment(null);
		return;
	}
	try {
		const {data} = await request(`api/v1/events/${position}`);
		if (app.at !== position)
			return;
		timeOf = {position, time: data.recordedAt};
		setMoment(data.recordedAt);
	} catch {
		timeOf = {position, time: null};
	}
	drawHeader();
}

export function toggleTravel() {
	if (!travel.hidden && app.at !== null)
		toPosition(null);
	travel.hidden = !travel.hidden;
	drawHeader();
	if (!travel.hidden)
		document.getElementById("slider")?.focus();
}

export function step(by) {
	travel.hidden = false;
	toPosition((app.at ?? app.head) + by);
}

async function toTime(text) {
	const time = new Date(text);
	if (Number.isNaN(time.getTime()))
		return;
	const {data} = await request(url("api/v1/head",
		{time: time.toISOString()})).catch(() => ({}));
	if (data)
		toPosition(Math.max(1, Number(data.position)));
}

function drawTravel() {
	if (app.at !== null)
		travel.hidden = false;
	document.body.classList.toggle("past", app.at !== null);
	if (travel.hidden) {
		patch(travel);
		return;
	}
	const position = app.at ?? app.head;
	const move = (by, text, name) => h("button", {type: "button", key: by,
		"aria-label": `${text}: ${name}`, disabled: by < 0 ? position <= 1
			: position >= app.head, onclick: () => step(by)}, text);
	patch(travel,
		h("strong", {role: "status"}, app.at === null ? "Now"
			: ["As of ", timeOf.time ? h("time", {datetime: timeOf.time},
				at(timeOf.time)) : "…"],
		dim(` #${count(position)} of ${count(app.head)}`)),
		h("span.steps", move(-100, "−100", "100 events earlier"),
			move(-1, "−1", "One event earlier")),
		h("input", {type: "range", id: "slider", min: 1,
			max: Math.max(1, app.head), step: 1, value: String(position),
			"aria-label": "Position in the log", "aria-valuetext":
				`event ${position} of ${app.head}` +
				(timeOf.time ? `, ${at(timeOf.time)}` : ""),
			oninput: event => {
				const to = Number(event.target.value);
				clearTimeout(moving);
				moving = setTimeout(() => toPosition(to >= app.head
					? null : to), 120);
			}}),
		h("span.steps", move(1, "+1", "One event later"),
			move(100, "+100", "100 events later")),
		h("label", h("span.unseen", "Go to a time"),
			h("input", {type: "datetime-local", id: "to-time", step: 1,
				onchange: event => toTime(event.target.value)})),
		h("button.primary", {type: "button", id: "back-to-now",
			onclick: toggleTravel}, app.at === null ? "Close"
			: "Back to now"));
}

// ---- help

const keys = [["?", "this help"], ["/", "search"], ["g o", "overview"],
	["g i", "issues"], ["g e", "events"], ["g n", "what needs you"],
	["g a", "agents"], ["g q", "queue"], ["g c", "costs"],
	["g f", "time in state"], ["g l", "logs"], ["j k", "next row, previous row"],
	["Enter", "open the row"], ["Esc", "back"],
	["t", "time travel, or back to now"],
	["[ ]", "an event earlier, an event later"], ["d", "theme"]];

export function showHelp() {
	const dialog = document.getElementById("help");
	patch(dialog, h("h2", {id: "help-title"}, "Keys"),
		h("dl", keys.map(([key, what]) => h("div", {key},
			h("dt", key.split(" ").map((k, n) =>
				[n ? " " : "", h("kbd", k)])), h("dd", what)))),
		h("form", h("button", {type: "button", onclick: () =>
			dialog.close()}, "Close")));
	if (!dialog.open)
		dialog.showModal();
}
