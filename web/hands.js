// What needs hands, the oldest first. Boards that all wait for the same thing, or have one IMEI, are one line. Above them, the fixtures whose
// work has ended, and how many boards can be taken out.
import { links } from "./api.js";
import { isUnserved } from "./commands.js";
import { countsOf } from "./cue.js";
import { el, keyed, setAttribute, setHidden, setSymbol, setText, symbol } from "./dom.js";
import { faceOf } from "./faces.js";
import { age } from "./format.js";
import { live, stationNow } from "./live.js";
import { texts } from "./texts.js";

// Slots that wait, together: what for, and how the line reads.
const shared = new Set(["no_order", "aborted"]);

const single = (slot, face) => ({ id: slot.id, name: slot.name, face, title: face.note || face.word, text: face.remedy, since: face.since });

function addTo(groups, slot, face, reason) {
    const id = `${slot.fixture} ${slot.state} ${reason}`;
    const group = groups.get(id) ?? { id, fixture: slot.fixture, face, reason, members: [], since: Infinity };
    group.members.push(single(slot, face));
    group.since = Math.min(group.since, face.since);
    groups.set(id, group);
}

const waitingLine = (group) => ({ ...group, count: group.members.length,
    href: group.reason === "no_order" ? links.orders : links.rack,
    title: texts.hands.waiting(group.fixture, group.members.length),
    text: group.reason === "no_order" ? texts.rack.noOrderHow : texts.rack.startHow });

// Boards that the station could not serve for one reason, which one deed ends.
const unservedLine = (group) => ({ ...group, count: group.members.length,
    title: texts.hands.alike(group.fixture, group.members.length, group.face.note), text: group.face.remedy });

// Boards of one IMEI, which only make sense together.
const twinsLine = (group) => ({ ...group, count: group.members.length, title: texts.hands.twins(group.members.map(({ name, id }) => (hasFixtures() ? id : name))), text: group.face.remedy });

const hasFixtures = () => live.station.fixtures.length > 1;

function collect() {
    const items = [];
    const waiting = new Map();
    const unserved = new Map();
    const twins = new Map();
    for (const slot of live.slots.values()) {
        const face = faceOf(slot);
        if (isUnserved(slot)) {
            addTo(unserved, slot, face, slot.verdict.reason);
        } else if (slot.state === "held" && slot.waiting_for === "duplicate_imei" && slot.board) {
            addTo(twins, { ...slot, fixture: "" }, face, slot.board.imei);
        } else if (face.needs) {
            items.push(single(slot, face));
        } else if (slot.state === "waiting" && shared.has(slot.waiting_for)) {
            addTo(waiting, slot, face, slot.waiting_for);
        } else if (slot.warning && slot.state !== "absent") {
            items.push({ ...single(slot, { tone: "warning", symbol: "warning", since: face.since }), title: texts.hands.slotWarning, text: slot.warning });
        }
    }
    items.push(...[...waiting.values()].map(waitingLine));
    for (const [groups, line] of [[unserved, unservedLine], [twins, twinsLine]]) {
        for (const group of groups.values()) {
            items.push(...(group.members.length > 1 ? [line(group)] : group.members));
        }
    }
    return items.sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
}

function makeRow(item, onChoose) {
    const p = { sign: symbol("absent"), name: el("span.hand-name"), title: el("b.hand-title"), age: el("span.hand-age"), text: el("span.hand-text") };
    const inner = [p.sign, p.name, p.title, p.age, p.text];
    const row = item.href
        ? el("a.hand", { href: item.href }, inner)
        : el("button.hand", { type: "button", onclick: () => onChoose(item.members?.[0].id ?? item.id, true) }, inner);
    const li = el("li", null, row);
    li.parts = { ...p, row };
    return li;
}

function updateRow({ parts: p }, item) {
    setAttribute(p.row, "data-tone", item.face.tone);
    setAttribute(p.row, "data-group", item.count ? "" : null);
    setAttribute(p.row, "data-wide", hasFixtures() && !item.count ? "" : null);
    setSymbol(p.sign, item.face.symbol);
    setText(p.name, item.count ? "" : hasFixtures() ? item.id : item.name);
    setHidden(p.name, Boolean(item.count));
    setText(p.title, item.title);
    setText(p.age, Number.isFinite(item.since) ? age(stationNow() - item.since) : "");
    setText(p.text, item.text);
}

export function makeHands(onChoose) {
    const count = el("span.count");
    const none = el("p.calm", null, symbol("pass"), el("span", null, el("b", null, texts.hands.none), " ", texts.hands.noneHow));
    const ended = el("ul.ended");
    const list = el("ul.hands-list");
    const root = el("section.hands", null, el("h2", null, texts.hands.title, " ", count), ended, none, list);
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
        // Of those that need hands one by one: waiting boards only need an order, or a start.
        ids: () => items.flatMap((item) => (item.href ? [] : (item.members ?? [item]).map(({ id }) => id))),
        update() {
            items = collect();
            const n = items.reduce((sum, item) => sum + (item.count ?? 1), 0);
            setText(count, n > 0 ? n : "");
            const done = live.station.fixtures.map(({ name }) => ({ name, ...countsOf(name) })).filter(({ working, passed }) => working === 0 && passed > 0);
            setHidden(none, n > 0 || done.length > 0 || !live.isLoaded);
            keyed(ended, done, ({ name }) => name, ({ name }) => el("li", null, symbol("pass"), el("b", null, texts.ended.title(name)), el("span")),
                (line, { passed }) => setText(line.lastChild, texts.ended.takeOut(passed)));
            keyed(list, items, (item) => item.id, (item) => makeRow(item, onChoose), updateRow);
        },
    };
}
