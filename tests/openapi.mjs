/*
 * Holds ev-serve to schemas/http/openapi.yaml.
 *
 *	openapi.mjs document FILE		the description (JSON) is one, and
 *						its examples are of its schemas
 *	openapi.mjs routes FILE ROUTES		it has the routes of serve_routes.c
 *	openapi.mjs ask FILE URL SETTING	makes requests of it and compares
 *						what comes back
 *	openapi.mjs seen FILE LIST...		all that can be answered was
 *
 * SETTING is JSON: { "log": "lively" or "empty", "tokens": { "read": "evt_..." },
 * "as": a name of a token, "none" or "open", "secret": of the webhook, "deep":
 * with everything that may be wrong, "seen": file for what was answered }.
 *
 * What is random comes from a seed: a run is as the one before.
 */
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';

const npm = createRequire(new URL('npm/package.json', import.meta.url));
const { Validator } = await import(
	npm.resolve('@seriousme/openapi-schema-validator'));
const Ajv = npm('ajv/dist/2020').default;
const addFormats = npm('ajv-formats').default;

const [command, file, ...rest] = process.argv.slice(2);
const text = readFileSync(file, 'utf8');
const document = JSON.parse(text);
const faults = [];

function fault(words) {
	if (!faults.includes(words))
		faults.push(words);
}

// ---- schemas, by their place in the description

const ajv = new Ajv({ strict: false, allErrors: false });
addFormats(ajv);
ajv.addSchema(document, 'ev:description');
const compiled = new Map();

function pointer(path) {
	return path.map((part) => '/' + encodeURIComponent(
		String(part).replaceAll('~', '~0').replaceAll('/', '~1'))).join('');
}

// What is wrong with a value, or null.
function wrong(path, value) {
	const at = pointer(path);
	if (!compiled.has(at))
		compiled.set(at, ajv.compile({ $ref: `ev:description#${at}` }));
	const check = compiled.get(at);
	return check(value) ? null : ajv.errorsText(check.errors);
}

// Where the thing at this place is: there, or where its $ref leads.
function follow(path) {
	let value = path.reduce((at, part) => at?.[part], document);
	while (value?.$ref) {
		path = value.$ref.slice(2).split('/');
		value = path.reduce((at, part) => at?.[part], document);
	}
	return { path, value };
}

// What is posted can be got then.
const METHODS = ['post', 'get', 'put', 'patch', 'delete'];

function operations() {
	return Object.entries(document.paths).flatMap(([path, item]) =>
		METHODS.filter((method) => item[method]).map((method) => {
			const place = ['paths', path, method];
			const operation = item[method];
			return { path, method, place, ...operation,
				name: `${method.toUpperCase()} ${path}`,
				parameters: (operation.parameters ?? []).map((_, i) =>
					follow([...place, 'parameters', i])) };
		}));
}

// ---- the description itself

async function checkDocument() {
	const { valid, errors } = await new Validator().validate(document);
	if (!valid)
		fault(`no OpenAPI: ${JSON.stringify(errors)}`);
	if (!document.openapi.startsWith('3.1.'))
		fault(`openapi: ${document.openapi}`);
	checkExamples(document, []);
	const names = operations().map((operation) => operation.operationId);
	for (const name of names)
		if (names.filter((other) => other === name).length > 1)
			fault(`${name}: is the name of two operations`);
	for (const [, target] of text.matchAll(/"\$ref":"#\/([^"]+)"/g))
		if (!target.split('/').reduce((at, part) => at?.[part], document))
			fault(`${target}: is referred to and is not there`);
}

// Wherever there is a schema with examples beside or in it.
function checkExamples(value, path) {
	if (!value || typeof value !== 'object')
		return;
	const examples = [];
	if (value.schema && 'example' in value)
		examples.push(value.example);
	if (value.schema && value.examples && !Array.isArray(value.examples))
		examples.push(...Object.values(value.examples).map((e) => e.value));
	for (const example of examples) {
		const what = wrong([...path, 'schema'], example);
		if (what)
			fault(`${path.join(' ')}: its example: ${what}`);
	}
	if (Array.isArray(value.examples))
		for (const example of value.examples) {
			const what = wrong(path, example);
			if (what)
				fault(`${path.join(' ')}: its example: ${what}`);
		}
	for (const [name, member] of Object.entries(value))
		if (!['example', 'examples'].includes(name))
			checkExamples(member, [...path, name]);
}

function checkRoutes(source) {
	const table = readFileSync(source, 'utf8');
	const routes = [...table.matchAll(/\{ "([A-Z]+)", "([^"]+)"/g)]
		.filter(([, , path]) => path !== '/' && !path.startsWith('/{}'))
		.map(([, method, path]) => `${method} ${path}`);
	const described = operations().map(({ method, path }) =>
		`${method.toUpperCase()} ${path.replace(/\{[^}]+\}/g, '{}')}`);
	if (routes.length < 30)
		fault(`${source}: only ${routes.length} routes can be read`);
	for (const route of routes)
		if (!described.includes(route))
			fault(`${route}: is not described`);
	for (const route of described)
		if (!routes.includes(route))
			fault(`${route}: is described and there is no such route`);
}

// ---- what is random

let seed = 20261121;

function random(below) { // mulberry32
	seed = (seed + 0x6d2b79f5) | 0;
	let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) % below;
}

const ODD = ['', ' ', '-1', '0', '1', '007', '+5', '1.5', '1e3', '5x', 'x',
	'true', 'null', 'ä☃', "a b&c=d;e'\"", '%', '../..', '{"a":1}', '2h',
	'2026-13-45', '2026-11-21T21:01:20+01:00', '9223372036854775807',
	'9223372036854775808', '99999999999999999999', 'a'.repeat(300), '\0',
	'a\0b', '\n', '\u{1f600}', ' 7', '7 '];

function oddText() {
	return Array.from({ length: 1 + random(12) }, () =>
		String.fromCodePoint([random(95) + 32, random(95) + 32,
			random(0x7ff) + 0x20, random(10) + 48][random(4)])).join('');
}

// As the parameter's schema sees what a text in an address says.
function typed(schema, value) {
	const { value: followed } = schema.$ref ? follow(schema.$ref.slice(2)
		.split('/')) : { value: schema };
	return followed.type === 'integer' && /^-?\d+$/.test(value)
		? Number(value) : value;
}

// ---- asking

let agent, base, setting;
const seen = new Map(); // "GET /x": Set of statuses

function send({ method, target, headers = {}, body, stream, as }) {
	const all = { ...headers };
	const token = setting.tokens?.[as ?? setting.as];
	if (token && !('authorization' in all))
		all.authorization = `Bearer ${token}`;
	return new Promise((resolve, reject) => {
		const request = http.request({ host: base.hostname, port: base.port,
			path: target, method, headers: all, agent: stream ? undefined
				: agent, timeout: 40000 }, (response) => {
			const pieces = [];
			const done = () => resolve({ status: response.statusCode,
				headers: response.headers,
				raw: Buffer.concat(pieces).toString() });
			response.on('data', (piece) => {
				pieces.push(piece);
				if (stream && stream(Buffer.concat(pieces).toString())) {
					done();
					request.destroy();
				}
			});
			response.on('end', done);
		});
		if (stream)
			setTimeout(() => request.destroy(
				new Error(`${target}: the stream says too little`)),
				5000).unref();
		request.on('error', reject);
		request.on('timeout', () => request.destroy(
			new Error(`${method} ${target}: no answer`)));
		request.end(body);
	});
}

function shown(request) {
	const body = request.body === undefined ? '' : ' ' +
		String(request.body).slice(0, 200);
	const headers = Object.keys(request.headers ?? {}).length
		? ' ' + JSON.stringify(request.headers).slice(0, 200) : '';
	return `${setting.as}/${setting.log}: ${request.method} ` +
		`${request.target.slice(0, 200)}${headers}${body}`;
}

// The answer as the description has it, `place` the response's.
function checkAnswer(request, answer, place) {
	const { path, value: response } = follow(place);
	const say = (words) => fault(`${shown(request)}: ${answer.status}: ` +
		`${words}: ${answer.raw.slice(0, 300)}`);
	for (const name of Object.keys(response.headers ?? {})) {
		const header = follow([...path, 'headers', name]);
		const given = answer.headers[name.toLowerCase()];
		const one = Array.isArray(given) ? given[0] : given;
		if (one === undefined && header.value.required)
			say(`no header ${name}`);
		if (one === undefined)
			continue;
		const what = wrong([...header.path, 'schema'],
			typed(header.value.schema, one));
		if (what)
			say(`${name}: ${one}: ${what}`);
	}
	const type = answer.headers['content-type']?.split(';')[0];
	if (!response.content) {
		if (type || answer.raw)
			say(`a body that is not described (${type})`);
		return;
	}
	if (request.method === 'HEAD')
		return;
	if (!response.content[type]) {
		say(`${type} is not described`);
		return;
	}
	let body = answer.raw;
	if (/json$/.test(type))
		try {
			body = JSON.parse(body);
		} catch (error) {
			say(`no JSON (${error.message})`);
			return;
		}
	const what = wrong([...path, 'content', type, 'schema'], body);
	if (what)
		say(what);
}

const SAFE = { 'x-content-type-options': 'nosniff',
	'referrer-policy': 'no-referrer',
	'cross-origin-resource-policy': 'same-origin' };

/*
 * Asks, and looks at the answer. `expected`: a list of statuses, or good (what
 * it was made for), bad (it must be refused as the client's fault), any.
 */
async function ask(operation, request, expected) {
	request.method ??= operation.method.toUpperCase();
	const answer = await send(request);
	const { status } = answer;
	const say = (words) => fault(`${shown(request)}: ${status}, ${words}: ` +
		answer.raw.slice(0, 300));
	if (request.method === operation.method.toUpperCase()) {
		if (!seen.has(operation.name))
			seen.set(operation.name, new Set());
		seen.get(operation.name).add(status);
	}
	for (const [name, value] of Object.entries(SAFE))
		if (answer.headers[name] !== value)
			say(`${name} is ${answer.headers[name]}`);
	if (status === 405 && request.method !== operation.method.toUpperCase())
		checkAnswer(request, answer,
			['components', 'responses', 'MethodNotAllowed']);
	else if (request.method === 'OPTIONS')
		checkAnswer(request, answer, ['components', 'responses', 'Options']);
	else if (operation.responses[status])
		checkAnswer(request, answer, [...operation.place, 'responses',
			String(status)]);
	else
		say('which is not described');
	if (Array.isArray(expected)) {
		if (!expected.includes(status))
			say(`expected ${expected.join(' or ')}`);
	} else if (expected === 'good') {
		if (status >= 300 && !(setting.log === 'empty' && status === 404))
			say('expected what it is for');
	} else if (expected === 'bad') {
		if (status < 400 || status >= 500)
			say('expected a refusal');
	} else if (status >= 500 && !operation.responses[status]) {
		say('failed');
	}
	return answer;
}

// ---- requests of the description

const BODY = 'application/json';

function bodyOf(operation, type = BODY) {
	const content = operation.requestBody?.content[type];
	const examples = content && (content.examples
		? Object.values(content.examples).map((example) => example.value)
		: [content.example]);
	return examples && { type, examples,
		place: [...operation.place, 'requestBody', 'content', type,
			'schema'] };
}

function sign(body) {
	return 'sha256=' + createHmac('sha256', setting.secret ?? 'none')
		.update(body).digest('hex');
}

/*
 * A request with what is required, by examples; `change` may replace parameters
 * (a list of texts each; null: left out), the body and its type.
 */
function build(operation, change = {}) {
	const query = [...(change.query ?? [])], headers = {};
	let target = operation.path;
	const content = bodyOf(operation, change.type ?? BODY);
	const body = 'body' in change ? change.body
		: content && JSON.stringify(content.examples[0]);
	for (const { value: parameter } of operation.parameters) {
		const { name } = parameter;
		let values = parameter.required && 'example' in parameter
			? [].concat(parameter.example).map(String) : [];
		if (change.set && name in change.set)
			values = change.set[name] ?? [];
		else if (name === 'X-Hub-Signature-256')
			values = [sign(body ?? '')];
		if (parameter.in === 'path')
			target = target.replace(`{${name}}`,
				encodeURIComponent(values[0]));
		else if (parameter.in === 'query')
			query.push(...values.map((value) => [name, value]));
		else if (values.length)
			headers[name] = values[0];
	}
	if (query.length)
		target += '?' + query.map((pair) => pair.map((part) =>
			encodeURIComponent(part)).join('=')).join('&');
	if (body !== undefined) {
		headers['content-type'] = change.type ?? BODY;
		if (change.type === null)
			delete headers['content-type'];
	}
	return { target, headers: { ...headers, ...change.headers }, body };
}

function isStream(operation) {
	return operation.responses['200']?.content?.['text/event-stream'];
}

// GETs that take something have neither HEAD nor an ETag.
function isPlainGet(operation) {
	return operation.method === 'get' &&
		(operation.responses['304'] || isStream(operation));
}

function changes(operation) {
	return !isPlainGet(operation) && operation.path !== '/api/webhook/github';
}

// The scope that it needs; undefined: none.
function scopeOf(operation) {
	return operation.security.flatMap((one) => one.bearer ?? [])[0];
}

function isOpen(operation) {
	return operation.security.some((one) => !Object.keys(one).length);
}

// What a setting makes of requests that are right.
function good(operation) {
	if (operation.operationId === 'signIn')
		return setting.as === 'open' ? [400] : [401];
	if (operation.operationId === 'merge')
		return [409, 502]; // there is no GitHub to ask
	if (operation.operationId === 'takeWebhook')
		return setting.secret ? [200] : [404];
	return 'good';
}

function bad(operation) {
	const right = good(operation);
	return operation.operationId === 'takeWebhook' ? [...right, 400, 401, 404,
		422] : 'bad';
}

// All values of a parameter that are to be tried: [texts, expected].
function valuesOf({ path, value: parameter }) {
	const place = [...path, 'schema'];
	const outer = follow(place).value;
	const list = outer.type === 'array';
	const inner = list ? [...follow(place).path, 'items'] : place;
	const schema = follow(inner).value;
	const free = !schema.enum && !('const' in schema) && !schema.pattern &&
		schema.type !== 'integer';
	const values = [parameter.example, ...(schema.examples ?? [])]
		.filter((value) => value !== undefined)
		.map((value) => [[].concat(value).map(String), 'good']);
	for (const value of [...(schema.enum ?? []), schema.const,
		schema.default, schema.minimum, schema.maximum])
		if (value !== undefined)
			values.push([[String(value)], 'good']);
	const odd = [...ODD, ...Array.from({ length: 6 }, oddText)];
	for (const value of odd) {
		const refused = wrong(inner, typed(schema, value));
		if (parameter.in === 'header' && /[^\x20-\x7e]|^\s|\s$/.test(value))
			continue; // no client can send it as it is
		if (parameter.in === 'path' && (value === '' || value === '..'))
			continue; // another path
		values.push([[value], refused && !free ? 'bad' : 'any']);
	}
	if (list && values.length)
		values.push([[...values[0][0], 'other'], free ? 'any' : 'bad']);
	return values;
}

// Those that start a script take longer: fewer of each.
function isSlow(operation) {
	return /assignments|merge|timeline|gate|webhook/.test(operation.path);
}

function few(operation, list) {
	return isSlow(operation)
		? list.filter((one, i) => i < 2 || one[1] === 'bad') : list;
}

async function askParameters(operation) {
	for (const parameter of operation.parameters) {
		const { name, required } = parameter.value;
		if (name === 'If-None-Match' && operation.responses['304'])
			continue;
		if (required && parameter.value.in !== 'path')
			await ask(operation, build(operation, { set: { [name]: null } }),
				bad(operation));
		if (name === 'X-Hub-Signature-256' || name === 'If-Match' ||
		    name === 'If-None-Match')
			continue;
		for (const [texts, kind] of few(operation, valuesOf(parameter))) {
			let expected = kind;
			if (kind === 'good' && Array.isArray(good(operation)))
				expected = good(operation);
			if (kind === 'bad')
				expected = bad(operation);
			// then, or of another name, there may be none
			if (kind === 'good' &&
			    (parameter.value.in === 'path' || name === 'at'))
				expected = [200, 404];
			if (name === 'Last-Event-ID')
				expected = 'any';
			await ask(operation, build(operation, { set: { [name]: texts } }),
				expected);
		}
	}
	if (operation.method === 'get') {
		const set = Object.fromEntries(operation.parameters
			.filter(({ value }) => value.in === 'query')
			.map(({ value }) => [value.name,
				[].concat(value.example).map(String)]));
		await ask(operation, build(operation, { set }), 'any');
	}
	for (const name of ['nonsense', 'Limit', 'limit ', ''])
		await ask(operation, build(operation, { query: [[name, '1']] }),
			operation.operationId === 'takeWebhook' && !setting.secret
				? [404] : [400]);
}

const OTHERS = [null, true, 17, -1, 1.5, 1e30, '', 'x', '\0', [], [null], {},
	{ a: [{}] }, 'a'.repeat(70000)];

async function askBodies(operation) {
	for (const type of Object.keys(operation.requestBody.content)) {
		const { examples, place } = bodyOf(operation, type);
		const refuses = (value) => wrong(place, value);
		const tell = (value, expected) => ask(operation, build(operation,
			{ type, body: JSON.stringify(value) }), expected);
		for (const example of examples) {
			await tell(example, good(operation));
			for (const name of [...Object.keys(example), 'nonsense'])
				for (const other of [undefined, ...OTHERS]) {
					const value = JSON.parse(JSON.stringify(
						{ ...example, [name]: other }));
					await tell(value, refuses(value)
						? bad(operation) : 'any');
				}
		}
		for (const value of OTHERS.filter(refuses))
			await tell(value, bad(operation));
		for (const body of ['', '{', 'x', '{"a":1}{', '{"a":1,"a":1}', '\xff',
			'[' .repeat(5000), '{"type":"\ud800"}'])
			await ask(operation, build(operation, { type, body }),
				bad(operation));
		await ask(operation, build(operation, { type, headers:
			{ 'content-type': `${type}; charset=utf-8` } }),
			good(operation));
	}
	for (const type of [null, 'text/plain', 'application/xml',
		'multipart/form-data; boundary=x',
		'application/x-www-form-urlencoded'])
		await ask(operation, build(operation, { headers:
			type ? { 'content-type': type } : {},
			...(type ? {} : { type: null,
				body: JSON.stringify(bodyOf(operation).examples[0]) }) }),
			[415]);
	await ask(operation, build(operation, { body: JSON.stringify({
		a: 'a'.repeat(3 << 20) }) }), [413]);
}

async function askOtherwise(operation) {
	const { path } = operation;
	const has = METHODS.filter((method) => document.paths[path][method])
		.map((method) => method.toUpperCase());
	for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
		if (has.includes(method))
			continue;
		const answer = await ask(operation, { method,
			target: build(operation).target },
			[method === 'OPTIONS' ? 204 : 405]);
		const allow = (answer.headers.allow ?? '').split(', ')
			.filter((name) => !['HEAD', 'OPTIONS'].includes(name)).sort();
		if (String(allow) !== String(has.toSorted()))
			fault(`${path}: Allow is ${answer.headers.allow}, described ` +
				`are ${has}`);
	}
	if (isPlainGet(operation)) {
		const answer = await ask(operation,
			{ method: 'HEAD', target: build(operation).target }, 'good');
		if (answer.raw)
			fault(`HEAD ${path}: has a body`);
	} else if (operation.method === 'get') {
		await ask(operation, { method: 'HEAD',
			target: build(operation).target }, [405]);
	}
	await ask(operation, build(operation, { headers:
		{ host: 'example.net' } }), [421]);
	await ask(operation, build(operation, { headers:
		{ 'x-long': 'a'.repeat(20000) } }), [431]);
	if (changes(operation))
		for (const headers of [{ origin: 'http://example.net' },
			{ origin: 'null' }, { 'sec-fetch-site': 'cross-site' }])
			await ask(operation, build(operation, { headers }), [403]);
}

async function askAgain(operation) {
	if (!operation.responses['304'])
		return;
	const first = await ask(operation, build(operation), 'good');
	if (first.status !== 200)
		return;
	const again = await ask(operation, build(operation, { headers:
		{ 'if-none-match': `"x", ${first.headers.etag}` } }), [200, 304]);
	// some tell how old something is
	if (again.status === 200 && again.headers.etag === first.headers.etag)
		fault(`${operation.name}: is the same and is sent again`);
	await ask(operation, build(operation, { headers:
		{ 'if-none-match': '*' } }), [304]);
}

// ---- what only this API has

const message = (operation) => operation.path === '/api/agent-logs'
	? ['components', 'schemas', 'LogEntry'] : ['components', 'schemas', 'Event'];

// `text` up to the last whole message.
function checkMessages(operation, request, whole) {
	for (const part of whole.slice(0, whole.lastIndexOf('\n\n')).split('\n\n')) {
		const fields = part.split('\n').filter((line) => line &&
			!line.startsWith(':'));
		const told = Object.fromEntries(fields.map((line) => {
			const [, name, value] = /^(\w+): (.*)$/.exec(line) ?? [];
			if (!['id', 'event', 'data', 'retry'].includes(name))
				fault(`${shown(request)}: a line of a stream: ${line}`);
			return [name, value];
		}));
		if (told.data === undefined)
			continue;
		const value = JSON.parse(told.data);
		const what = wrong(message(operation), value);
		if (what)
			fault(`${shown(request)}: a message: ${what}: ${told.data}`);
		if (told.id !== String(value.position ?? value.id))
			fault(`${shown(request)}: a message's id is ${told.id}`);
		if (value.type && told.event !== value.type)
			fault(`${shown(request)}: a message's event is ${told.event}`);
	}
}

async function askStreams(operation) {
	const accept = { accept: 'text/event-stream' };
	const lively = setting.log === 'lively';
	const stream = (whole) => whole.includes('\n\n') &&
		(!lively || /\ndata: .*\n\n/.test(whole));
	for (const change of [{ set: { after: ['0'] } },
		{ headers: { 'last-event-id': '0' } }]) {
		const request = { ...build(operation, { ...change, headers:
			{ ...accept, ...change.headers } }), stream };
		const answer = await ask(operation, request, [200]);
		if (answer.headers['content-type'] !== 'text/event-stream')
			fault(`${shown(request)}: ${answer.headers['content-type']}`);
		checkMessages(operation, request, answer.raw);
	}
	for (const change of [{ set: { limit: ['1'] } },
		{ headers: { 'last-event-id': 'x' } },
		{ headers: { 'last-event-id': '-1' } },
		{ query: [['nonsense', '1']] }])
		await ask(operation, build(operation, { ...change,
			headers: { ...accept, ...change.headers } }), [400]);
}

// What an append must be like, by headers and member.
async function askAppends(operation) {
	const tell = (event, headers, expected) => ask(operation, build(operation,
		{ body: JSON.stringify(event), headers }), expected);
	const event = { type: 'HEARTBEAT', agentId: 'tess', status: 'idle' };
	const first = await tell(event, { 'if-none-match': '*' }, [200]);
	await tell(event, { 'if-none-match': '*' }, [409]);
	await tell(event, { 'if-match': '*' }, [200]);
	await tell(event, { 'if-match': first.headers.etag }, [409]);
	await tell(event, { 'if-match': '"99"' }, [409]);
	await tell({ ...event, expectedVersion: 1 }, { 'if-match': 'W/"1"' }, [200]);
	await tell({ ...event, expectedVersion: 1 }, { 'if-match': '2' }, [400]);
	await tell({ ...event, expectedVersion: 'soon' }, {}, [422]);
	await tell(event, { 'if-none-match': '"x"' }, [400]);
	await tell(event, { 'if-match': '"x"' }, [400]);
	await tell(event, { 'idempotency-key': 'tess-1' }, [200]);
	const twice = await tell(event, { 'idempotency-key': 'tess-1' }, [200]);
	if (JSON.parse(twice.raw).duplicate !== true)
		fault(`a duplicate is not said to be one: ${twice.raw}`);
	await tell({ ...event, status: 'working' }, { 'idempotency-key': 'tess-1' },
		[409]);
	await tell({ type: 'NO_SUCH_TYPE', a: 1 }, {}, [400]);
	await tell({ type: 'ISSUE_APPROVED', repo: 7, issueNumber: 1 }, {}, [422]);
}

async function askSession(list) {
	const [signIn, readAccess, signOut] = ['signIn', 'readAccess', 'signOut']
		.map((id) => list.find((one) => one.operationId === id));
	const issues = list.find((one) => one.operationId === 'listIssues');
	for (const name of Object.keys(setting.tokens)) {
		const answer = await ask(signIn, { ...build(signIn, { body:
			JSON.stringify({ token: setting.tokens[name] }) }),
			as: 'none' }, [200]);
		const cookie = answer.headers['set-cookie'][0].split(';')[0];
		const who = await ask(readAccess, { ...build(readAccess,
			{ headers: { cookie } }), as: 'none' }, [200]);
		if (JSON.parse(who.raw).name !== JSON.parse(answer.raw).name)
			fault(`the cookie of ${name}: ${who.raw}`);
		await ask(issues, { ...build(issues, { headers: { cookie } }),
			as: 'none' }, [name === 'append' ? 403 : 200]);
		await ask(issues, { ...build(issues, { headers: { cookie,
			origin: 'http://example.net' } }), as: 'none' }, [403]);
	}
	await ask(issues, { ...build(issues, { headers: { authorization:
		'Bearer evt_' + 'x'.repeat(43) } }) }, [401]);
	await ask(signOut, build(signOut), [204]);
}

async function askFor(list, operation) {
	const scope = scopeOf(operation);
	const mine = { open: ['read', 'append'], none: [], read: ['read'],
		append: ['append'], admin: ['read', 'append', 'admin'] }[setting.as];
	const may = scope === undefined || mine.includes(scope);
	if (!may) {
		const refusal = setting.as === 'none' ? [401] : [403];
		await ask(operation, build(operation), refusal);
		await ask(operation, build(operation, { query: [['x', 'y']] }),
			refusal);
		return;
	}
	if (setting.as === 'open' && !isOpen(operation))
		fault(`${operation.name}: is described as not open`);
	await ask(operation, build(operation), good(operation));
	if (!setting.deep && scope !== 'admin')
		return;
	await askParameters(operation);
	if (operation.requestBody)
		await askBodies(operation);
	await askOtherwise(operation);
	await askAgain(operation);
	if (isStream(operation))
		await askStreams(operation);
	if (operation.operationId === 'appendEvent')
		await askAppends(operation);
}

async function askAll(url, words) {
	base = new URL(url);
	setting = JSON.parse(words);
	agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
	const list = operations();
	if (setting.rate) // the first one takes what there is
		for (const operation of [list[0], ...list])
			await ask(operation, build(operation), 'any');
	else
		for (const operation of list)
			await askFor(list, operation);
	if (setting.tokens && setting.as === 'none')
		await askSession(list);
	agent.destroy();
	writeFileSync(setting.seen, JSON.stringify([...seen].map(([name, all]) =>
		[name, [...all]])));
}

// ---- what was never answered

function checkSeen(files) {
	const all = new Map();
	for (const name of files)
		for (const [operation, list] of JSON.parse(readFileSync(name, 'utf8')))
			all.set(operation, [...(all.get(operation) ?? []), ...list]);
	// these need a disk that is full, a server that is busy or not whole, a
	// GitHub, a log whose events no form fits
	const never = { all: ['500', '502', '503'],
		'POST /api/merge': ['200', '404', '409'],
		'POST /api/webhook/github': ['409'],
		'GET /api/events/stream': ['422'],
		'GET /api/v1/events/{position}': ['422'],
		'GET /api/issues/{streamId}/gate': ['404'],
		'GET /api/openapi.yaml': ['404'],
		'GET /api/openapi.json': ['404'] };
	for (const { name, responses } of operations())
		for (const status of Object.keys(responses))
			if (!all.get(name)?.includes(Number(status)) &&
			    !never.all.includes(status) &&
			    !never[name]?.includes(status))
				fault(`${name}: ${status} is described and never comes`);
}

switch (command) {
case 'document':
	await checkDocument();
	break;
case 'routes':
	checkRoutes(rest[0]);
	break;
case 'ask':
	await askAll(rest[0], rest[1]);
	break;
case 'seen':
	checkSeen(rest);
	break;
default:
	throw new Error(`${command}: no such command`);
}
for (const words of faults.slice(0, 60))
	console.log(words.replace(/[\0-\x08\x0b-\x1f]/g, '.'));
if (faults.length > 60)
	console.log(`... and ${faults.length - 60} more`);
process.exit(faults.length ? 1 : 0);
