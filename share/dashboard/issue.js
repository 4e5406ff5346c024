// The page of an issue: its life, its events, why it is where it is.

import {app, url} from "./api.js";
import {bar, lifeBar} from "./charts.js";
import {h} from "./dom.js";
import {pull} from "./overview.js";
import {agentLink, answered, badge, costTable, dim, empty, eventLink,
	eventList, fact, figures, icon, issueLink, note, panel, place, rank,
	stateClass, streamLink, table, told, trouble, unseen, waiting}
	from "./parts.js";
import {ago, count, many, moment, now, said, span, words} from "./text.js";

export function issuePage(stream) {
	const id = encodeURIComponent(stream);
	const mine = e => e.streamId === stream;
	const path = `api/issues/${id}`;
	// the newest, newest first
	const kept = 500;
	const eventsOf = get => {
		const answer = get(url("api/v1/events", {stream, reverse: 1,
			limit: kept, to: app.at}), mine, true);
		return {...answer, data: answer.data?.events};
	};

	function head(get) {
		const answer = get(path, mine);
		const i = answer.data;
		return h("div.page-head",
			h("p.crumb", h("a", {href: place("issues")}, "Issues"), " / ",
				said(stream)),
			h("h1", said(i?.title) ?? said(stream)),
			answer.error ? h("p.trouble", {role: "status"},
				said(answer.error.message), app.at !== null
					? ": it was not there yet" : "") : null,
			!i ? null : h("dl.facts",
				fact("State", badge(i.state), i.state === "done" ? null
					: dim(" quiet for ", ago(i.lastEventAt))),
				i.agentId ? fact("Agent", agentLink(i.agentId), i.attempt > 1
					? dim(` attempt ${i.attempt}`) : null) : null,
				i.prNumber ? fact("Pull request", pull(i)) : null,
				fact("Priority", rank(i.priority) ?? said(i.priority) ?? "–"),
				i.branch ? fact("Branch", h("code", said(i.branch))) : null,
				i.milestone ? fact("Milestone", said(i.milestone)) : null,
				i.approvedAt ? fact("Approved", ago(i.approvedAt), " ago")
					: null,
				i.doneAt ? fact("Done", ago(i.doneAt), " ago") : null,
				i.failedChecks?.length ? fact("Failed checks",
					said(i.failedChecks.join(", "))) : null,
				i.dependsOn?.length ? fact("Depends on", i.dependsOn.map(
					(d, n) => [n ? ", " : "", issueLink(/^#?\d+$/.test(d)
						? `${i.repo}#${String(d).replace("#", "")}`
						: String(d))])) : null,
				i.reason ? fact("Reason", said(i.reason)) : null),
			trouble({error: i && answer.error}));
	}

	// ---- steps and waits

	function life(get) {
		const answer = get(`${path}/timeline`, mine, true);
		const steps = answer.data?.filter(s => app.at === null ||
			s.position <= app.at);
		if (!steps)
			return panel("life", "Life", null, waiting(answer));
		// the last step lasts until now, unless all is done
		if (app.at !== null && steps.length)
			steps.push({...steps.pop(), seconds: null});
		const took = steps.map((s, n) => s.seconds !== null
			? Number(s.seconds) : n === steps.length - 1 && s.state !== "done"
				? Math.max(0, (now() - Date.parse(s.at)) / 1000) : 0);
		const total = took.reduce((a, b) => a + b, 0);
		const most = Math.max(...took, 0);
		return panel("life", "Life", note(
			`${many(steps.length, "step")} in ${span(total)}`),
		steps.length === 0 ? empty("Nothing has happened yet.") : [
			lifeBar(steps, took, total),
			table("Steps, and how long it took until the next", ["Step",
				"Told.told",
				"By.wide-only",
				"At.num.wide-only",
				"Then.wait"],
			steps.map((s, n) => h("tr", {key: s.position},
				h("th", {scope: "row", class: stateClass(s.state)},
					h("a.ref", {href: place("event", s.position),
						"data-go": ""}, h("span.dot"), words(s.type))),
				h("td.told", said(s.told)),
				h("td.wide-only", said(s.actor)),
				h("td.num.dim.wide-only", moment(s.at)),
				h("td.wait", {class: stateClass(s.state)},
					s.seconds === null && s.state === "done" ? badge("done")
						: [h("span", s.seconds === null ? ["for ",
							ago(s.at)] : span(s.seconds)),
						dim(" ", words(s.state)),
						bar(most ? took[n] / most : 0)]))))],
		trouble(answer));
	}

	// ---- events, and what caused what

	function events(get) {
		const answer = eventsOf(get);
		const list = answer.data;
		return panel("events", "Events", list && note(list.length === kept
			? "the last " : "", count(list.length)),
		answered(answer, () => eventList(list)));
	}

	// Causes are named by ids. What was caused elsewhere is asked for, of twenty
	// at once.
	function causes(get) {
		const answer = eventsOf(get);
		if (!answer.data)
			return panel("causes", "Causes and effects", null, waiting(answer));
		const all = new Map(answer.data.map(e => [e.id, e]));
		const asked = answer.data.filter(e => e.type !== "HEARTBEAT")
			.slice(0, 100).map(e => e.id);
		const more = (name, ids) => {
			for (let i = 0; i < ids.length; i += 20) {
				const found = get(url("api/v1/events", {limit: 200,
					to: app.at, [name]: ids.slice(i, i + 20)}), mine, true).data;
				for (const e of found?.events ?? [])
					all.set(e.id, e);
			}
		};
		more("causation", asked);
		more("correlation", [...new Set(answer.data.slice(0, 200)
			.map(e => e.correlationId).filter(Boolean))].slice(0, 5));
		return panel("causes", "Causes and effects", null, tree(all, stream));
	}

	// ---- why

	function why(get) {
		const doc = get(path, mine).data;
		const answer = get(url("api/why", {model: "issue-status", key: stream,
			member: "state"}), mine);
		return panel("why", "Why it is where it is", null,
			answered(answer, list => list.length === 0
				? empty("No event has put it anywhere.")
				: [h("p.note", doc ? ["It is ", badge(doc.state),
					` because of ${many(list.length, "event")}`] : null,
				list.length > 6 ? ", the last of which are:" : ":"),
				h("ol.why", list.slice(-6).map(e => h("li", {key: e.position},
					eventLink(e.position), h("b", words(e.type)),
					dim(told(e)), h("span.when", ago(e.timestamp)))))]));
	}

	// ---- the gate, and what it cost

	function gate(get) {
		if (app.at !== null)
			return panel("gate", "Merge gate", null,
				empty("The gate is asked about now only."));
		const answer = get(`${path}/gate`, mine);
		const g = answer.data;
		return panel("gate", "Merge gate", g && h("span.count",
			{class: g.mayMerge ? "good" : ""}, g.mayMerge ? "may be merged"
				: "may not be merged"),
		answered(answer, () => h("ul.gate", g.needs.map(n => {
			const [name, shape, text] = n.ok ? ["ok", "done", "ok: "]
				: n.ok === false ? ["not", "no", "not met: "]
					: ["unknown", "none", "not known: "];
			return h("li", {key: n.need, class: name}, icon(shape),
				unseen(text), h("b", said(n.need)), h("span", said(n.reason)),
				n.position ? eventLink(n.position) : null);
		}))));
	}

	function cost(get) {
		const answer = get(url("api/costs/issue", {id: stream}), "costs");
		return panel("cost", "Cost", null, answer.error?.status === 404
			? empty("No usage is known of it.")
			: answered(answer, sum => [figures(sum), costTable(
				"Cost of each agent", "Agent", sum.agents, "agentId",
				agentLink)]));
	}

	if (!/^[^\s/]+\/[^\s/#]+#\d+$/.test(stream))
		return {title: stream, heading: null, layout: ["head"], panels: {head}};
	return {title: stream, heading: null,
		layout: ["head", [["life", "events"], ["why", "gate", "cost",
			"causes"]]],
		panels: {head, life, events, why, gate, cost, causes}};
}

// ---- causes

// Of a map of ids to events: those that have a cause or an effect, as a tree.
// `home`: the stream that need not be named; `mark`: a position that is here.
export function tree(all, home, mark) {
	const effects = new Map();
	for (const e of all.values())
		if (e.causationId && e.causationId !== e.id)
			(effects.get(e.causationId) ?? effects.set(e.causationId, [])
				.get(e.causationId)).push(e);
	const before = (a, b) => a.position - b.position;
	const roots = [...all.values()].filter(e => effects.has(e.id) &&
		!all.has(e.causationId)).sort(before);
	// whose cause is not known here
	const orphans = [...all.values()].filter(e => e.causationId &&
		!all.has(e.causationId) && !effects.has(e.id)).sort(before);
	const seen = new Set();
	// What has one effect only is followed by it in the same list, so that a
	// long chain is no staircase.
	const items = (list, depth) => {
		const rows = [];
		for (let e of list) {
			for (let chain = false; e && !seen.has(e.id); chain = true) {
				seen.add(e.id);
				const under = (effects.get(e.id) ?? []).sort(before);
				rows.push(h("li", {key: e.position, class: chain ? "then" : "",
					"aria-current": e.position === mark ? "true" : null},
				eventLink(e.position), " ", h("b", words(e.type)), " ",
				dim(e.streamId === home ? null
					: [streamLink(e.streamId), " "], said(e.actor)),
				under.length > 1 && depth < 30
					? h("ul", items(under, depth + 1)) : null));
				e = under.length === 1 ? under[0] : null;
			}
		}
		return rows;
	};
	if (roots.length + orphans.length === 0)
		return empty("No event says what caused it.");
	return h("ul.tree", items([...roots, ...orphans], 0));
}
