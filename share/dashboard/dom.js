// What the page is to be, as plain objects (h), and making it so (patch): only
// what differs is touched, elements are found again by their keys, so that
// focus, selection, scrolling and what is unfolded survive.
//
// All that comes from the server gets into the page here, as text or as the
// value of an attribute that is known to be harmless; no markup is ever parsed.

const harmless = new RegExp(
	"^(aria-[a-z]+|data-[a-z]+|id|title|role|tabindex|scope|colspan|for|type|" +
	"name|min|max|step|placeholder|datetime|dir|lang|autocomplete|" +
	"spellcheck|autocapitalize|enterkeyhint|inputmode|" +
	"viewBox|preserveAspectRatio|x|y|x1|x2|y1|y2|cx|cy|r|rx|width|height|d|" +
	"transform|focusable)$");
// Set as properties, since users change them.
const properties = new Set(["value", "disabled", "hidden"]);
const svg = "http://www.w3.org/2000/svg";

// A link leads to a place of this page or to the web, nowhere else.
export function safeLink(target) {
	if (typeof target !== "string")
		return null;
	if (target.startsWith("#"))
		return target;
	try {
		const url = new URL(target);
		return url.protocol === "https:" || url.protocol === "http:"
			? url.href : null;
	} catch {
		return null;
	}
}

// h("a.row", {href, key, onclick}, children...); attributes may be left out
export function h(name, first, ...children) {
	const [tag, ...classes] = name.split(".");
	const bare = first === null || typeof first !== "object" ||
		Array.isArray(first) || "children" in first || "text" in first;
	if (bare)
		children.unshift(first);
	const {key, class: more, ...rest} = bare ? {} : first ?? {};
	// a picture without a name is an ornament
	if (tag === "svg" && !rest.role)
		rest["aria-hidden"] = "true";
	if (more)
		classes.push(more);
	return {tag, key, class: classes.join(" "), attributes: rest,
		children: children.flat(Infinity)
			.filter(c => c !== null && c !== undefined && c !== false &&
				c !== "")
			.map(c => typeof c === "object" ? c : {text: String(c)})};
}

function fits(old, vnode) {
	return old.tag === vnode.tag && old.key === vnode.key;
}

function setAttribute(node, name, value, fresh) {
	if (name === "onpatch")
		return;
	if (name.startsWith("on")) {
		node.evHandlers ??= {};
		const type = name.slice(2);
		if (!(type in node.evHandlers))
			node.addEventListener(type,
				event => node.evHandlers[type]?.(event));
		node.evHandlers[type] = value;
	} else if (name === "open") {
		// unfolded at first; from then on it is the user's
		if (fresh && value)
			node.setAttribute("open", "");
	} else if (properties.has(name)) {
		const wanted = value ?? (name === "value" ? "" : false);
		if (node[name] !== wanted)
			node[name] = wanted;
	} else if (name === "href") {
		const link = safeLink(value);
		if (link === null) {
			node.removeAttribute("href");
			return;
		}
		node.setAttribute("href", link);
		if (!link.startsWith("#")) {
			node.setAttribute("rel", "noopener noreferrer external");
			node.setAttribute("target", "_blank");
		}
	} else if (!harmless.test(name)) {
		throw new Error(`attribute '${name}'`);
	} else if (value === null || value === undefined ||
	    value === false && !name.startsWith("aria-")) {
		node.removeAttribute(name);
	} else {
		node.setAttribute(name, value === true && !name.startsWith("aria-")
			? "" : String(value));
	}
}

function update(node, old, vnode) {
	if (vnode.text !== undefined) {
		if (node.data !== vnode.text)
			node.data = vnode.text;
		return;
	}
	if (old.class !== vnode.class)
		node.setAttribute("class", vnode.class);
	for (const [name, value] of Object.entries(vnode.attributes)) {
		if (old.attributes[name] !== value || properties.has(name))
			setAttribute(node, name, value, false);
	}
	for (const name of Object.keys(old.attributes))
		if (!(name in vnode.attributes))
			setAttribute(node, name, null, false);
	if (vnode.attributes.onpatch)
		vnode.attributes.onpatch(node);
	else
		place(node, vnode.children);
}

function create(vnode, parent) {
	if (vnode.text !== undefined)
		return document.createTextNode(vnode.text);
	const node = vnode.tag === "svg" || parent.namespaceURI === svg
		? document.createElementNS(svg, vnode.tag)
		: document.createElement(vnode.tag);
	if (vnode.class)
		node.setAttribute("class", vnode.class);
	for (const [name, value] of Object.entries(vnode.attributes))
		if (name !== "value")
			setAttribute(node, name, value, true);
	if (vnode.attributes.onpatch)
		vnode.attributes.onpatch(node);
	else
		place(node, vnode.children);
	// an option is chosen by its select's value, so the children come first
	if ("value" in vnode.attributes)
		setAttribute(node, "value", vnode.attributes.value, true);
	return node;
}

function place(parent, list) {
	const old = parent.evChildren ?? [];
	const keyed = new Map();
	const rest = [];
	for (const one of old)
		if (one.vnode.key !== undefined)
			keyed.set(one.vnode.key, one);
		else
			rest.push(one);
	let next = 0;
	const children = list.map(vnode => {
		let found;
		if (vnode.key !== undefined) {
			found = keyed.get(vnode.key);
			if (found && fits(found.vnode, vnode))
				keyed.delete(vnode.key);
			else
				found = undefined;
		} else {
			while (next < rest.length && !fits(rest[next].vnode, vnode))
				rest[next++].node.remove();
			found = rest[next++];
		}
		return {vnode, found};
	});
	for (const one of keyed.values())
		one.node.remove();
	for (; next < rest.length; next++)
		rest[next].node.remove();
	let at = parent.firstChild;
	for (const child of children) {
		if (child.found) {
			child.node = child.found.node;
			update(child.node, child.found.vnode, child.vnode);
		} else {
			child.node = create(child.vnode, parent);
		}
		delete child.found;
		if (child.node === at)
			at = at.nextSibling;
		else
			parent.insertBefore(child.node, at);
	}
	parent.evChildren = children;
}

export function patch(parent, ...children) {
	if (!parent.evChildren)
		parent.replaceChildren();
	const focused = document.activeElement;
	place(parent, h("x", children).children);
	// an element that changes its place loses the focus
	if (focused && focused !== document.activeElement && focused.isConnected)
		focused.focus({preventScroll: true});
}
