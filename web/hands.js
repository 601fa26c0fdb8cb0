// What needs hands, the oldest first. Boards that all wait for the same thing are one line.
import { links } from "./api.js";
import { el, keyed, setAttribute, setHidden, setSymbol, setText, symbol } from "./dom.js";
import { faceOf } from "./faces.js";
import { age } from "./format.js";
import { live, stationNow } from "./live.js";
import { texts } from "./texts.js";

// Slots that wait, together: what for, and how the line reads.
const shared = new Set(["no_order", "aborted"]);

function collect() {
    const single = [];
    const groups = new Map();
    for (const slot of live.slots.values()) {
        const face = faceOf(slot);
        if (face.needs) {
            single.push({ id: slot.id, name: slot.name, fixture: slot.fixture, face, title: face.note || face.word, text: face.remedy, since: face.since });
        } else if (slot.state === "waiting" && shared.has(slot.waiting_for)) {
            const key = `${slot.fixture} ${slot.waiting_for}`;
            const group = groups.get(key) ?? { id: key, fixture: slot.fixture, face, count: 0, reason: slot.waiting_for, since: Infinity };
            group.count += 1;
            group.since = Math.min(group.since, face.since);
            groups.set(key, group);
        } else if (slot.warning && slot.state !== "absent") {
            single.push({ id: slot.id, name: slot.name, fixture: slot.fixture, face: { tone: "warning", symbol: "warning" },
                title: texts.hands.slotWarning, text: slot.warning, since: face.since });
        }
    }
    for (const group of groups.values()) {
        group.title = texts.hands.waiting(group.fixture, group.count);
        group.text = group.reason === "no_order" ? texts.rack.noOrderHow : texts.rack.startHow;
    }
    return [...single, ...groups.values()].sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
}

function makeRow(item, onChoose) {
    const p = { sign: symbol("absent"), name: el("span.hand-name"), title: el("b.hand-title"), age: el("span.hand-age"), text: el("span.hand-text") };
    const inner = [p.sign, p.name, p.title, p.age, p.text];
    const row = item.count
        ? el("a.hand", { href: item.reason === "no_order" ? links.orders : links.rack }, inner)
        : el("button.hand", { type: "button", onclick: () => onChoose(item.id, true) }, inner);
    const li = el("li", null, row);
    li.parts = { ...p, row };
    return li;
}

function updateRow({ parts: p }, item, hasFixtures) {
    setAttribute(p.row, "data-tone", item.face.tone);
    setAttribute(p.row, "data-group", item.count ? "" : null);
    setAttribute(p.row, "data-wide", hasFixtures && !item.count ? "" : null);
    setSymbol(p.sign, item.face.symbol);
    setText(p.name, item.count ? "" : hasFixtures ? item.id : item.name);
    setHidden(p.name, Boolean(item.count));
    setText(p.title, item.title);
    setText(p.age, Number.isFinite(item.since) ? age(stationNow() - item.since) : "");
    setText(p.text, item.text);
}

export function makeHands(onChoose) {
    const count = el("span.count");
    const none = el("p.calm", null, symbol("pass"), el("span", null, el("b", null, texts.hands.none), " ", texts.hands.noneHow));
    const list = el("ul.hands-list");
    const root = el("section.hands", null, el("h2", null, texts.hands.title, " ", count), none, list);
    let items = [];

    list.addEventListener("keydown", (event) => {
        const rows = [...list.querySelectorAll(".hand")];
        const at = rows.indexOf(document.activeElement);
        const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
        if (to !== undefined && at >= 0) {
            event.preventDefault();
            event.stopPropagation();
            rows[Math.max(0, Math.min(rows.length - 1, to))].focus();
        }
    });

    return {
        root,
        ids: () => items.filter((item) => !item.count).map((item) => item.id),
        update() {
            items = collect();
            const n = items.reduce((sum, item) => sum + (item.count ?? 1), 0);
            setText(count, n > 0 ? n : "");
            setHidden(none, n > 0 || !live.isLoaded);
            const hasFixtures = live.station.fixtures.length > 1;
            keyed(list, items, (item) => item.id, (item) => makeRow(item, onChoose), (row, item) => updateRow(row, item, hasFixtures));
        },
    };
}
