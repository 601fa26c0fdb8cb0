// The page's elements are made here and nowhere else. Text goes in as text, so that nothing a board, a file or a MES says
// can become markup; there is no way to set HTML or a style attribute.

const SVG = "http://www.w3.org/2000/svg";

function put(node, name, value) {
    if (value === null || value === undefined || value === false) {
        return;
    }
    if (name.startsWith("on")) {
        node.addEventListener(name.slice(2), value);
    } else if (name === "style") {
        throw new Error("styles are the style sheet's");
    } else {
        node.setAttribute(name, value === true ? "" : value);
    }
}

function build(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
        put(node, name, value);
    }
    node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
    return node;
}

// el("p.note.is-small", {title: "…"}, "text", el("b", null, "…")); attributes that are null or false are left out.
export function el(name, attributes, ...children) {
    const [tag, ...classes] = name.split(".");
    const node = document.createElement(tag);
    if (classes.length > 0) {
        node.className = classes.join(" ");
    }
    return build(node, attributes, children);
}

export function svg(tag, attributes, ...children) {
    return build(document.createElementNS(SVG, tag), attributes, children);
}

// One of the symbols in index.html. It says nothing that a word beside it does not say.
export function symbol(name, className = "") {
    return svg("svg", { class: `symbol ${className}`.trim(), viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
        svg("use", { href: `#s-${name}` }));
}

export function setSymbol(node, name) {
    setAttribute(node.firstChild, "href", `#s-${name}`);
}

// Setters that touch the document only when something changes, so that a refresh never flickers.
export function setText(node, text) {
    const value = text ?? "";
    if (node.textContent !== value) {
        node.textContent = value;
    }
}

export function setAttribute(node, name, value) {
    if (value === null || value === undefined || value === false) {
        if (node.hasAttribute(name)) {
            node.removeAttribute(name);
        }
    } else if (node.getAttribute(name) !== String(value)) {
        node.setAttribute(name, value);
    }
}

export function setHidden(node, isHidden) {
    if (node.hidden !== isHidden) {
        node.hidden = isHidden;
    }
}

// Makes the children of `parent` those of `items`, in their order. A child whose key stays is kept and updated, so that
// focus and scroll position survive. make(item) gives a node, update(node, item) fills it.
export function keyed(parent, items, keyOf, make, update) {
    const old = parent.keyedNodes ?? new Map();
    const now = new Map();
    for (const item of items) {
        const key = keyOf(item);
        const node = old.get(key) ?? make(item);
        old.delete(key);
        now.set(key, node);
        update(node, item);
    }
    for (const node of old.values()) {
        node.remove();
    }
    let place = parent.firstChild;
    for (const node of now.values()) {
        if (node === place) {
            place = place.nextSibling;
        } else {
            parent.insertBefore(node, place);
        }
    }
    parent.keyedNodes = now;
}

// A list of facts; one without a value is left out. [name, value or node, is it code?]
export function facts(rows, className = "") {
    return el(`dl.facts${className}`, null, rows.filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value, isCode]) => el("div", null, el("dt", null, name), el(isCode ? "dd.code" : "dd", null, value))));
}
