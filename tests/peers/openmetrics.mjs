// Reads an exposition of metrics on standard input, strictly by OpenMetrics 1.0:
// the grammar, and what the text asks of each kind of metric. Whatever departs
// from it is told with its line, and the exit status is 1. Otherwise prints one
// line of JSON for each sample: {"name","labels","value","family","type"}.

import { readFileSync } from 'node:fs'

const bytes = readFileSync(0)
const problems = []
const bad = (line, what) => problems.push(`${line}: ${what}`)

let text = ''
try {
	text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
		.decode(bytes)
} catch {
	bad(0, 'not UTF-8')
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf(?:inity)?)|nan)$/i
const STAMP = /^[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)$/i
const TYPES = ['counter', 'gauge', 'histogram', 'gaugehistogram', 'stateset',
	'info', 'summary', 'unknown']
const SUFFIXES = {
	counter: ['_total', '_created'],
	gauge: [''],
	histogram: ['_bucket', '_count', '_sum', '_created'],
	gaugehistogram: ['_bucket', '_gcount', '_gsum'],
	stateset: [''],
	info: ['_info'],
	summary: ['', '_count', '_sum', '_created'],
	unknown: [''],
}
const RESERVED = ['_total', '_created', '_bucket', '_count', '_sum', '_gcount',
	'_gsum', '_info']

const number = word => {
	const lower = word.toLowerCase()
	if (lower === 'nan') return NaN
	if (/inf/.test(lower)) return lower[0] === '-' ? -Infinity : Infinity
	return Number(word)
}

// An escaped string up to `end`; null if there is no such.
const unescape = (line, from, end) => {
	let out = ''
	for (let i = from; i <= line.length; i++) {
		const c = line[i]
		if (c === end) return { out, next: i + 1 }
		if (c === undefined || c === '"') return null
		if (c !== '\\') {
			out += c
			continue
		}
		const next = line[++i]
		if (next !== 'n' && next !== '"' && next !== '\\') return null
		out += next === 'n' ? '\n' : next
	}
	return null
}

// {a="b",c="d"}; returns pairs and where it ends.
const labels = (line, from) => {
	const pairs = []
	let i = from + 1
	if (line[i] === '}') return { pairs, next: i + 1 }
	for (;;) {
		const equals = line.indexOf('="', i)
		if (equals < 0) return null
		const name = line.slice(i, equals)
		if (!LABEL.test(name)) return null
		const value = unescape(line, equals + 2, '"')
		if (!value) return null
		pairs.push([name, value.out])
		i = value.next
		if (line[i] === '}') return { pairs, next: i + 1 }
		if (line[i++] !== ',') return null
	}
}

const families = new Map()
let family = null
let points = 0

const start = (at, name) => {
	if (family?.name === name) return family
	if (families.has(name)) bad(at, `family '${name}' is in two places`)
	family = { name, type: 'unknown', unit: '', at, samples: [], seen: {} }
	families.set(name, family)
	return family
}

const describe = (at, line) => {
	const match = /^# (TYPE|UNIT|HELP) ([^ ]+) (.*)$/.exec(line)
	if (!match) return bad(at, `no descriptor: ${line}`)
	const [, what, name, value] = match
	if (!NAME.test(name)) return bad(at, `no name of a metric: ${name}`)
	const one = start(at, name)
	if (one.samples.length) bad(at, `${what} behind samples`)
	if (one.seen[what]) bad(at, `${what} twice`)
	one.seen[what] = true
	if (what === 'TYPE') {
		if (TYPES.includes(value)) one.type = value
		else bad(at, `no type: ${value}`)
	} else if (what === 'UNIT') {
		if (!/^[a-zA-Z0-9_:]*$/.test(value)) bad(at, `no unit: ${value}`)
		if (value && !name.endsWith(`_${value}`))
			bad(at, `'${name}' does not end in its unit '${value}'`)
		one.unit = value
	} else if (!unescape(value, 0, undefined)) {
		bad(at, 'HELP is not escaped')
	}
}

const exemplar = (at, one, suffix, rest) => {
	if (!(one.type === 'counter' && suffix === '_total') &&
		!(suffix === '_bucket')) return bad(at, 'no place for an exemplar')
	const found = rest[0] === '{' && labels(rest, 0)
	if (!found) return bad(at, 'exemplar without labels')
	const length = found.pairs.flat().reduce((sum, s) => sum + [...s].length, 0)
	if (length > 128) bad(at, 'exemplar with over 128 characters')
	const words = rest.slice(found.next + 1).split(' ')
	if (rest[found.next] !== ' ' || words.length > 2 ||
		!NUMBER.test(words[0]) || (words[1] !== undefined &&
		!STAMP.test(words[1]))) bad(at, 'exemplar without a value')
}

const sample = (at, line) => {
	const name = /^[^ {]*/.exec(line)[0]
	if (!NAME.test(name)) return bad(at, `no sample: ${line}`)
	let i = name.length
	let pairs = []
	if (line[i] === '{') {
		const found = labels(line, i)
		if (!found) return bad(at, `labels: ${line}`)
		pairs = found.pairs
		i = found.next
	}
	if (line[i] !== ' ') return bad(at, `no value: ${line}`)
	let rest = line.slice(i + 1)
	let example
	const hash = rest.indexOf(' # ')
	if (hash >= 0) {
		example = rest.slice(hash + 3)
		rest = rest.slice(0, hash)
	}
	const words = rest.split(' ')
	if (words.length > 2 || !NUMBER.test(words[0]) ||
		(words[1] !== undefined && !STAMP.test(words[1])))
		return bad(at, `no value: ${line}`)
	let suffix = family && name.startsWith(family.name)
		? name.slice(family.name.length) : null
	if (suffix === null || !SUFFIXES[family.type].includes(suffix)) {
		if (family && suffix !== null && RESERVED.includes(suffix))
			return bad(at, `'${name}' is no sample of a ${family.type}`)
		start(at, name)
		suffix = ''
	}
	const one = family
	if (example !== undefined) exemplar(at, one, suffix, example)
	const names = pairs.map(([label]) => label)
	if (new Set(names).size !== names.length) bad(at, 'a label twice')
	one.samples.push({ at, name, suffix, pairs, value: number(words[0]),
		stamp: words[1] })
	points++
}

const lines = text.split('\n')
if (lines.at(-1) === '') lines.pop()
else if (text) bad(lines.length, 'the last line has no end')
if (lines.at(-1) !== '# EOF') bad(lines.length, "does not end in '# EOF'")
lines.forEach((line, i) => {
	if (line === '# EOF') {
		if (i !== lines.length - 1) bad(i + 1, 'more behind # EOF')
	} else if (line[0] === '#') describe(i + 1, line)
	else sample(i + 1, line)
})

// ---- what each kind has to be

const same = pairs => JSON.stringify([...pairs].sort((a, b) =>
	a[0] < b[0] ? -1 : 1))
const group = (samples, without) => {
	const groups = new Map()
	for (const one of samples) {
		const key = same(one.pairs.filter(([name]) => name !== without))
		if (groups.has(key)) groups.get(key).push(one)
		else groups.set(key, [one])
	}
	return groups
}
const label = (one, name) => one.pairs.find(pair => pair[0] === name)?.[1]
const CANONICAL = /^(?:\+Inf|-?(?:0|[1-9]\d*)\.\d+(?:e[+-]?\d+)?)$/

const checkHistogram = (one, gauge) => {
	for (const samples of group(one.samples, 'le').values()) {
		const at = samples[0].at
		const buckets = samples.filter(s => s.suffix === '_bucket')
		const of = suffix => samples.filter(s => s.suffix === suffix)
		const [count, sum] = gauge ? ['_gcount', '_gsum']
			: ['_count', '_sum']
		if (label(buckets.at(-1) ?? { pairs: [] }, 'le') !== '+Inf')
			bad(at, 'the last bucket is not +Inf')
		let bound = -Infinity
		let before = 0
		for (const bucket of buckets) {
			const le = label(bucket, 'le')
			if (le === undefined || !CANONICAL.test(le)) {
				bad(bucket.at, `le '${le}' is not canonical`)
				continue
			}
			if (!(number(le) > bound)) bad(bucket.at, 'bounds fall')
			if (bucket.value < before) bad(bucket.at, 'buckets fall')
			bound = number(le)
			before = bucket.value
		}
		if (of(count).length !== of(sum).length || of(sum).length > 1)
			bad(at, `${count} and ${sum} go together, once`)
		if (of(count).length && of(count)[0].value !== before)
			bad(of(count)[0].at, `${count} is not the last bucket`)
		if (!gauge && of(sum).length && !(of(sum)[0].value >= 0))
			bad(of(sum)[0].at, '_sum is negative or NaN')
	}
}

for (const one of families.values()) {
	const { type, samples } = one
	if (one.unit && ['info', 'stateset'].includes(type))
		bad(one.at, `a ${type} has no unit`)
	for (const suffix of RESERVED)
		if (type !== 'unknown' && one.name.endsWith(suffix) &&
			SUFFIXES[type].includes(suffix))
			bad(one.at, `family '${one.name}' ends in ${suffix}`)
	const seen = new Set()
	let last = null
	const left = new Set()
	for (const s of samples) {
		const key = `${s.suffix} ${same(s.pairs)} ${s.stamp ?? ''}`
		if (seen.has(key)) bad(s.at, 'the same sample twice')
		seen.add(key)
		// samples of one metric stand together
		const metric = same(s.pairs.filter(([name]) => name !== 'le' &&
			name !== 'quantile' && name !== one.name))
		if (metric !== last) {
			if (left.has(metric)) bad(s.at, 'a metric in two places')
			left.add(metric)
			last = metric
		}
		const whole = ['_total', '_bucket', '_count', '_gcount']
		if (whole.includes(s.suffix) && !(s.value >= 0))
			bad(s.at, `${s.name} is negative or NaN`)
		if (['_bucket', '_count', '_gcount'].includes(s.suffix) &&
			!Number.isInteger(s.value)) bad(s.at, `${s.name} is no count`)
		if (type === 'info' && s.value !== 1) bad(s.at, 'info is not 1')
		if (type === 'stateset' && ((s.value !== 0 && s.value !== 1) ||
			label(s, one.name) === undefined))
			bad(s.at, 'no state of a stateset')
		if (type === 'summary' && s.suffix === '') {
			const quantile = number(label(s, 'quantile') ?? 'nan')
			if (!(quantile >= 0 && quantile <= 1))
				bad(s.at, 'no quantile')
		}
	}
	if (type === 'counter')
		for (const metric of group(samples).values())
			if (!metric.some(s => s.suffix === '_total'))
				bad(metric[0].at, 'a counter without _total')
	if (type === 'histogram') checkHistogram(one, false)
	if (type === 'gaugehistogram') checkHistogram(one, true)
}

// A sample of one family must not look like one of another.
const owner = new Map()
for (const one of families.values())
	for (const suffix of SUFFIXES[one.type]) {
		const name = one.name + suffix
		if (owner.has(name) && owner.get(name) !== one.name)
			bad(one.at, `'${name}' could be of '${owner.get(name)}'`)
		owner.set(name, one.name)
	}

if (problems.length) {
	process.stderr.write(problems.join('\n') + '\n')
	process.exitCode = 1
} else {
	let out = ''
	for (const one of families.values())
		for (const s of one.samples)
			out += JSON.stringify({ name: s.name,
				labels: Object.fromEntries(s.pairs),
				value: Number.isFinite(s.value) ? s.value : `${s.value}`,
				family: one.name, type: one.type }) + '\n'
	process.stdout.write(out)
}
