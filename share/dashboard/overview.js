// The first page: what needs somebody, and the panels.

import {bar, daysChart, flowBar} from "./charts.js";
import {h} from "./dom.js";
import {logs} from "./logs.js";
import {active, agentLink, answered, badge, costTable, counted, dim, empty,
	figures, icon, issueCell, note, online, panel, place, stateClass, states,
	streamLink, table, trouble, unseen, waiting} from "./parts.js";
import {ago, count, many, said, span, visible, words} from "./text.js";

const activeIssues = "api/issues?limit=500&" +
	active.map(s => `state=${s}`).join("&");
// Of each list, until more are asked for.
const shown = 15;
const all = new Set();

// ---- what needs somebody

function rigTroubles(status) {
	const list = [];
	for (const c of status.consumers ?? []) {
		if (c.parked > 0)
			list.push([c.name, `${many(c.parked, "event")} gave up: ` +
				`ev-each --parked ${c.name} says why`]);
		else if (c.lagSeconds > 900)
			list.push([c.name, `${many(c.lag, "event")} behind, the oldest ` +
				`for ${span(c.lagSeconds)}: is it running?`]);
		else if (c.failing > 0)
			list.push([c.name, `${many(c.failing, "event")} failed, and ` +
				"will be tried again"]);
	}
	for (const m of status.models ?? [])
		if (m.error || m.parked > 0)
			list.push([m.name, m.error ?? `${many(m.parked, "event")} could ` +
				`not be folded: ev-project --list ${m.name} says why`]);
	return list;
}

function needs(get) {
	const answer = get("api/status", "agents");
	const list = answer.data?.needs;
	if (!list)
		return panel("needs", "Needs you", null, waiting(answer));
	const titles = new Map();
	for (const path of [activeIssues, "api/queue"])
		for (const one of get(path, "issues").data ?? [])
			titles.set(one.streamId, one.title);
	const troubles = rigTroubles(answer.data);
	return panel("needs", "Needs you", h("span.count", {class: list.length
		? "hot" : ""}, count(list.length)),
	list.length || troubles.length ? null
		: h("p.fine", icon("done"),
			"Nothing. Every issue goes on by itself."),
	h("ul.needs", list.map(n => h("li", {key: n.streamId},
		h("span.need", {class: `n-${/^\w+$/.test(n.what) ? n.what : ""}`},
			words(n.what)),
		h("span.main",
			h("a.ref", {href: place("issue", n.streamId), "data-go": ""},
				said(n.streamId), h("span.title",
					said(titles.get(n.streamId)))),
			h("span.reason", said(n.reason) ??
				"nobody has said why")),
		h("span.who", agentLink(n.agentId)),
		h("span.when", unseen("since "), ago(n.since)))),
	troubles.map(([name, text]) => h("li", {key: `rig ${name}`},
		h("span.need.n-rig", "Rig"),
		h("span.main", h("b", said(name)),
			h("span.reason", said(text))),
		h("span.who"), h("span.when")))),
	trouble(answer));
}

// ---- how many are where

function pipeline(get) {
	const answer = get("api/status", "agents");
	const issues = answer.data?.issues;
	if (!issues)
		return h("div.pipeline");
	const others = Object.keys(issues).filter(s => !states.includes(s));
	return h("nav.pipeline", {"aria-label": "Issues by state"},
		[...states, ...others].map(s => h("a",
			{key: s, href: place("issues", {state: s}),
				class: stateClass(s) + (issues[s] ? "" : " none")},
			h("b", count(issues[s] ?? 0)), " ",
			h("span", words(s)))));
}

// ---- the queue

function toggle(set, name, redraw) {
	if (!set.delete(name))
		set.add(name);
	redraw();
}

function queue(get, redraw) {
	const order = i => states.length - states.indexOf(i.state);
	const part = (title, path, draw, nothing) => {
		const answer = get(path, "issues");
		const list = answer.data?.slice();
		if (path === activeIssues)
			list?.sort((a, b) => order(a) - order(b) ||
				(a.assignedAt < b.assignedAt ? -1 : 1));
		const open = all.has(title);
		return [h("h3", title, " ", counted(list)),
			answered(answer, () => list.length === 0 ? empty(nothing)
				: [draw(open ? list : list.slice(0, shown)),
					list.length > shown ? h("p.more", h("button.plain",
						{type: "button", "aria-expanded": open,
							onclick: () => toggle(all, title, redraw)},
						open ? "Only the first"
							: `${count(list.length - shown)} more`)) : null])];
	};
	return panel("queue", "Queue", null,
		part("Active", activeIssues, list => table(
			"Issues that somebody works on", ["Issue", "State",
				"Agent.wide-only", "PR.wide-only", "Age.num",
				"Quiet for.num.wide-only"], list.map(working)),
		["Nobody works on anything. ", h("code", "rig-claim ISSUE AGENT"),
			" takes an issue for an agent."]),
		part("Pending", "api/queue", list => table(
			"Issues that wait, in the order in which they are offered",
			["Place.num.place", "Issue", "Waits for", "Age.num"],
			list.map(pending)),
		["The queue is empty. ", h("code",
			"rig-approve OWNER/REPO#N TITLE"), " puts an issue into it."]));
}

const working = i => h("tr", {key: i.streamId}, issueCell(i),
	h("td", badge(i.state), h("span.narrow-only.who", said(i.agentId))),
	h("td.wide-only", agentLink(i.agentId), i.attempt > 1
		? h("span.dim", {title: `attempt ${i.attempt}`}, ` ×${i.attempt}`)
		: null),
	h("td.wide-only", pull(i)),
	h("td.num", ago(i.assignedAt ?? i.approvedAt, "since ")),
	h("td.num.dim.wide-only", ago(i.lastEventAt, "since ")));

export function pull(issue) {
	return issue.prNumber ? h("a", {href: issue.prUrl},
		`#${issue.prNumber}`) : null;
}

function pending(i) {
	const waits = i.circle
		? h("span.warn", "a circle: ", i.circle.map((s, n) =>
			[n ? " → " : "", said(s)]))
		: i.waitsFor.length === 0 ? dim("an agent")
			: i.waitsFor.map((w, n) => [n ? ", " : "",
				streamLink(w.streamId, w.streamId.startsWith(`${i.repo}#`)
					? w.streamId.slice(i.repo.length) : w.streamId),
				dim(" ", w.state ? words(w.state)
					: "not approved")]);
	return h("tr", {key: i.streamId, class: i.place === null ? "waits" : ""},
		h("td.num.place", i.place ?? h("span",
			unseen("waits"), h("span", {"aria-hidden": "true"}, "–"))),
		issueCell(i), h("td", waits),
		h("td.num", ago(i.approvedAt, "approved ")));
}

// ---- agents

export const issueOf = a => a.currentIssue
	? streamLink(`${a.currentRepo}#${a.currentIssue}`) : dim("nothing");

function agents(get) {
	const answer = get("api/agents", "agents");
	const list = answer.data;
	return panel("agents", "Agents", list && note(
		`${list.filter(a => a.online).length} of ${list.length} online`),
	answered(answer, () => list.length === 0 ? empty("No agents yet. ",
		h("code", "rig-heartbeat AGENT"), " tells of one.")
		: table("Agents", ["Agent", "Task", "Done.num.wide-only",
			"Heartbeat.num"], list.map(a => h("tr", {key: a.agentId},
			h("th.issue", {scope: "row"},
				h("a.ref", {href: place("agent", a.agentId), "data-go": ""},
					online(a), said(a.agentId)),
				h("span.status", {class: a.status === "stuck" ? "warn" : ""},
					a.online || a.status === "stuck" ? said(a.status) : null,
					a.online ? null : " offline")),
			h("td", issueOf(a)),
			h("td.num.wide-only", {title: `${a.completed} done, ` +
				`${a.failed} failed, ${a.stuck} times stuck`},
			count(a.completed), a.failed ? dim(` / ${count(a.failed)} failed`)
				: null),
			h("td.num", a.lastHeartbeat ? ago(a.lastHeartbeat)
				: dim("never")))))));
}

// ---- the agents' queues

const unfolded = new Set();

export const queueItems = answer => answered(answer, ({items}) =>
	items.length === 0 ? empty("Nothing is assigned that has not begun.")
		: h("ol.items", items.map(i => h("li", {key: i.streamId},
			streamLink(i.streamId),
			h("a.out", {href: i.url, "aria-label":
				`${visible(i.streamId)} at GitHub`}, "GitHub"),
			h("span.when", ago(i.assignedAt, "assigned "))))));

function queues(get, redraw) {
	const answer = get("api/streams/status", "issues");
	const list = answer.data;
	const most = Math.max(20, ...(list ?? []).map(q => q.depth));
	return panel("queues", "Queues", list && note(
		many(list.reduce((n, q) => n + q.depth, 0), "issue")),
	answered(answer, () => list.length === 0 ? empty("No queues yet. ",
		h("code", "rig-assign ISSUE AGENT"), " makes the first.")
		: table("Assigned to each agent, and not yet begun", ["Agent",
			"Depth.num", "How full.chart.wide-only.unseen",
			"Last assigned.last"],
		list.map(q => queueRows(q, most, get, redraw)))));
}

function queueRows(q, most, get, redraw) {
	const open = unfolded.has(q.agentId);
	return [h("tr", {key: q.agentId, class: q.over ? "over" : ""},
		h("th", {scope: "row"}, h("button.fold", {type: "button",
			"aria-expanded": open, "data-go": "",
			onclick: () => toggle(unfolded, q.agentId, redraw)},
		icon("more"), said(q.agentId))),
		h("td.num", count(q.depth), q.over ? h("span.warn", " over 20") : null),
		h("td.chart.wide-only", bar(q.depth / most, q.over ? "amber" : "")),
		h("td.last", q.lastAssigned ? [streamLink(q.lastAssigned.streamId), " ",
			dim(ago(q.lastAssigned.assignedAt))] : dim("nothing"))),
	open ? h("tr.unfolded", {key: `${q.agentId} items`},
		h("td", {colspan: 4}, queueItems(get(
			`api/streams/${encodeURIComponent(q.agentId)}?limit=10`,
			"issues")))) : null];
}

// ---- costs

function costs(get) {
	const answer = get("api/costs/summary?days=30", "costs");
	const daily = get("api/costs/daily?days=30", "costs").data;
	return panel("costs", "Costs", note("30 days"),
		answered(answer, sum => sum.agents.length === 0
			? empty("No usage in 30 days. ", h("code", "TOKEN_USAGE"),
				" events say what tokens cost; the hooks append them.")
			: [figures(sum), daily ? daysChart(daily) : null,
				costTable("Cost of each agent in 30 days", "Agent", sum.agents,
					"agentId", agentLink)]));
}

// ---- flow

function flow(get) {
	return panel("flow", "Time in state", note("30 days"),
		answered(get("api/flow?days=30", "issues"), body));
	function body({states}) {
		const list = states.filter(s => s.state !== "done" &&
			(s.visits > 0 || s.now > 0));
		return list.length === 0 ? empty("No issue has been anywhere yet.")
			: [table("How long issues are in each state: the median, and " +
				"how long nine of ten are at most", ["State", "Now.num",
				"Visits.num.wide-only", "Logarithmic chart.chart.unseen",
				"Median.num", "9 of 10.num.wide-only"],
			list.map(s => h("tr", {key: s.state},
				h("th", {scope: "row"}, badge(s.state)),
				h("td.num", s.now ? count(s.now) : dim("0")),
				h("td.num.dim.wide-only", count(s.visits)),
				h("td.chart", flowBar(s)),
				h("td.num", span(s.medianSeconds) || "–"),
				h("td.num.dim.wide-only", span(s.p90Seconds) || "–")))),
			h("p.legend", {"aria-hidden": "true"}, h("span.key"),
				"half of the visits end within", h("span.key.light"),
				"nine of ten", h("span.scale", "1 s to 30 d"))];
	}
}

// ---- the page

export const overview = () => ({
	title: "Overview",
	heading: h("h1.unseen", `The rig at ${location.host}`),
	layout: ["needs", "pipeline", [["queue", "costs"],
		["agents", "queues", "flow"]], "logs"],
	panels: {needs, pipeline, queue, flow, agents, queues, costs,
		logs: logs()}
});
