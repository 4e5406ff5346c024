// The other pages: an agent, an event, lists of issues and of events.

import {app, url} from "./api.js";
import {daysChart} from "./charts.js";
import {h} from "./dom.js";
import {tree} from "./issue.js";
import {logs} from "./logs.js";
import {issueOf, queueItems} from "./overview.js";
import {agentLink, answered, badge, costTable, counted, dim, empty, eventList,
	fact, issueCell, issueLink, json, note, online, panel, place, states,
	streamLink, table, trouble, waiting} from "./parts.js";
import {ago, count, moment, said, words} from "./text.js";

// ---- an agent

export function agentPage(name) {
	const id = encodeURIComponent(name);

	function head(get) {
		const answer = get(`api/agents/${id}`, "agents");
		const a = answer.data;
		return h("div.page-head",
			h("p.crumb", h("a", {href: place()}, "Overview"),
				" / Agents"),
			h("h1", said(name)),
			answer.error ? h("p.trouble", {role: "status"},
				said(answer.error.message)) : null,
			!a ? null : h("dl.facts",
				fact("Is", online(a), a.online ? "online" : "offline",
					dim(" ", said(a.status))),
				fact("Heartbeat", a.lastHeartbeat
					? [ago(a.lastHeartbeat), " ago"] : "never"),
				fact("Task", issueOf(a)),
				fact("Done", count(a.completed)),
				fact("Failed", count(a.failed)),
				fact("Stuck", count(a.stuck)),
				a.instances?.length ? fact("Instances",
					said(a.instances.slice(0, 8).join(", "))) : null));
	}

	function history(get) {
		const answer = get(url("api/issues", {agent: name,
			sort: "lastEventAt", reverse: 1, limit: 50}), "issues");
		return panel("history", "Issues", counted(answer.data),
			answered(answer, list => issueTable(list,
				"Issues of this agent, the latest first",
				"It has had no issue yet.", true)));
	}

	function queue(get) {
		const answer = get(`api/streams/${id}?limit=10`, "issues");
		return panel("queue", "Queue", answer.data &&
			note(count(answer.data.depth)), answer.error?.status === 404
			? empty("Nothing was ever assigned to it.") : queueItems(answer));
	}

	function costs(get) {
		const daily = get(url("api/costs/daily", {days: 30, agent: name}),
			"costs");
		const usage = get(url("api/usage", {agent: name, limit: 200}), "costs");
		const rows = usage.data?.slice().sort((a, b) => b.cost - a.cost)
			.slice(0, 10);
		return panel("costs", "Costs", note("30 days"),
			answered(daily, days => days.length === 0
				? empty("No usage in 30 days.") : daysChart(days)),
			rows?.length ? costTable("What its dearest issues cost", "Issue",
				rows, "issue", s => s ? issueLink(s) : dim("no issue")) : null);
	}

	// One heartbeat is as good as many.
	function events(get) {
		return panel("events", "What it did last", null, answered(
			get(url("api/v1/events", {actor: name, reverse: 1, limit: 100,
				to: app.at}), "all", true), ({events}) =>
				events.length === 0
					? empty("It has appended no event by its name.")
					: eventList(events.filter((e, n) => n === 0 ||
						e.type !== "HEARTBEAT").slice(0, 40), true)));
	}

	return {title: name, heading: null,
		layout: ["head", [["history", "events"], ["queue", "costs"]], "logs"],
		panels: {head, history, queue, costs, events, logs: logs(name)}};
}

// ---- issues

function issueTable(list, caption, nothing, ofOne) {
	const columns = ["Issue", "State", "Agent.wide-only", "Last event.num"];
	if (ofOne)
		columns.splice(2, 1);
	return list.length === 0 ? empty(nothing) : table(caption, columns,
		list.map(i => h("tr", {key: i.streamId}, issueCell(i),
			h("td", badge(i.state)),
			ofOne ? null : h("td.wide-only", agentLink(i.agentId)),
			h("td.num.dim", ago(i.lastEventAt)))));
}

export function issuesPage(query) {
	const search = query.get("search") ?? "";
	const state = query.get("state") ?? "";
	const limit = 200;
	let timer;
	const change = next => {
		clearTimeout(timer);
		timer = setTimeout(() => history.replaceState(null, "",
			place("issues", {search, state, ...next})) ||
			dispatchEvent(new HashChangeEvent("hashchange")), 250);
	};

	function list(get) {
		const answer = get(url("api/issues", {search, state, limit,
			sort: "lastEventAt", reverse: 1}), "issues");
		return panel("issues", state && state !== "open"
			? `Issues: ${words(state)}` : "Issues", answer.data && note(
			count(answer.data.length), answer.data.length === limit
				? " or more" : ""),
		h("form.filters", {role: "search", "aria-label": "Issues",
			onsubmit: event => event.preventDefault()},
		h("label", h("span", "Text"), h("input", {type: "search",
			id: "issue-search", autocomplete: "off", spellcheck: "false",
			value: search, oninput: e => change({search: e.target.value})})),
		h("label", h("span", "State"), h("select", {value: state,
			id: "issue-state", onchange: e => change({state: e.target.value})},
		[["", "any"], ["open", "all but done"],
			...states.map(s => [s, words(s)])].map(([value, text]) =>
			h("option", {key: value, value}, text))))),
		answered(answer, list => issueTable(list,
			"Issues, those that had an event last first",
			search || state ? "No such issue." : ["No issues yet. ",
				h("code", "rig-approve OWNER/REPO#N TITLE"),
				" is how one begins."])));
	}
	return {title: "Issues", same: "issues", heading: h("h1.unseen",
		"Issues"), layout: ["list"], panels: {list}};
}

// ---- events

const filters = [["type", "Type", "CI_FAILED"], ["stream", "Stream",
	"acme/app#42"], ["actor", "Actor", "ada"]];

export function eventsPage(query) {
	const chosen = {};
	for (const [name] of filters)
		chosen[name] = query.get(name) ?? "";
	const to = query.get("to") ?? "";
	const go = next => {
		location.hash = place("events", {...chosen, to: "", ...next});
	};

	function list(get) {
		const answer = get(url("api/v1/events", {...chosen, reverse: 1,
			limit: 100, to: to || app.at}), to ? "never" : "all", true);
		const page = answer.data;
		return panel("events", "Events", page && note(to
			? `up to #${count(to)}` : `of ${count(page.head)}`),
		h("form.filters", {role: "search", "aria-label": "Events",
			onsubmit: event => {
				event.preventDefault();
				go(Object.fromEntries(new FormData(event.target)));
			}},
		filters.map(([name, label, example]) => h("label", {key: name},
			h("span", label), h("input", {name, value: chosen[name],
				id: `events-${name}`, placeholder: example, spellcheck: "false",
				autocomplete: "off", autocapitalize: "off"}))),
		h("button", {type: "submit"}, "Choose")),
		answered(answer, () => page.events.length === 0
			? empty(Object.values(chosen).some(Boolean) ? "No such event."
				: ["No events yet. ", h("code", "ev-append"), " appends one."])
			: eventList(page.events, true)),
		page && (page.next !== null || to) ? h("p.more",
			to ? h("a", {href: place("events", chosen)}, "Newest") : null,
			page.next !== null ? h("a", {href: place("events",
				{...chosen, to: page.next})}, "Older") : null) : null);
	}
	return {title: "Events", same: "events", heading: h("h1.unseen",
		"Events"), layout: ["list"], panels: {list}};
}

// ---- one event

export function eventPage(position) {
	const path = `api/v1/events/${encodeURIComponent(position)}`;

	function event(get) {
		const answer = get(path, e => String(e.position) === position, true);
		const e = answer.data;
		if (!e)
			return [h("h1", `Event #${position}`),
				h("div.panel", waiting(answer))];
		return h("div.page-head",
			h("p.crumb", h("a", {href: place("events")}, "Events"),
				` / #${e.position}`),
			h("h1", words(e.type), " ", dim(
				`#${e.position}`)),
			h("dl.facts",
				fact("Stream", streamLink(e.streamId),
					dim(` version ${e.version}`)),
				fact("Happened", moment(e.timestamp), dim(" ",
					ago(e.timestamp), " ago")),
				fact("Recorded", moment(e.recordedAt)),
				e.actor ? fact("By", h("a", {href: place("agent",
					e.actor.split("/")[0])}, said(e.actor))) : null,
				fact("Priority", h("span", {class: `p-${e.priority}`},
					said(e.priority))),
				fact("Type", h("a", {href: place("events", {type: e.type})},
					h("code", said(e.type)))),
				fact("Catalog", said(e.catalog), ` ${e.schemaVersion}`),
				fact("Id", h("code", said(e.id))),
				e.causationId ? fact("Caused by", h("code",
					said(e.causationId))) : null,
				e.correlationId ? fact("Correlation", h("code",
					said(e.correlationId))) : null),
			h("p.steps",
				Number(position) > 1 ? h("a.button", {href: place("event",
					Number(position) - 1)}, "← Before") : null,
				Number(position) < app.head ? h("a.button", {href: place("event",
					Number(position) + 1)}, "After →") : null,
				h("a.button", {href: `#/?at=${e.position}`},
					"The rig as of then")));
	}

	function payload(get) {
		const e = get(path, "never").data;
		return !e ? null : panel("payload", "Payload", null,
			h("pre", {tabindex: 0, role: "group", "aria-label": "Payload"},
				json(e.data)),
			Object.keys(e.meta ?? {}).length ? [h("h3", "Meta"),
				h("pre", {tabindex: 0, role: "group", "aria-label": "Meta"},
					json(e.meta))] : null);
	}

	// The cause is looked for in the stream and among those that belong
	// together; effects are asked for.
	function causes(get) {
		const e = get(path, "never").data;
		if (!e)
			return null;
		const all = new Map([[e.id, e]]);
		const asked = [["causation", e.id],
			e.correlationId && ["correlation", e.correlationId],
			e.causationId && ["causation", e.causationId]].filter(Boolean);
		for (const [name, id] of asked)
			for (const one of get(url("api/v1/events", {[name]: id,
				limit: 100}), x => x[`${name}Id`] === id, true).data?.events ?? [])
				all.set(one.id, one);
		if (e.causationId && !all.has(e.causationId))
			for (const one of get(url("api/events/stream", {id: e.streamId}),
				"never").data ?? [])
				if (one.id === e.causationId)
					all.set(one.id, one);
		return panel("causes", "Causes and effects", null,
			tree(all, e.streamId, e.position));
	}

	if (!/^\d{1,15}$/.test(position))
		return {title: "Events", heading: h("h1", "No such event"), layout: [],
			panels: {}};
	return {title: `Event ${position}`, heading: null,
		layout: ["event", [["payload"], ["causes"]]],
		panels: {event, payload, causes}};
}

// ---- who are you

export function loginPage(enter) {
	let trouble = "", busy = false;
	function form(get, redraw) {
		return h("section.panel.login", {"aria-labelledby": "login-title"},
			h("h1", {id: "login-title"}, "This rig asks for a token"),
			h("p", "Whoever runs it has one for you: ", h("code",
				"ev-serve --tokens FILE --new-token NAME=read"),
			" makes it. It is kept in a cookie that pages cannot read, for ",
			"twelve hours."),
			h("form", {onsubmit: async event => {
				event.preventDefault();
				const field = event.target.elements.token;
				busy = true;
				redraw();
				trouble = await enter(field.value.trim());
				busy = false;
				field.value = "";
				redraw();
			}},
			h("label", {for: "token"}, "Token"),
			h("input", {id: "token", name: "token", type: "password",
				autocomplete: "off", spellcheck: "false",
				placeholder: "evt_…"}),
			h("button", {type: "submit", disabled: busy}, "Enter"),
			h("p.trouble", {role: "alert"}, said(trouble))));
	}
	return {title: "Token", heading: null, layout: ["form"], panels: {form}};
}
