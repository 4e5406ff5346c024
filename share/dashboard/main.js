// Where everything begins: which page is shown, and what keys do.

import {Panel, app, drawEverything, follow, onChange, refetch, request}
	from "./api.js";
import {h, patch} from "./dom.js";
import {atPosition, drawHeader, nextTheme, say, showHelp, step, toggleTravel}
	from "./header.js";
import {issuePage} from "./issue.js";
import {overview} from "./overview.js";
import {agentPage, eventPage, eventsPage, issuesPage, loginPage}
	from "./pages.js";
import {place} from "./parts.js";
import {tick} from "./text.js";

const main = document.getElementById("main");
let open = [], shown = null, title = "", ready = false;

// ---- which page

function route() {
	const [path, text] = location.hash.replace(/^#\/?/, "").split("?");
	const query = new URLSearchParams(text);
	const at = query.get("at");
	const [name, ...rest] = path.split("/");
	let argument;
	try {
		argument = decodeURIComponent(rest.join("/"));
	} catch {
		argument = rest.join("/");
	}
	// an issue's '#' may stand as it is
	return {name, argument, query,
		at: /^\d+$/.test(at ?? "") && Number(at) > 0 ? Number(at) : null};
}

const pages = {issue: issuePage, agent: agentPage, event: eventPage,
	issues: (_, query) => issuesPage(query),
	events: (_, query) => eventsPage(query)};
const pageOf = ({name, argument, query}) => app.state === "login"
	? loginPage(enter) : Object.hasOwn(pages, name)
		? pages[name](argument, query) : overview();

function slots(layout) {
	return layout.map(one => typeof one === "string"
		? h("div.slot", {key: one, id: `slot-${one}`})
		: h("div.columns", {key: one.flat().join(" ")},
			one.map(column => h("div.column", {key: column[0]},
				slots(column)))));
}

function show() {
	const here = route();
	if (app.at !== here.at) {
		app.at = here.at;
		atPosition();
		drawEverything();
	}
	const query = new URLSearchParams(here.query);
	query.delete("at");
	const key = app.state === "login" ? "login"
		: `${here.name}/${here.argument}?${query}`;
	if (key !== shown && ready) {
		const page = pageOf(here);
		// where only the question is another, the page stays
		const same = shown !== null && page.same !== undefined &&
			shown.startsWith(`${page.same}/`);
		const first = shown === null;
		shown = key;
		for (const panel of open)
			panel.close();
		if (!same) {
			patch(main);
			main.evChildren = undefined;
		}
		patch(main, page.heading, slots(page.layout));
		open = Object.entries(page.panels).map(([name, render]) =>
			new Panel(document.getElementById(`slot-${name}`), render));
		title = page.title;
		main.dataset.page = app.state === "login" ? "login"
			: here.name || "overview";
		if (!same && !first) {
			scrollTo(0, 0);
			main.focus({preventScroll: true});
		}
	}
	drawHeader();
	drawTitle();
}

// ---- the window's title says how many need somebody

let needed = 0;
function drawTitle() {
	const text = `${needed ? `(${needed}) ` : ""}${title} · ${location.host}`;
	if (document.title !== text)
		document.title = text;
}
function countNeeds() {
	if (app.at !== null || !document.getElementById("needs"))
		return;
	const list = document.querySelectorAll("#needs .needs > li");
	if (list.length > needed)
		say(`${list.length} need you`);
	needed = list.length;
	drawTitle();
}

// ---- keys

let prefix = 0, gone = -1; // how many pages of ours are behind this one
const places = {n: "needs", a: "agents", q: "queue", c: "costs", f: "flow",
	l: "logs"};

function toPanel(id) {
	const jump = () => {
		const panel = document.getElementById(id);
		const target = panel?.querySelector("[data-go], .logs") ??
			panel?.querySelector("a, button");
		panel?.scrollIntoView({block: "start"});
		target?.focus({preventScroll: true});
	};
	if (document.getElementById(id) && main.dataset.page === "overview") {
		jump();
	} else {
		location.hash = place();
		setTimeout(jump, 100);
	}
}

function nextRow(by) {
	const rows = [...main.querySelectorAll("[data-go]")]
		.filter(one => one.offsetParent !== null);
	const at = rows.indexOf(document.activeElement);
	const next = at >= 0 ? rows[at + by]
		: rows.find(one => one.getBoundingClientRect().top > 60) ?? rows[0];
	next?.focus({preventScroll: true});
	next?.scrollIntoView({block: "nearest"});
}

function back() {
	if (gone > 0) {
		gone -= 2;
		history.back();
	} else if (route().name !== "") {
		location.replace(place());
	} else {
		document.activeElement?.blur();
	}
}

const keys = {
	"?": showHelp,
	"/": () => document.getElementById("search")?.focus(),
	g: () => {
		prefix = Date.now();
	},
	j: () => nextRow(1), k: () => nextRow(-1),
	Escape: back, t: toggleTravel,
	"[": () => step(-1), "]": () => step(1), d: nextTheme
};

document.addEventListener("keydown", event => {
	const on = event.target;
	if (event.ctrlKey || event.metaKey || event.altKey ||
	    document.getElementById("help").open)
		return;
	if (on instanceof HTMLInputElement && on.type !== "range" ||
	    on instanceof HTMLSelectElement) {
		if (event.key === "Escape")
			on.blur();
		return;
	}
	const led = Date.now() - prefix < 1500;
	prefix = 0;
	if (led && event.key in places)
		toPanel(places[event.key]);
	else if (led && event.key in {o: 1, i: 1, e: 1})
		location.hash = place({o: "", i: "issues", e: "events"}[event.key]);
	else if (Object.hasOwn(keys, event.key))
		keys[event.key](event);
	else
		return;
	event.preventDefault();
});

// The place in the page, not in its history.
document.getElementById("skip").addEventListener("click", event => {
	event.preventDefault();
	main.focus();
	main.scrollIntoView();
});

// ---- who is asking

async function enter(token) {
	try {
		await request("api/session", {method: "POST",
			headers: {"Content-Type": "application/json"},
			body: JSON.stringify({token})});
	} catch (error) {
		return error.message;
	}
	app.state = "connecting";
	await begin();
	return "";
}

async function begin() {
	ready = false;
	try {
		app.session = (await request("api/session")).data;
		if (!app.session.open && app.session.name === null)
			app.state = "login";
	} catch {
		// not to be had now: what is asked for next says why
	}
	if (app.state !== "login")
		await follow();
	ready = true;
	show();
	refetch();
}

let drawn;
onChange(() => {
	if (app.state === "login" && shown !== "login" && ready)
		show();
	// the position need not be drawn for every event
	drawn ??= setTimeout(() => {
		drawn = undefined;
		drawHeader();
		countNeeds();
	}, 250);
});
addEventListener("hashchange", event => {
	gone += event.isTrusted ? 1 : 0;
	show();
});
addEventListener("online", drawHeader);
document.addEventListener("visibilitychange", () => {
	tick();
	if (!document.hidden)
		drawEverything();
});
drawHeader();
begin();
