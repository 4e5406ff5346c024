// What the server says, kept up to date: panels name what they need (get), and
// are drawn again when it is another. Events mark it as old, which is fetched
// again at most once a second and only while somebody looks.

import {patch} from "./dom.js";
import {parse, setServerTime} from "./text.js";

export const app = {
	at: null,        // the position that is looked at, or null: now
	head: 0,         // the log's last position, as far as it is known
	state: "connecting", // live, connecting, offline, past or login
	session: null
};
const listeners = new Set();
export const onChange = f => listeners.add(f);
export function changed() {
	for (const f of listeners)
		f();
}

export class Problem extends Error {
	constructor(status, body) {
		super(body?.detail ?? body?.title ?? `the server says ${status}`);
		this.status = status;
		this.body = body;
	}
}

// One request; the answer's text as JSON, exact numbers kept.
export async function request(path, options = {}) {
	const answer = await fetch(path, {
		cache: "no-store", credentials: "same-origin", redirect: "error",
		signal: AbortSignal.timeout(30000), ...options,
		headers: {Accept: "application/json", ...options.headers}
	});
	const date = Date.parse(answer.headers.get("Date") ?? "");
	if (date)
		setServerTime(date);
	if (answer.status === 304 || answer.status === 204)
		return {status: answer.status};
	const text = await answer.text();
	let data = null;
	try {
		data = parse(text);
	} catch {
		if (answer.ok)
			throw new Problem(answer.status,
				{detail: "the server's answer is no JSON"});
	}
	if (answer.status === 401 && path !== "api/session") {
		app.state = "login";
		changed();
	}
	if (!answer.ok)
		throw new Problem(answer.status, data);
	return {status: answer.status, data, text,
		etag: answer.headers.get("ETag")};
}

export function url(path, parameters = {}) {
	const query = new URLSearchParams();
	for (const [name, value] of Object.entries(parameters))
		for (const one of [value].flat())
			if (one !== null && one !== undefined && one !== "")
				query.append(name, one);
	const text = query.toString();
	return text ? `${path}?${text}` : path;
}

// ---- what is known

const resources = new Map();
const panels = new Set();
// What a path said last at any position, to be shown until there is more.
const last = new Map();
const every = 30000;
let pumping, drawing;

const older = {
	all: () => true,
	issues: e => e.type !== "HEARTBEAT" && e.type !== "TOKEN_USAGE",
	agents: e => e.type !== "TOKEN_USAGE",
	costs: e => e.type === "TOKEN_USAGE",
	never: () => false
};

// The answer for a panel: {data, error, old}; data is undefined as long as there
// is none. `when` names the events that change it, or says so itself.
export function get(panel, path, when = "all", now = false) {
	const then = app.at === null || now || when === "never" ? ""
		: `${path.includes("?") ? "&" : "?"}at=${app.at}`;
	const key = path + then;
	let one = resources.get(key);
	if (!one) {
		one = {key, path, then, users: new Set(), dirty: true, fetched: 0,
			took: 0};
		resources.set(key, one);
		queueMicrotask(pump);
	}
	one.when = typeof when === "function" ? when : older[when];
	one.users.add(panel);
	panel.uses.add(one);
	if (one.data !== undefined || one.error)
		return {data: one.data, error: one.error, text: one.text};
	const before = last.get(path);
	return {data: before?.data, text: before?.text, old: true};
}

async function fetchOne(one) {
	one.busy = true;
	one.dirty = false;
	const begun = performance.now();
	let news = true;
	try {
		const answer = await request(one.key, one.etag
			? {headers: {"If-None-Match": one.etag}} : {});
		news = answer.status !== 304 || one.error !== undefined;
		if (answer.status !== 304) {
			one.data = answer.data;
			one.text = answer.text;
			one.etag = answer.etag;
			last.set(one.path, one);
		}
		one.error = undefined;
	} catch (error) {
		news = one.error?.message !== error.message;
		one.error = error;
		// what is not there (404) is known; the rest is tried again
		if (error.status === undefined || error.status >= 500 ||
		    error.status === 429)
			setTimeout(() => {
				one.dirty = true;
				pump();
			}, 5000);
		else
			one.data = undefined;
	}
	one.busy = false;
	one.fetched = performance.now();
	one.took = one.fetched - begun;
	if (news)
		for (const panel of one.users)
			draw(panel);
	pump();
}

// Fetches what is old, four at a time; slow answers are asked for less often.
function pump() {
	clearTimeout(pumping);
	pumping = undefined;
	if (document.hidden || app.state === "login")
		return;
	const time = performance.now();
	let busy = 0, wait = Infinity;
	for (const one of resources.values())
		busy += one.busy ? 1 : 0;
	const ready = [];
	for (const one of resources.values()) {
		if (one.users.size === 0 && !one.busy) {
			resources.delete(one.key);
			continue;
		}
		if (!one.dirty || one.busy)
			continue;
		const due = one.fetched === 0 ? 0
			: one.fetched + Math.max(1000, 4 * one.took) - time;
		if (due <= 0)
			ready.push(one);
		else
			wait = Math.min(wait, due);
	}
	for (const one of ready.slice(0, Math.max(0, 4 - busy)))
		fetchOne(one);
	if (wait < Infinity)
		pumping = setTimeout(pump, wait);
}

export function refetch() {
	for (const one of resources.values())
		if (!one.then)
			one.dirty = true;
	pump();
}

function tell(events) {
	let some = false;
	for (const one of resources.values())
		if (!one.dirty && !one.then && events.some(one.when))
			some = one.dirty = true;
	if (some && pumping === undefined)
		pump();
}

// ---- panels

// render(get, redraw) makes what stands in the element. It may have members:
// drawn(element), called afterwards, and close().
export class Panel {
	constructor(element, render) {
		this.element = element;
		this.render = render;
		this.uses = new Set();
		panels.add(this);
		draw(this);
	}
	close() {
		panels.delete(this);
		this.render.close?.();
		for (const one of this.uses)
			one.users.delete(this);
	}
}

export function draw(panel) {
	panel.old = true;
	if (drawing === undefined)
		drawing = requestAnimationFrame(drawAll);
}
export function drawEverything() {
	for (const panel of panels)
		draw(panel);
}

function drawAll() {
	drawing = undefined;
	changed();
	for (const panel of panels) {
		if (!panel.old)
			continue;
		panel.old = false;
		const before = panel.uses;
		panel.uses = new Set();
		let busy = false;
		const content = panel.render((path, when, now) => {
			const answer = get(panel, path, when, now);
			busy ||= answer.old === true;
			return answer;
		}, () => draw(panel));
		for (const one of before)
			if (!panel.uses.has(one))
				one.users.delete(panel);
		patch(panel.element, content);
		panel.render.drawn?.(panel.element);
		if (busy)
			panel.element.setAttribute("aria-busy", "true");
		else
			panel.element.removeAttribute("aria-busy");
	}
}

// ---- streams

/*
 * Reads a stream of events (text/event-stream) for as long as it is not closed
 * and the page is seen. EventSource will not do: it knows no event whose type
 * it was not told beforehand, and it does not say why a server refuses it.
 *
 * from(): the path, with where to begin. take(list): of {id, type, data}.
 * state(up): whether it is connected.
 */
export class Stream {
	constructor({from, take, state}) {
		Object.assign(this, {from, take, state, tries: 0, closed: false});
		this.seen = () => document.hidden ? this.stop() : this.start();
		document.addEventListener("visibilitychange", this.seen);
		this.start();
	}
	close() {
		this.closed = true;
		document.removeEventListener("visibilitychange", this.seen);
		this.stop();
	}
	stop() {
		clearTimeout(this.timer);
		this.abort?.abort();
		this.abort = undefined;
	}
	start() {
		if (!this.closed && !this.abort && !document.hidden)
			this.run(this.abort = new AbortController());
	}
	async run(abort) {
		let silence;
		// heartbeats come every 15 s
		const heard = () => {
			clearTimeout(silence);
			silence = setTimeout(() => abort.abort(), 45000);
		};
		try {
			heard();
			const path = await this.from(abort.signal);
			const answer = await fetch(path, {signal: abort.signal,
				cache: "no-store", credentials: "same-origin",
				headers: {Accept: "text/event-stream"}});
			if (!answer.ok || !answer.body)
				throw new Problem(answer.status);
			this.tries = 0;
			this.state?.(true);
			await this.read(answer.body, heard);
		} catch (error) {
			if (error.status === 401) {
				app.state = "login";
				changed();
			}
		}
		clearTimeout(silence);
		// only if nobody has stopped it, and begun another
		if (this.abort !== abort)
			return;
		this.abort = undefined;
		this.state?.(false);
		const wait = Math.min(500 * 2 ** this.tries++, 15000);
		this.timer = setTimeout(() => this.start(),
			wait * (0.75 + Math.random() / 2));
	}
	async read(body, heard) {
		const reader = body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "", id;
		let event = {type: "message", data: []};
		for (;;) {
			const {value, done} = await reader.read();
			if (done)
				return;
			heard();
			const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
			rest = lines.pop();
			const list = [];
			for (const line of lines) {
				if (line === "") {
					if (event.data.length)
						list.push({id, type: event.type,
							data: event.data.join("\n")});
					event = {type: "message", data: []};
					continue;
				}
				const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line);
				if (field === "data")
					event.data.push(text);
				else if (field === "event")
					event.type = text;
				else if (field === "id")
					id = text;
			}
			if (list.length && this.take(list) === false)
				return;
		}
	}
}

// The stream of events: where they have come to, and what they make old. The
// head is asked for before anything else is, so that no event is missed between
// an answer and the stream.
let follower, known = null;
async function ask(signal) {
	const {data} = await request("api/v1/head", {signal});
	const head = Number(data.position);
	// what was missed, or is another log, is fetched as a whole
	if (known === null || head < known || head > known + 500)
		known = head;
	app.head = head;
}
export async function follow() {
	follower?.close();
	let first = true;
	await ask().catch(() => {});
	follower = new Stream({
		async from(signal) {
			if (!first || known === null)
				await ask(signal);
			return `api/v1/events?after=${known}`;
		},
		take(list) {
			const events = [];
			for (const {id, type, data} of list) {
				if (type === "lagging")
					known = null;
				if (type === "lagging" || type === "bye")
					return false;
				if (id !== undefined)
					known = Number(id);
				events.push(JSON.parse(data));
			}
			app.head = Math.max(app.head, known);
			tell(events);
			changed();
			return true;
		},
		state(up) {
			if (app.state !== "login")
				app.state = up ? "live"
					: navigator.onLine ? "connecting" : "offline";
			if (up && !first)
				refetch();
			first = false;
			changed();
		}
	});
}

setInterval(() => {
	if (!document.hidden)
		refetch();
}, every);
document.addEventListener("visibilitychange", () => {
	if (!document.hidden)
		refetch();
});
