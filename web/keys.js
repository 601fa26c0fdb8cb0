// Keys that work on every page, and the scanner, which is a keyboard that types a code and Enter within milliseconds.
//
// A key is a scanner's when it follows another one faster than a hand can; a slot's number typed by hand is gathered as
// well, since digits mean nothing else. So that no scanned letter acts as a key, a letter waits for a moment: when the
// next one comes within it, both are a code.
import { el } from "./dom.js";
import { texts } from "./texts.js";

const BURST_MS = 45; // between two characters of a scanner
const TYPING_MS = 2000; // between two digits of a hand
const GO_MS = 1500;

const goKeys = { r: "rack", o: "orders", j: "jobs", i: "import" };

function isField(node) {
    return node?.matches?.("input, select, textarea") ?? false;
}

export function openKeys() {
    const close = el("button.button", { type: "button" }, el("kbd", null, "Esc"), texts.slot.close);
    const dialog = el("dialog.sheet", { "aria-labelledby": "keys-title" },
        el("header", null, el("h2", { id: "keys-title" }, texts.keys.title)),
        el("table.keys", null, el("tbody", null, texts.keys.rows.map(([keys, what]) => el("tr", null, el("th", { scope: "row" }, keys), el("td", null, what))))),
        el("footer", null, close));
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
}

// hooks: find(text), field, go(page), sound(), page(event) and escape(), which say whether they used the key.
export function followKeys(hooks) {
    let code = "";
    let lastAt = -Infinity;
    let pending = 0; // the letter that waits whether a code follows
    let goAt = -Infinity;

    function act(event) {
        if (performance.now() - goAt < GO_MS && goKeys[event.key]) {
            goAt = -Infinity;
            hooks.go(goKeys[event.key]);
        } else if (event.key === "g") {
            goAt = performance.now();
        } else if (event.key === "/") {
            hooks.field.focus();
        } else if (event.key === "m") {
            hooks.sound();
        } else if (event.key === "?") {
            openKeys();
        } else {
            hooks.page(event);
        }
    }

    // A printable character, outside of any field.
    function gather(event) {
        const now = performance.now();
        const gap = now - lastAt;
        const isCode = code && (gap < BURST_MS || (/^\d+$/.test(code + event.key) && gap < TYPING_MS));
        lastAt = now;
        clearTimeout(pending);
        code = isCode ? code + event.key : event.key;
        if (!isCode && !/\d/.test(event.key)) {
            pending = setTimeout(act, BURST_MS, event);
        }
    }

    document.addEventListener("keydown", (event) => {
        if (event.altKey || event.metaKey || (event.repeat && event.key.length === 1) || event.isComposing || document.querySelector("dialog[open]")) {
            return;
        }
        const isTyping = isField(document.activeElement);
        if (event.key === "Escape") {
            if (document.activeElement === hooks.field) {
                hooks.field.blur();
            }
            code = "";
            hooks.escape();
        } else if (event.key === "Enter" && !isTyping && code.length > 0 && performance.now() - lastAt < TYPING_MS && isWhole(code)) {
            event.preventDefault();
            clearTimeout(pending);
            const found = code;
            code = "";
            hooks.find(found);
        } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !isTyping) {
            if (event.key === "/" || event.key === "'") {
                event.preventDefault(); // the browser's own search
            }
            gather(event);
        } else if (!isTyping && event.key.length > 1 && !["Shift", "Enter", "Tab"].includes(event.key)) {
            code = "";
            if (hooks.page(event)) {
                event.preventDefault();
            }
        }
    });
}

// One letter and Enter is a key and Enter.
const isWhole = (code) => /^\d+$/.test(code) || code.length >= 3;
