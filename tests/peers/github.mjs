// Plays GitHub's REST API, version 2022-11-28, for the tests; http.mjs tells
// how it is run. What it answers has the members that GitHub's examples of the
// same objects have; a list of pull requests lacks those that only a single one
// has. STATE:
//
//	{token, repos: {"acme/app": {id, locked: [9], pulls: {"7": {...}},
//	  issues: {"42": {...}}, comments: {"9": [{...}]}, methods: ["squash"],
//	  movedTo: "acme/new"}}}
//
// Members of a pull request, issue or comment replace those of the example.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { Refusal, jsonOf, serve, writeState } from './http.mjs';

const examples = createRequire(new URL('../npm/', import.meta.url))(
	'@octokit/webhooks-examples/api.github.com/index.json');

function example(name, member) {
	return examples.find((item) => item.name === name).examples[0][member];
}

const aPull = example('pull_request', 'pull_request');
const anIssue = example('issues', 'issue');
const aComment = example('issue_comment', 'comment');
const onlySingle = ['merged', 'mergeable', 'rebaseable', 'mergeable_state',
	'merged_by', 'comments', 'review_comments', 'maintainer_can_modify',
	'commits', 'additions', 'deletions', 'changed_files'];

const page = 'https://github.com';
const now = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

function user(login) {
	return { ...aPull.user, login, html_url: `${page}/${login}` };
}

function labels(names = []) {
	return names.map((name, i) => ({ id: i + 1, name, color: 'ededed',
		default: false, description: null }));
}

function pull(name, number, own) {
	const merged = own.merged_at != null;
	const { login = 'octocat', labels: names, sha, ref, draft, ...rest } = own;
	return {
		...aPull, number, state: merged ? 'closed' : 'open',
		title: `Pull request ${number}`, body: null, draft: draft ?? false,
		html_url: `${page}/${name}/pull/${number}`, merged_at: null,
		closed_at: own.merged_at ?? null, updated_at: now(),
		created_at: '2026-04-21T08:00:00Z',
		merged, merge_commit_sha: null, ...rest,
		user: login === null ? null : user(login), labels: labels(names),
		head: { ...aPull.head, sha: sha ?? aPull.head.sha, ref: ref ?? 'topic' },
		base: { ...aPull.base, repo: { ...aPull.base.repo, full_name: name,
			name: name.split('/')[1], html_url: `${page}/${name}` } },
	};
}

function listed(whole) {
	const item = { ...whole };
	for (const member of onlySingle)
		delete item[member];
	return item;
}

function issue(name, number, own, ofPull) {
	const { login = 'octocat', labels: names, milestone, ...rest } = own;
	return {
		...anIssue, number, state: 'open', title: `Issue ${number}`, body: null,
		html_url: `${page}/${name}/${ofPull ? 'pull' : 'issues'}/${number}`,
		created_at: '2026-04-20T08:00:00Z', updated_at: now(), closed_at: null,
		...rest, user: user(login), labels: labels(names),
		milestone: milestone ? { title: milestone, number: 1, state: 'open' } : null,
		...(ofPull ? { pull_request: {
			url: `https://api.github.com/repos/${name}/pulls/${number}`,
			html_url: `${page}/${name}/pull/${number}`,
			merged_at: ofPull.merged_at } } : {}),
	};
}

// Every pull request is an issue too.
function issueOf(name, repo, number) {
	const own = repo.pulls?.[number];
	if (!own)
		return repo.issues?.[number] && issue(name, number, repo.issues[number]);
	const whole = pull(name, number, own);
	return issue(name, number, {
		title: whole.title, body: whole.body, state: whole.state,
		created_at: whole.created_at, updated_at: whole.updated_at,
		closed_at: whole.closed_at, labels: own.labels,
		login: own.login ?? 'ghost' }, whole);
}

function comment(name, number, own, i) {
	const { login = 'octocat', ...rest } = own;
	return { ...aComment, id: number * 1000 + i, created_at: now(),
		updated_at: now(), html_url: `${page}/${name}/issues/${number}#${i}`,
		...rest, user: user(login) };
}

// ---- what a request has to be

function checkHeaders({ headers }) {
	if (!headers['user-agent'])
		throw new Refusal(403, 'Request forbidden by administrative rules.');
	if (headers.accept !== 'application/vnd.github+json')
		throw new Refusal(415, `Unsupported 'Accept' header: '${headers.accept}'`);
	if (headers['x-github-api-version'] !== '2022-11-28')
		throw new Refusal(400, 'X-GitHub-Api-Version is not supported');
}

function checkToken({ headers, method }, state) {
	const given = headers.authorization;
	if (given === undefined && method !== 'GET')
		throw new Refusal(401, 'Requires authentication');
	if (given !== undefined && given !== `Bearer ${state.token}`)
		throw new Refusal(401, 'Bad credentials');
}

const choices = {
	state: /^(open|closed|all)$/, sort: /^(created|updated)$/,
	direction: /^(asc|desc)$/, since: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
	per_page: /^([1-9]\d?|100)$/, page: /^[1-9]\d{0,3}$/,
};

// GitHub takes no notice of what it does not know; a typo is to be found.
function checkQuery(query, names) {
	for (const [name, value] of query)
		if (!names.includes(name) || !choices[name].test(value))
			throw new Refusal(422, `no such parameter: ${name}=${value}`);
}

function checkBody(body, members) {
	if (body === null || typeof body !== 'object' || Array.isArray(body))
		throw new Refusal(422, 'Invalid request.\n\nFor \'links/0/schema\', ' +
			'this is not an object.');
	for (const [name, value] of Object.entries(body))
		if (!members[name]?.(value))
			throw new Refusal(422, `Invalid request.\n\n"${name}" is not a ` +
				'permitted key, or its value is none.');
}

// ---- answers

function paged(request, items) {
	const size = Number(request.query.get('per_page') ?? 30);
	const at = Number(request.query.get('page') ?? 1);
	const last = Math.max(1, Math.ceil(items.length / size));
	const link = (number, rel) => {
		const query = new URLSearchParams(request.query);
		query.set('page', number);
		return `<http://${request.host}${request.path}?${query}>; rel="${rel}"`;
	};
	const links = [];
	if (at > 1)
		links.push(link(at - 1, 'prev'));
	if (at < last)
		links.push(link(at + 1, 'next'), link(last, 'last'));
	if (at > 1)
		links.push(link(1, 'first'));
	return {
		headers: links.length ? { Link: links.join(', ') } : {},
		body: items.slice((at - 1) * size, at * size),
	};
}

function numbers(object = {}) {
	return Object.keys(object).map(Number).sort((a, b) => b - a);
}

function found(thing) {
	if (!thing)
		throw new Refusal(404, 'Not Found');
	return thing;
}

const routes = {
	'GET /pulls': (request, name, repo) => {
		checkQuery(request.query, ['state', 'sort', 'direction', 'per_page', 'page']);
		const wanted = request.query.get('state') ?? 'open';
		return paged(request, numbers(repo.pulls)
			.map((number) => listed(pull(name, number, repo.pulls[number])))
			.filter((item) => wanted === 'all' || item.state === wanted));
	},
	'GET /pulls/N': (request, name, repo, number) => {
		checkQuery(request.query, []);
		return { body: pull(name, number, found(repo.pulls?.[number])) };
	},
	'PATCH /pulls/N': (request, name, repo, number, state) => {
		checkQuery(request.query, []);
		const own = found(repo.pulls?.[number]);
		const text = (value) => typeof value === 'string';
		const body = jsonOf(request);
		checkBody(body, { title: text, body: text, base: text,
			state: (value) => ['open', 'closed'].includes(value),
			maintainer_can_modify: (value) => typeof value === 'boolean' });
		if (own.merged_at && body.state === 'open')
			throw new Refusal(422, 'Validation Failed');
		if (body.state === 'closed' && !own.merged_at)
			own.closed_at ??= now();
		Object.assign(own, body, { updated_at: now() });
		writeState(state);
		return { body: pull(name, number, own) };
	},
	'PUT /pulls/N/merge': (request, name, repo, number, state) => {
		checkQuery(request.query, []);
		const own = found(repo.pulls?.[number]);
		const whole = pull(name, number, own);
		const text = (value) => typeof value === 'string';
		const body = jsonOf(request);
		checkBody(body, { commit_title: text, commit_message: text,
			sha: (value) => /^[0-9a-f]{40}$/.test(value),
			merge_method: (value) => ['merge', 'squash', 'rebase'].includes(value) });
		if (!(repo.methods ?? [body.merge_method]).includes(body.merge_method))
			throw new Refusal(405,
				`Merge method ${body.merge_method} is not allowed on this repository.`);
		if (whole.draft)
			throw new Refusal(405, 'Pull Request is still a draft');
		if (whole.state !== 'open' || whole.mergeable === false)
			throw new Refusal(405, 'Pull Request is not mergeable');
		if ('sha' in body && body.sha !== whole.head.sha)
			throw new Refusal(409,
				'Head branch was modified. Review and try the merge again.');
		own.merged_at = now();
		own.merge_commit_sha = createHash('sha1')
			.update(`${name} ${number} ${whole.head.sha}`).digest('hex');
		writeState(state);
		return { body: { sha: own.merge_commit_sha, merged: true,
			message: 'Pull Request successfully merged' } };
	},
	'GET /issues': (request, name, repo) => {
		checkQuery(request.query,
			['state', 'sort', 'direction', 'since', 'per_page', 'page']);
		const wanted = request.query.get('state') ?? 'open';
		const since = request.query.get('since') ?? '';
		return paged(request, numbers({ ...repo.pulls, ...repo.issues })
			.map((number) => issueOf(name, repo, number))
			.filter((item) => wanted === 'all' || item.state === wanted)
			.filter((item) => item.updated_at >= since));
	},
	'GET /issues/N': (request, name, repo, number) => {
		checkQuery(request.query, []);
		return { body: found(issueOf(name, repo, number)) };
	},
	'GET /issues/N/comments': (request, name, repo, number) => {
		checkQuery(request.query, ['since', 'per_page', 'page']);
		found(issueOf(name, repo, number));
		return paged(request, (repo.comments?.[number] ?? [])
			.map((own, i) => comment(name, number, own, i)));
	},
	'POST /issues/N/comments': (request, name, repo, number, state) => {
		checkQuery(request.query, []);
		found(issueOf(name, repo, number));
		const body = jsonOf(request);
		checkBody(body, { body: (value) => typeof value === 'string' &&
			value.trim() !== '' && value.length <= 65536 });
		if (!('body' in body))
			throw new Refusal(422, 'Invalid request.\n\n"body" wasn\'t supplied.');
		if (repo.locked?.includes(number))
			throw new Refusal(403, 'Unable to create comment because issue is locked.');
		repo.comments ??= {};
		const all = repo.comments[number] ??= [];
		all.push({ body: body.body, login: 'rig' });
		writeState(state);
		return { status: 201, body: comment(name, number, all.at(-1), all.length - 1) };
	},
};

function route(request, state) {
	checkHeaders(request);
	checkToken(request, state);
	if (request.method === 'GET' && request.path === '/rate_limit')
		return { body: { resources: { core: limit() }, rate: limit() } };
	const parts = request.path.match(
		/^\/repos\/([\w.-]+\/[\w.-]+)(\/(?:pulls|issues))(?:\/([1-9]\d*)(\/comments|\/merge)?)?$/);
	const moved = request.path.match(/^\/repositories\/(\d+)(\/.*)$/);
	if (moved) {
		const [name] = found(Object.entries(state.repos)
			.find(([, repo]) => String(repo.id) === moved[1]));
		return route({ ...request, path: `/repos/${name}${moved[2]}` }, state);
	}
	const [, name, kind, number, more = ''] = found(parts);
	const repo = found(state.repos[name]);
	if (repo.movedTo) {
		const { id } = state.repos[repo.movedTo];
		const url = `http://${request.host}/repositories/${id}` +
			request.url.slice(`/repos/${name}`.length);
		return { status: request.method === 'GET' ? 301 : 307,
			headers: { Location: url }, body: { message: 'Moved Permanently', url } };
	}
	const act = routes[`${request.method} ${kind}${number ? '/N' : ''}${more}`];
	return found(act)(request, name, repo, Number(number), state);
}

function limit() {
	return { limit: 5000, used: 1, remaining: 4999,
		reset: Math.floor(Date.now() / 1000) + 3600 };
}

serve((request, state) => {
	const result = route(request, state);
	const { limit: all, remaining, reset } = limit();
	return { ...result, headers: {
		'X-GitHub-Media-Type': 'github.v3; format=json',
		'X-GitHub-Api-Version-Selected': '2022-11-28',
		'X-RateLimit-Limit': all, 'X-RateLimit-Remaining': remaining,
		'X-RateLimit-Reset': reset, ...result.headers,
	} };
});
