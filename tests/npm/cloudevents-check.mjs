// Reads CloudEvents, one JSON text a line, on standard input. Each must pass the
// strict validation of the CloudEvents SDK, by itself and as a structured HTTP
// message, and the rules of the specification that the SDK leaves to its users:
// the length of attribute names, the types and the characters of attributes.
// With --controls, attributes may hold control characters. Prints how many there
// were; names the first bad one and exits with 1.
import { readFileSync } from "node:fs";
import { CloudEvent, HTTP } from "cloudevents";

const forbidden =
	/[\0-\x1f\x7f-\x9f\ufdd0-\ufdef]|\p{Cs}|[\ufffe\uffff]|[\u{1fffe}\u{1ffff}]/u;
const allowControls = process.argv[2] === "--controls";

function checkAttribute(name, value) {
	if (name.length > 20)
		throw new Error(`${name}: a name of more than 20 characters`);
	switch (typeof value) {
	case "boolean":
		return;
	case "number":
		if (value !== (value | 0))
			throw new Error(`${name}: no integer of 32 bits: ${value}`);
		return;
	case "string":
		if (!allowControls && forbidden.test(value))
			throw new Error(`${name}: a forbidden character`);
		return;
	default:
		throw new Error(`${name}: neither boolean, integer nor string`);
	}
}

function check(line) {
	const event = JSON.parse(line);
	const parsed = new CloudEvent(event, true);

	parsed.validate();
	HTTP.toEvent({
		headers: { "content-type": "application/cloudevents+json" },
		body: line,
	}).validate();
	for (const [name, value] of Object.entries(event)) {
		if (name === "data")
			continue;
		checkAttribute(name, value);
		// the SDK makes up an id or a time that is empty
		if (parsed[name] !== value)
			throw new Error(`${name}: the SDK did not keep ${value}`);
	}
}

// not by readline, for which U+2028 ends a line
const lines = readFileSync(0, "utf8").split("\n");

if (lines.pop() !== "") {
	console.error("the last line has no end");
	process.exit(1);
}
lines.forEach((line, i) => {
	try {
		check(line);
	} catch (error) {
		console.error(`line ${i + 1}: ${error.message}`);
		process.exit(1);
	}
});
console.log(lines.length);
