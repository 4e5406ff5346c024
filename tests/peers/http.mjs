// What the servers that play GitHub, Discord and others have in common. A peer
// is strict: what the real one would refuse, it refuses, and says why.
//
//	serve(answer)		a server on a free port of 127.0.0.1
//
// answer(request, state) gets {method, path, query, headers, body (a Buffer)}
// and returns {status, headers, body}, body being what JSON.stringify takes, a
// string or a Buffer. Refusal(status, message) may be thrown instead.
//
// argv: STATE JOURNAL PORT. STATE is a JSON file that tests write, read anew
// for each request. JOURNAL gets a line for each request, before it is answered.
// PORT is a file that gets the port once there is one. SIGTERM ends it, and so
// does the end of whoever started it.
//
// STATE may have a list 'trouble', of {when, times, ...}. The first whose
// 'when', a regular expression, matches "METHOD /path?query", and that has
// happened less than 'times' times (default 1) yet, happens:
//
//	status, headers, body	this is the answer
//	after: true		but only after the request was carried out
//	hang: true		no answer
//	drop: true		the connection is closed
//	half: true		half an answer, then the connection is closed
//	bytes: N		an answer of N bytes that does not say its length

import { createServer } from 'node:http';
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

export class Refusal extends Error {
	constructor(status, message, headers = {}) {
		super(message);
		Object.assign(this, { status, headers });
	}
}

const [stateFile, journalFile, portFile] = process.argv.slice(2);

export function readState() {
	return JSON.parse(readFileSync(stateFile, 'utf8'));
}

// Tests read the file while it is written.
export function writeState(state) {
	writeFileSync(`${stateFile}.new`, JSON.stringify(state, null, '\t') + '\n');
	renameSync(`${stateFile}.new`, stateFile);
}

function bytes(body) {
	if (body === undefined || body === null)
		return Buffer.alloc(0);
	if (Buffer.isBuffer(body))
		return body;
	return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function send(response, { status = 200, headers = {}, body }, half) {
	const all = bytes(body);
	response.writeHead(status, {
		...(all.length ? { 'Content-Type': 'application/json; charset=utf-8' } : {}),
		...headers,
		'Content-Length': all.length,
	});
	if (!half)
		return response.end(all);
	response.write(all.subarray(0, all.length / 2));
	setTimeout(() => response.destroy(), 20); // once it was sent
}

// JSON that cannot be read is refused as the real ones refuse it.
export function jsonOf(request, status = 400) {
	const type = request.headers['content-type'] ?? '';
	if (!/^application\/json( *;.*)?$/i.test(type))
		throw new Refusal(415, `unsupported media type '${type}'`);
	try {
		return JSON.parse(new TextDecoder('utf-8', { fatal: true })
			.decode(request.body));
	} catch (error) {
		throw new Refusal(status, `Problems parsing JSON: ${error.message}`);
	}
}

const happened = new Map();

function trouble(state, line) {
	for (const item of state.trouble ?? []) {
		const key = JSON.stringify(item);
		const count = happened.get(key) ?? 0;
		if (count < (item.times ?? 1) && new RegExp(item.when).test(line)) {
			happened.set(key, count + 1);
			return item;
		}
	}
	return {};
}

function attempt(answer, request) {
	try {
		return answer(request, readState());
	} catch (error) {
		if (error instanceof Refusal)
			return { status: error.status, headers: error.headers,
				body: { message: error.message } };
		console.error(error);
		return { status: 500, body: { message: 'the peer is broken' } };
	}
}

export function serve(answer) {
	const server = createServer(async (incoming, response) => {
		const parts = [];
		for await (const part of incoming)
			parts.push(part);
		const url = new URL(incoming.url, 'http://peer');
		const request = {
			method: incoming.method, path: url.pathname, query: url.searchParams,
			headers: incoming.headers, body: Buffer.concat(parts),
			host: incoming.headers.host, url: incoming.url,
		};
		const bad = trouble(readState(), `${incoming.method} ${incoming.url}`);
		const own = 'status' in bad;
		const gone = bad.hang || bad.drop || own;
		const good = gone && !bad.after ? {} : attempt(answer, request);
		const result = own ? bad : good;
		appendFileSync(journalFile, JSON.stringify({
			method: request.method, url: incoming.url,
			headers: incoming.headers, body: request.body.toString(),
			status: bad.hang || bad.drop ? null : result.status ?? 200,
		}) + '\n');
		if (bad.drop)
			incoming.socket.destroy();
		else if (bad.bytes)
			response.end(Buffer.alloc(bad.bytes, ' '));
		else if (!bad.hang)
			send(response, result, bad.half);
	});
	server.listen(0, '127.0.0.1', () => {
		writeFileSync(`${portFile}.new`, `${server.address().port}\n`);
		renameSync(`${portFile}.new`, portFile);
	});
	const end = () => {
		server.closeAllConnections();
		server.close();
		clearInterval(watch);
	};
	const parent = process.ppid;
	const watch = setInterval(() => process.ppid === parent || end(), 1000);
	process.on('SIGTERM', end);
}
