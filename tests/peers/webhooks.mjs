// Plays those who take notices: Discord, Slack, and somebody's own webhook, on
// one port. What the real ones refuse it refuses with their words, and beyond
// that members that they would silently ignore: those are mistakes of ours.
//
// Of STATE (see http.mjs) it takes 'discord', tokens by webhook id, 'slack', a
// list of paths T.../B.../TOKEN, and 'bearer', the token of the own webhook.

import { serve, readState, Refusal, jsonOf } from './http.mjs';

function words(status, message) {
	return { status, headers: { 'Content-Type': 'text/html' }, body: message };
}

// ---- Discord

// The tree of errors that Discord answers with, by path.
class FormErrors {
	tree = {};

	add(path, code, message) {
		let at = this.tree;
		for (const key of path)
			at = at[key] ??= {};
		(at._errors ??= []).push({ code, message });
	}

	text(path, value, max) {
		if (typeof value !== 'string')
			return this.add(path, 'STRING_TYPE_CONVERT',
				'Could not interpret value as string.');
		if (value.trim() === '')
			this.add(path, 'BASE_TYPE_REQUIRED', 'This field is required');
		if (value.length > max)
			this.add(path, 'BASE_TYPE_MAX_LENGTH',
				`Must be ${max} or fewer in length.`);
	}

	url(path, value) {
		this.text(path, value, 2048);
		if (!/^https?:\/\/[!-~]+$/.test(value))
			this.add(path, 'URL_TYPE_INVALID_URL', 'Not a well formed URL.');
	}

	known(path, value, names) {
		for (const name of Object.keys(value))
			if (!names.includes(name))
				this.add([...path, name], 'UNKNOWN_MEMBER', 'There is no such');
	}
}

function isObject(value) {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkField(errors, path, field) {
	errors.known(path, field, ['name', 'value', 'inline']);
	errors.text([...path, 'name'], field.name, 256);
	errors.text([...path, 'value'], field.value, 1024);
}

function checkEmbed(errors, path, embed) {
	if (!isObject(embed))
		return errors.add(path, 'MODEL_TYPE_CONVERT',
			'Only dictionaries may be used in a ModelType');
	errors.known(path, embed, ['title', 'description', 'url', 'color',
		'timestamp', 'fields', 'footer']);
	if ('title' in embed)
		errors.text([...path, 'title'], embed.title, 256);
	if ('description' in embed)
		errors.text([...path, 'description'], embed.description, 4096);
	if ('url' in embed)
		errors.url([...path, 'url'], embed.url);
	if ('color' in embed && !(Number.isInteger(embed.color) &&
		embed.color >= 0 && embed.color <= 0xffffff))
		errors.add([...path, 'color'], 'NUMBER_TYPE_MAX',
			'int value should be less than or equal to 16777215.');
	if ('timestamp' in embed &&
		(!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/
			.test(embed.timestamp) || isNaN(Date.parse(embed.timestamp))))
		errors.add([...path, 'timestamp'], 'DATE_TIME_TYPE_PARSE',
			`Could not parse ${embed.timestamp}. Should be ISO8601.`);
	if ((embed.fields ?? []).length > 25)
		errors.add([...path, 'fields'], 'BASE_TYPE_MAX_LENGTH',
			'Must be 25 or fewer in length.');
	(embed.fields ?? []).forEach((field, n) =>
		checkField(errors, [...path, 'fields', n], field));
}

function sizeOf(embed) {
	return [embed.title, embed.description, embed.footer?.text,
		...(embed.fields ?? []).flatMap(f => [f.name, f.value])]
		.reduce((sum, text) => sum + (text ?? '').length, 0);
}

function checkMessage(message) {
	const errors = new FormErrors();
	errors.known([], message, ['content', 'username', 'avatar_url', 'embeds',
		'allowed_mentions']);
	if ('content' in message)
		errors.text(['content'], message.content, 2000);
	const embeds = message.embeds ?? [];
	if (!Array.isArray(embeds))
		errors.add(['embeds'], 'LIST_TYPE_CONVERT',
			'Only iterables may be used in a ListType');
	else if (embeds.length > 10)
		errors.add(['embeds'], 'BASE_TYPE_BAD_LENGTH',
			'Must be between 1 and 10 in length.');
	else
		embeds.forEach((embed, n) => checkEmbed(errors, ['embeds', n], embed));
	if (Array.isArray(embeds) &&
		embeds.reduce((sum, embed) => sum + sizeOf(embed), 0) > 6000)
		errors.add(['embeds'], 'MAX_EMBED_SIZE_EXCEEDED',
			'Embed size exceeds maximum size of 6000');
	for (const what of message.allowed_mentions?.parse ?? [])
		if (!['roles', 'users', 'everyone'].includes(what))
			errors.add(['allowed_mentions', 'parse'], 'BASE_TYPE_CHOICES',
				"Value must be one of ('users', 'everyone', 'roles').");
	return errors.tree;
}

let messages = 0;

function discord(request, state, [id, token]) {
	const refuse = (status, code, message, errors) =>
		({ status, body: { message, code, ...(errors ? { errors } : {}) } });
	if (!request.headers['user-agent'])
		return refuse(403, 40333, 'internal network error');
	if (!(id in (state.discord ?? {})))
		return refuse(404, 10015, 'Unknown Webhook');
	if (state.discord[id] !== token)
		return refuse(401, 50027, 'Invalid Webhook Token');
	if (request.method !== 'POST')
		return refuse(405, 0, '405: Method Not Allowed');
	let message;
	try {
		message = jsonOf(request);
	} catch {
		return refuse(400, 50109, 'The request body contains invalid JSON.');
	}
	const errors = isObject(message) ? checkMessage(message) :
		{ _errors: [{ code: 'MODEL_TYPE_CONVERT', message: 'no dictionary' }] };
	if (Object.keys(errors).length)
		return refuse(400, 50035, 'Invalid Form Body', errors);
	if (!message.content && !(message.embeds ?? []).length)
		return refuse(400, 50006, 'Cannot send an empty message');
	const headers = { 'x-ratelimit-limit': '5', 'x-ratelimit-remaining': '4',
		'x-ratelimit-reset-after': '1' };
	if (request.query.get('wait') !== 'true')
		return { status: 204, headers };
	return { status: 200, headers, body: {
		id: String(1264711234567890000n + BigInt(++messages)), type: 0,
		content: message.content ?? '', channel_id: '1264700000000000000',
		webhook_id: id, author: { bot: true, id, username: 'rig' },
		embeds: (message.embeds ?? []).map(e => ({ type: 'rich', ...e })),
		mentions: [], mention_everyone: false, timestamp:
		new Date().toISOString(),
	} };
}

// ---- Slack

// In mrkdwn, <, > and & stand for themselves only as entities.
function isMrkdwn(text) {
	return !/&(?!(amp|lt|gt);)/.test(text) &&
		!/[<>]/.test(text.replace(
			/<(https?:\/\/[^\s<>|]+(\|[^<>]*)?|[@#!][^<>]+)>/g, ''));
}

function isText(text, max, types) {
	return isObject(text) && types.includes(text.type) &&
		typeof text.text === 'string' && text.text.length >= 1 &&
		text.text.length <= max &&
		Object.keys(text).every(name => ['type', 'text',
			text.type === 'mrkdwn' ? 'verbatim' : 'emoji'].includes(name)) &&
		(text.type !== 'mrkdwn' || isMrkdwn(text.text));
}

const blocks = {
	header: block => isText(block.text, 150, ['plain_text']),
	section: block => isText(block.text, 3000, ['mrkdwn', 'plain_text']),
	context: block => Array.isArray(block.elements) &&
		block.elements.length >= 1 && block.elements.length <= 10 &&
		block.elements.every(e => isText(e, 3000, ['mrkdwn', 'plain_text'])),
	divider: () => true,
};

function slack(request, state, [path]) {
	if (request.method !== 'POST')
		return words(405, 'method_not_allowed');
	if (!(state.slack ?? []).includes(path))
		return words(404, 'no_service');
	let message;
	try {
		message = jsonOf(request);
	} catch {
		return words(400, 'invalid_payload');
	}
	if (!isObject(message) || !Object.keys(message).every(name =>
		['text', 'blocks', 'unfurl_links', 'unfurl_media'].includes(name)))
		return words(400, 'invalid_payload');
	if (typeof message.text !== 'string' || message.text === '')
		return words(400, 'no_text');
	if (message.text.length > 40000 || !isMrkdwn(message.text))
		return words(400, 'msg_too_long');
	if ('blocks' in message && !(Array.isArray(message.blocks) &&
		message.blocks.length <= 50 &&
		message.blocks.every(block => blocks[block.type]?.(block) &&
			Object.keys(block).every(name => ['type', 'text', 'elements',
				'block_id'].includes(name)))))
		return words(400, 'invalid_blocks');
	return words(200, 'ok');
}

// ---- one's own

const members = ['position', 'streamId', 'version', 'id', 'catalog', 'type',
	'schemaVersion', 'timestamp', 'recordedAt', 'priority', 'correlationId',
	'causationId', 'actor', 'data', 'meta'];

function own(request, state) {
	if (request.method !== 'POST')
		throw new Refusal(405, 'only POST');
	if (state.bearer &&
		request.headers.authorization !== `Bearer ${state.bearer}`)
		throw new Refusal(401, 'who are you?', { 'WWW-Authenticate': 'Bearer' });
	const event = jsonOf(request);
	if (!isObject(event) || Object.keys(event).join() !== members.join())
		throw new Refusal(422, 'this is no event');
	const key = request.headers['idempotency-key'];
	if (key !== event.id && decodeURIComponent(key ?? '') !== event.id)
		throw new Refusal(400, 'its Idempotency-Key is not its id');
	return { status: 202 };
}

// ---- which of them

const routes = [
	[/^\/api(?:\/v10)?\/webhooks\/(\d+)\/([A-Za-z0-9_-]+)$/, discord],
	[/^\/services\/(T[A-Z0-9]+\/B[A-Z0-9]+\/[A-Za-z0-9]+)$/, slack],
	[/^\/own(?:\/|$)/, own],
];

serve(request => {
	for (const [pattern, answer] of routes) {
		const match = pattern.exec(request.path);
		if (match)
			return answer(request, readState(), match.slice(1));
	}
	return { status: 404, body: { message: '404: Not Found', code: 0 } };
});
