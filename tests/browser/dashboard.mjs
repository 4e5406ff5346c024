// Looks at the dashboard of ev-serve in a real browser, as people do, and prints
// what it found as TAP. The log is $EV_LOG, made by tests/dashboard.bats; a
// second one, $EV_LOG_BIG, has 100,000 events. Starts and ends its own servers.
// Names of tests as arguments: these only.
import {execFileSync, spawn} from "node:child_process";
import {once} from "node:events";
import {existsSync, readFileSync, readdirSync} from "node:fs";
import {createRequire} from "node:module";
import {dirname, join} from "node:path";
import {createInterface} from "node:readline";
import {fileURLToPath} from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, "../npm/package.json"));
const {chromium} = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const files = join(here, "../../share/dashboard");
const log = process.env.EV_LOG;

const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser",
	"/usr/bin/google-chrome"].find(path => existsSync(path));
if (!browserPath)
	throw new Error("chromium is not installed: apt-get install chromium");

// ---- servers

let servers = [];

// Resolves when it listens; .url has no '/' at its end.
async function serve(...options) {
	const child = spawn("ev-serve", ["-q", ...options],
		{stdio: ["ignore", "pipe", "inherit"]});
	servers.push(child);
	const line = await Promise.race([
		once(createInterface(child.stdout), "line").then(([text]) => text),
		once(child, "exit").then(([status]) => {
			throw new Error(`ev-serve ended with ${status}`);
		})
	]);
	const url = line.replace(/\/$/, "");
	return {child, url, port: new URL(url).port};
}

async function stop(server) {
	servers = servers.filter(one => one !== server.child);
	if (server.child.exitCode !== null)
		return server.child.exitCode;
	const ended = once(server.child, "exit");
	server.child.kill("SIGTERM");
	return (await ended)[0];
}

// ---- the log

function append(type, members, ...options) {
	execFileSync("ev-append", [...options, "-"], {
		input: JSON.stringify({type, ...members}),
		stdio: ["pipe", "ignore", "inherit"], env: {...process.env, EV_LOG: log}
	});
}
const issue = number => ({repo: "acme/app", issueNumber: number});

async function api(path, base = server.url) {
	const answer = await fetch(`${base}/${path}`);
	if (!answer.ok)
		throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
	return answer.json();
}

// What an agent's log says.
async function say(agentId, ...entries) {
	const answer = await fetch(`${server.url}/api/agent-logs`, {method: "POST",
		headers: {"Content-Type": "application/json"},
		body: JSON.stringify({agentId, entries})});
	holds(answer.ok, `the log is taken: ${answer.status}`);
}

// ---- pages

let browser, server;

// A page, and what went wrong in it: none of that may happen in any test.
async function open({hash = "", width = 1280, scheme = "dark",
	base = server.url} = {}) {
	const context = await browser.newContext({colorScheme: scheme,
		viewport: {width, height: 900}, reducedMotion: "reduce"});
	const page = await context.newPage();
	page.wrong = [];
	page.asked = [];
	page.on("dialog", dialog => {
		page.wrong.push(`dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	page.on("pageerror", error => page.wrong.push(`error: ${error.stack}`));
	page.on("console", message => {
		// what the network does is a test's own affair
		if (["error", "warning"].includes(message.type()) &&
		    !/Failed to load resource/.test(message.text()))
			page.wrong.push(`console: ${message.text()}`);
	});
	// what is not there may be asked for, and who is not let in is told so
	page.on("response", answer => {
		if (answer.status() >= 400 && ![401, 404].includes(answer.status()))
			page.wrong.push(`${answer.status()} ${answer.url()}`);
	});
	page.on("request", request => {
		page.asked.push(new URL(request.url()).pathname);
		if (!request.url().startsWith(base))
			page.wrong.push(`elsewhere: ${request.url()}`);
	});
	await page.addInitScript(() => {
		document.addEventListener("securitypolicyviolation", event =>
			console.error(`policy: ${event.violatedDirective}`));
	});
	await page.goto(`${base}/${hash}`);
	page.setDefaultTimeout(15000);
	return page;
}

// Everything is there: nothing is on its way, and it is live.
const settled = page => page.waitForFunction(() =>
	document.querySelector("#main .panel, #main .page-head") &&
	!document.querySelector("#main .loading, #main .slot:empty") &&
	(document.querySelector("#top .live.is-live, #top .live.is-past")) &&
	performance.now());

async function close(page) {
	const {wrong} = page;
	await page.context().close();
	same(wrong, [], "nothing goes wrong in the page");
}

const text = (page, selector) => page.locator(selector).first().innerText();
async function sees(page, selector, words) {
	await page.waitForFunction(([one, two]) =>
		document.querySelector(one)?.textContent.includes(two),
	[selector, words]).catch(async () => {
		const is = await page.locator(selector).first().textContent()
			.catch(() => "(not there)");
		throw new Error(`${selector} does not say '${words}': ${is}`);
	});
}

function same(is, wanted, what) {
	const [one, two] = [is, wanted].map(v => JSON.stringify(v));
	if (one !== two)
		throw new Error(`${what}: ${one}, expected ${two}`);
}
function holds(is, what) {
	if (!is)
		throw new Error(what);
}

// Focus by the keyboard alone.
const focused = page => page.evaluate(() => {
	const one = document.activeElement;
	return `${one.tagName.toLowerCase()}#${one.id} ${one.textContent}`.trim();
});

// ---- tests

const tests = {
	async "every panel shows what the API says"() {
		const page = await open();
		await settled(page);
		const [status, queue, agents, queues, costs, flow] = await Promise.all([
			"api/status", "api/queue", "api/agents", "api/streams/status",
			"api/costs/summary", "api/flow"].map(path => api(path)));
		const names = selector => page.locator(selector).evaluateAll(list =>
			list.map(one => one.textContent));

		same(await names("#needs .needs .ref > bdi"),
			status.needs.map(n => n.streamId), "who needs somebody");
		same(await names("#needs .need"), status.needs.map(n =>
			n.what.replace(/^./, c => c)), "what they are");
		for (const n of status.needs)
			await sees(page, "#needs", n.reason ?? "nobody has said why");

		same(await names("#queue .scroll:last-of-type tbody .ref > bdi"),
			queue.map(i => i.streamId), "the queue, in order");
		same(await names("#queue .scroll:last-of-type tbody td.place"),
			queue.map(i => i.place === null ? "waits–" : String(i.place)),
			"places");
		const waiting = queue.find(i => i.waitsFor.length);
		await sees(page, "#queue tr.waits", waiting.waitsFor[0].streamId
			.replace(waiting.repo, ""));
		const issues = await api("api/issues?state=open");
		await page.locator("#queue .more button").first().click();
		await sees(page, "#queue .more button", "Only the first");
		same((await names("#queue h3:first-of-type + .scroll .ref > bdi"))
			.sort(), issues.filter(i => i.state !== "queued")
			.map(i => i.streamId).sort(), "what is active");

		same(await names("#agents tbody .ref > bdi"),
			agents.map(a => a.agentId), "agents");
		same(await names("#agents .online"), agents.map(a =>
			a.online ? "online " : "offline "), "who is online");

		same(await names("#queues tbody th bdi"),
			queues.map(q => q.agentId), "agents with queues");
		same((await names("#queues tbody td.num")).map(t => parseInt(t, 10)),
			queues.map(q => q.depth), "depths");
		const over = queues.filter(q => q.over).map(q => q.agentId);
		holds(over.length === 1, "the log has one queue over 20");
		same(await names("#queues tr.over th bdi"), over, "over 20");
		await page.locator("#queues tr.over button").click();
		await page.locator("#queues .items li").first().waitFor();
		const items = await api(`api/streams/${over[0]}?limit=10`);
		same(await names("#queues .items li > a:first-child"),
			items.items.map(i => i.streamId), "the last ten");
		same(await page.locator("#queues .items .out").evaluateAll(list =>
			list.map(a => a.getAttribute("href"))),
		items.items.map(i => i.url), "links to GitHub");

		same(await names("#costs tbody th"), costs.agents.map(a => a.agentId),
			"who costs");
		holds((await text(page, "#costs .big")).replace(/[$,]/g, "") ===
			Number(costs.cost).toFixed(2), "the sum");
		same(await page.locator("#costs .days rect.fill").count(), 30, "days");

		same(await names("#flow tbody th"), flow.states.filter(s =>
			s.state !== "done" && (s.visits || s.now))
			.map(s => s.state.replace(/_/g, " ").replace("ci ", "CI ")),
		"states with visits");
		await close(page);
	},

	async "what is appended is seen at once, and nothing else is touched"() {
		const page = await open();
		await settled(page);
		// an element keeps its focus while others come and go
		await page.locator("#queues .fold").first().focus();
		await page.evaluate(() => {
			document.activeElement.mine = true;
		});
		append("HEARTBEAT", {agentId: "aaron", status: "working"});
		await sees(page, "#agents", "aaron");
		append("ISSUE_APPROVED", {...issue(70), title: "seen at once",
			priority: "critical"});
		await sees(page, "#queue", "seen at once");
		append("ISSUE_ASSIGNED", {...issue(70), agentId: "aaron"});
		await sees(page, "#queues", "aaron");
		append("ESCALATED", {...issue(70), reason: "all attempts failed"});
		await sees(page, "#needs", "all attempts failed");
		await page.waitForFunction(() => /^\(\d+\)/.test(document.title));
		append("TOKEN_USAGE", {...issue(70), agentId: "aaron", model: "m",
			inputTokens: 1, outputTokens: 1, costUsd: 5000.10,
			category: "work"});
		await sees(page, "#costs", "$5,0");
		await sees(page, "#costs", "aaron");
		await say("aaron", {level: "warn", message: "a line of a log"},
			"another");
		await sees(page, "#logs .logs", "a line of a log");
		holds(await page.evaluate(() => document.activeElement.mine),
			"the focus is where it was");
		await close(page);
	},

	async "ages tick, and nothing else is done while nothing happens"() {
		append("HEARTBEAT", {agentId: "ada", status: "working"});
		const page = await open();
		await settled(page);
		const ticks = before => {
			const is = [...document.querySelectorAll("#agents tr")]
				.find(row => row.textContent.includes("ada"))
				.querySelector("time").textContent;
			return before === undefined ? is : is !== before;
		};
		await page.evaluate(() => {
			window.changes = [];
			new MutationObserver(list => window.changes.push(...list
				.filter(one => !one.target.closest?.("time") &&
					!one.target.parentElement?.closest("time"))
				.map(one => `${one.type} ${one.attributeName} of ` +
					`${one.target.nodeName}.${one.target.className}`)))
				.observe(document, {subtree: true, childList: true,
					attributes: true, characterData: true});
		});
		page.asked.length = 0;
		for (let i = 0; i < 2; i++) {
			const age = await page.evaluate(ticks);
			await page.waitForFunction(ticks, age);
		}
		same(await page.evaluate(() => window.changes), [], "changes");
		same(page.asked, [], "requests");
		await close(page);
	},

	async "a flood of events makes no flood of requests"() {
		const page = await open();
		await settled(page);
		page.asked.length = 0;
		const begun = Date.now();
		for (let i = 0; i < 20; i++)
			execFileSync("ev-append", ["-"], {stdio: ["pipe", "ignore",
				"inherit"], input: Array.from({length: 20}, (_, n) =>
				JSON.stringify({type: "HEARTBEAT", agentId: "flood",
					status: `n${i}-${n}`})).join("\n")});
		await sees(page, "#agents", "n19-19");
		const seconds = (Date.now() - begun) / 1000;
		const count = page.asked.filter(p => p === "/api/agents").length;
		holds(count <= seconds + 2, `${count} requests in ${seconds} s`);
		same(page.asked.filter(p => p === "/api/costs/summary").length, 0,
			"requests for what heartbeats do not change");
		await close(page);
	},

	async "the page survives that the server is started again"() {
		const page = await open();
		await settled(page);
		same(await stop(server), 0, "ev-serve's exit status");
		await page.locator("#top .is-connecting, #top .is-offline").waitFor();
		append("ISSUE_APPROVED", {...issue(71), title: "while it was down"});
		server = await serve("-p", server.port);
		await page.locator("#top .is-live").waitFor({timeout: 40000});
		await sees(page, "#queue", "while it was down");
		append("ISSUE_APPROVED", {...issue(72), title: "and after that"});
		await sees(page, "#queue", "and after that");
		await close(page);
	},

	async "loaded again and again, the page is there each time"() {
		const page = await open();
		await settled(page);
		for (let i = 0; i < 20; i++) {
			await page.reload();
			await settled(page);
		}
		await close(page);
	},

	async "hostile text is text"() {
		const bad = "</script><img src=x onerror=alert(1)>";
		const agent = "<svg onload=alert(2)>";
		append("ISSUE_APPROVED", {...issue(80), priority: "critical",
			title: `${bad} \u202eevil\u001b[2J`});
		append("ISSUE_ASSIGNED", {...issue(80), agentId: agent});
		append("WORK_STARTED", {...issue(80), agentId: agent,
			branch: "javascript:alert(3)"});
		append("PR_CREATED", {...issue(80), agentId: agent, prNumber: 666,
			prUrl: "javascript:alert(4)", branch: "'\"><b>"}, "--actor", agent);
		append("ESCALATED", {...issue(80), reason: `${bad}\n&lt;`});
		append("HEARTBEAT", {agentId: agent, status: bad});
		await say(agent, bad, {message: `${bad} \u202e`, level: "error"});
		const {head} = await api("api/v1/events?limit=1");
		for (const hash of ["", "#/issues", "#/events",
			"#/issue/acme%2Fapp%2380", `#/agent/${encodeURIComponent(agent)}`,
			`#/event/${head}`, `#/issue/${encodeURIComponent(bad)}`,
			`#/issues?search=${encodeURIComponent(bad)}`,
			`#/event/${encodeURIComponent(bad)}`, "#/%E0%A4%A/%"]) {
			const page = await open({hash});
			if (hash === "") {
				await settled(page);
				await sees(page, "#needs", `${bad} \\u202eevil\\u001b[2J`);
				await sees(page, "#needs", `${bad}\\u000a&lt;`);
				await sees(page, "#agents", agent);
				await sees(page, "#logs .logs", `${bad} \\u202e`);
			} else if (hash.includes("2380")) {
				await settled(page);
				await sees(page, "#main h1", bad);
				await sees(page, "#main .facts", "#666");
				await page.locator("#events summary").first().click();
				await sees(page, "#events pre", "onerror");
			} else if (hash.startsWith("#/agent/")) {
				await settled(page);
				await sees(page, "#main h1", agent);
			} else {
				await page.locator("#main h1").first().waitFor(
					{state: "attached"});
			}
			same(await page.evaluate(() => [...document.querySelectorAll(
				"[onerror], [onload], img, #main script, main b b, iframe")]
				.length), 0, `elements made of text at '${hash}'`);
			same(await page.evaluate(() => [...document.links].map(a => a.href)
				.filter(href => !/^https?:/.test(href))), [],
			`links that lead elsewhere at '${hash}'`);
			await close(page);
		}
	},

	async "there is nothing that an accessibility audit finds"() {
		for (const scheme of ["dark", "light"])
			for (const hash of ["", "#/issues", "#/events", "#/?at=5",
				"#/issue/acme%2Fapp%2342", "#/issue/acme%2Fapp%239999",
				"#/agent/ada", "#/agent/nobody", "#/event/3"]) {
				const page = await open({hash, scheme});
				await page.waitForFunction(() =>
					document.querySelector("#main h1, #main h2") &&
					!document.querySelector("#main .loading"));
				if (hash === "") {
					await page.locator("#queues .fold").first().click();
					await page.locator("#queues .items, #queues .empty")
						.first().waitFor();
				} else if (hash === "#/events") {
					await page.locator(".events summary").first().click();
				}
				await audit(page, `${hash} ${scheme}`);
				if (hash === "") {
					await page.keyboard.press("?");
					await audit(page, `help ${scheme}`);
					await page.keyboard.press("Escape");
					await page.keyboard.press("/");
					await page.keyboard.type("a");
					await page.locator("#found li").first().waitFor();
					await audit(page, `search ${scheme}`);
				}
				await close(page);
			}
	},

	async "a phone shows all without sideways scrolling"() {
		for (const hash of ["", "#/issues", "#/events", "#/?at=5",
			"#/issue/acme%2Fapp%2342", "#/agent/ada", "#/event/3"]) {
			const page = await open({hash, width: 360});
			await settled(page);
			same(await page.evaluate(() =>
				document.documentElement.scrollWidth), 360, `width of ${hash}`);
			await audit(page, `phone ${hash}`);
			await close(page);
		}
	},

	async "the keyboard is enough"() {
		const page = await open();
		await settled(page);
		await page.keyboard.press("Tab");
		same(await focused(page), "a#skip Skip to the content", "first");
		await page.keyboard.press("Enter");
		same(await page.evaluate(() => document.activeElement.id), "main",
			"behind the header");
		// search
		await page.keyboard.press("/");
		await page.keyboard.type("app#42");
		await sees(page, "#found", "acme/app#42");
		await page.keyboard.press("Enter");
		await sees(page, "#main .crumb", "acme/app#42");
		await settled(page);
		await page.keyboard.press("Escape");
		await page.locator("#agents").waitFor();
		// by position
		await page.keyboard.press("/");
		await page.keyboard.type("#3");
		await sees(page, "#found", "Event");
		await page.keyboard.press("Enter");
		await sees(page, "#main h1", "#3");
		await page.keyboard.press("g");
		await page.keyboard.press("o");
		await page.locator("#agents").waitFor();
		await settled(page);
		// rows
		await page.keyboard.press("g");
		await page.keyboard.press("q");
		await page.waitForFunction(() =>
			document.activeElement.closest("#queue"));
		const row = await focused(page);
		await page.keyboard.press("j");
		holds(await focused(page) !== row, "j goes on");
		await page.keyboard.press("k");
		same(await focused(page), row, "k goes back");
		await page.keyboard.press("Enter");
		await page.locator("#life").waitFor();
		await page.keyboard.press("g");
		await page.keyboard.press("a");
		await page.waitForFunction(() =>
			document.activeElement.closest("#agents"));
		// a queue unfolds
		await page.locator("#queues .fold").first().focus();
		await page.keyboard.press("Enter");
		await page.locator("#queues .unfolded").waitFor();
		await page.keyboard.press("Enter");
		await page.locator("#queues .unfolded").waitFor({state: "detached"});
		// help
		await page.keyboard.press("?");
		await page.locator("#help[open]").waitFor();
		await page.keyboard.press("Escape");
		await page.locator("#help[open]").waitFor({state: "detached"});
		// themes
		const theme = () => page.evaluate(() =>
			document.documentElement.dataset.theme ?? "auto");
		same(await theme(), "auto", "theme");
		await page.keyboard.press("d");
		same(await theme(), "light", "theme after d");
		await page.reload();
		same(await theme(), "light", "theme that is kept");
		await close(page);
	},

	async "going back in time, and back to now"() {
		const page = await open();
		await settled(page);
		const {position} = await api("api/v1/head");
		await page.keyboard.press("t");
		await page.locator("#slider").waitFor();
		await page.locator("#slider").fill("3");
		await page.locator("body.past").waitFor();
		await sees(page, "#travel strong", "As of");
		await sees(page, "#travel strong", `#3 of`);
		await settled(page);
		const then = await api("api/queue?at=3");
		holds(then.length < (await api("api/queue")).length ||
			then[0].streamId !== (await api("api/queue"))[0]?.streamId,
		"the log's beginning is another queue");
		await page.waitForFunction(list => JSON.stringify(
			[...document.querySelectorAll(
				"#queue .scroll:last-of-type tbody .ref > bdi")]
				.map(one => one.textContent)) === list,
		JSON.stringify(then.map(i => i.streamId)));
		// links stay in the past
		const link = await page.locator("#queue tbody .ref").first()
			.getAttribute("href");
		holds(link.endsWith("?at=3"), `'${link}' stays in the past`);
		await page.locator("main").focus();
		await page.keyboard.press("]");
		await sees(page, "#travel strong", "#4 of");
		await page.keyboard.press("[");
		await page.keyboard.press("[");
		await sees(page, "#travel strong", "#2 of");
		// events that come do not change what was
		append("ISSUE_APPROVED", {...issue(90), title: "much later"});
		await sees(page, "#travel strong", `of ${position + 1}`);
		holds(!(await text(page, "#queue")).includes("much later"),
			"the past stays as it was");
		// so do an issue's page and an agent's
		await page.goto(`${server.url}/#/issue/acme%2Fapp%2342?at=8`);
		await page.locator("#life tbody tr").first().waitFor();
		await settled(page);
		const steps = await api("api/issues/acme%2Fapp%2342/timeline");
		same(await page.locator("#life tbody tr").count(),
			steps.filter(s => s.position <= 8).length, "steps until then");
		await page.goto(`${server.url}/#/agent/ada?at=8`);
		await page.locator("#history").waitFor();
		await settled(page);
		await page.goto(`${server.url}/#/?at=8`);
		await page.locator("#queue").waitFor();
		await page.locator("#back-to-now").click();
		await sees(page, "#queue", "much later");
		same(await page.locator("body.past").count(), 0, "now");
		await close(page);
	},

	async "an issue's page tells its life, its events, why, the gate, the cost"() {
		const id = "acme%2Fapp%2342";
		const page = await open({hash: `#/issue/${id}`});
		await settled(page);
		const [doc, steps, events, why, gate, cost] = await Promise.all([
			`api/issues/${id}`, `api/issues/${id}/timeline`,
			`api/events/stream?id=${id}`,
			`api/why?model=issue-status&key=${id}&member=state`,
			`api/issues/${id}/gate`, `api/costs/issue?id=${id}`
		].map(path => api(path)));
		same(await text(page, "#main h1"), doc.title, "title");
		same(await page.locator("#life tbody tr").count(), steps.length,
			"steps");
		holds(await page.locator("#life rect").count() > 2, "parts of the bar");
		same(await page.locator("#events li").count(), events.length, "events");
		same(await page.locator("#why li").count(), Math.min(6, why.length),
			"why");
		same(await page.locator("#gate li").count(), gate.needs.length,
			"needs of the gate");
		same(await page.locator("#gate li.ok").count(),
			gate.needs.filter(n => n.ok).length, "needs that are met");
		holds(/^\$\d/.test(await text(page, "#cost .big")) && cost.cost > 0,
			"cost");
		// numbers keep their digits
		await page.locator("#events summary", {hasText: "Token usage"}).first()
			.click();
		await sees(page, "#events details[open] pre", "12.10");
		// what was caused in another stream is there, too
		await sees(page, "#causes", "caused elsewhere");
		append("REVIEW_PASSED", {...issue(42), prNumber: 7});
		await page.waitForFunction(n => document.querySelectorAll(
			"#events li").length === n, events.length + 1);
		holds(await page.locator("#events details[open]").count() === 1,
			"what is unfolded stays so");
		await close(page);
	},

	async "an agent's page tells its issues, queue, costs and events"() {
		const page = await open({hash: "#/agent/ada"});
		await settled(page);
		const issues = await api("api/issues?agent=ada");
		same(await page.locator("#history tbody tr").count(), issues.length,
			"issues");
		const queue = await api("api/streams/ada");
		same(await page.locator("#queue .items li").count(),
			queue.items.length, "queue");
		await sees(page, "#costs", "$12.10");
		holds(await page.locator("#events li").count() > 0, "events");
		await close(page);
	},

	async "who has no token is asked for one"() {
		const tokens = join(dirname(log), "tokens");
		const token = execFileSync("ev-serve", ["--tokens", tokens,
			"--new-token", "eve=read"], {encoding: "utf8"}).trim()
			.match(/evt_[\w-]+/)[0];
		// agents' logs are one process's
		await stop(server);
		const closed = await serve("-p", "0", "--tokens", tokens);
		const page = await open({base: closed.url});
		await page.locator("#token").waitFor();
		await audit(page, "login");
		await page.locator("#token").fill("evt_wrong");
		await page.keyboard.press("Enter");
		await page.waitForFunction(() =>
			document.querySelector(".login .trouble")?.textContent);
		await page.locator("#token").fill(token);
		await page.keyboard.press("Enter");
		await page.locator("#agents").waitFor();
		await settled(page);
		await page.reload();
		await settled(page);
		await page.locator("#leave").click();
		await page.locator("#token").waitFor();
		await close(page);
		await stop(closed);
		server = await serve("-p", "0");
	},

	/*
	 * The aim is a second. Machines that run tests are slow and busy, so it may
	 * take longer if the same page does so behind a log of a few dozen events:
	 * three times as long, the best of three.
	 */
	async "100,000 events behind it, the page loads in a second"() {
		const best = async base => {
			let least = Infinity;
			for (let i = 0; i < 3; i++) {
				const page = await open({base});
				const time = await settled(page);
				least = Math.min(least, await time.jsonValue());
				await close(page);
			}
			return least;
		};
		const few = await best(server.url);
		const big = await serve("-p", "0", "-l", process.env.EV_LOG_BIG);
		holds((await api("api/v1/head", big.url)).position >= 100000,
			"the log is long");
		const many = await best(big.url);
		await stop(big);
		process.stdout.write(`# ${Math.round(few)} ms behind few events, ` +
			`${Math.round(many)} ms behind 100,000\n`);
		holds(many <= Math.max(1000, 3 * few),
			`${many} ms, and ${few} ms behind few events`);
	},

	async "all but the charts is 60 to 100 KiB, and asks nobody else for anything"() {
		const list = readdirSync(files);
		const bytes = list.filter(name => name !== "charts.js")
			.reduce((n, name) => n + readFileSync(join(files, name)).length, 0);
		holds(bytes >= 60 * 1024 && bytes <= 100 * 1024, `${bytes} bytes`);
		for (const name of list) {
			const source = readFileSync(join(files, name), "utf8");
			holds(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\bFunction\(/
				.test(source), `${name} makes no markup of text`);
			holds(!/<[^>]*\s(on\w+|style)=/.test(source) ||
				!name.endsWith(".html"), `${name} has no inline code`);
			holds(!/https?:\/\/(?!www\.w3\.org)/.test(source),
				`${name} names no other site`);
		}
	}
};

async function audit(page, what) {
	await page.evaluate(axe);
	const {violations} = await page.evaluate(() => window.axe.run(document,
		{preload: false, resultTypes: ["violations"]}));
	same(violations.map(v => [v.id, ...v.nodes.slice(0, 3).map(n =>
		`${n.target} ${n.any[0]?.message ?? n.failureSummary}`)]), [],
	`violations at ${what}`);
}

// ---- all of them

browser = await chromium.launch({executablePath: browserPath, args: [
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
	"--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync"]});
let failed = 0;
try {
	server = await serve("-p", "0");
	const chosen = process.argv.slice(2);
	const names = Object.keys(tests).filter(name => chosen.length === 0 ||
		chosen.some(one => name.includes(one)));
	process.stdout.write(`1..${names.length}\n`);
	for (const [n, name] of names.entries()) {
		let trouble;
		try {
			await tests[name]();
		} catch (error) {
			trouble = error;
			failed++;
			for (const context of browser.contexts())
				await context.close();
			if (server.child.exitCode !== null || !servers.includes(server.child))
				server = await serve("-p", "0");
		}
		process.stdout.write(`${trouble ? "not ok" : "ok"} ${n + 1} - ${name}\n`);
		if (trouble)
			process.stdout.write(`${trouble.stack}`.replace(/^/gm, "# ") + "\n");
	}
} finally {
	for (const child of servers)
		child.kill("SIGTERM");
	await browser.close();
}
process.exitCode = failed ? 1 : 0;
