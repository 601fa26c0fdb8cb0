// The line above a fixture: which order is open there, how far it is, and whether its bundles last.
import { links } from "./api.js";
import { isUnserved } from "./commands.js";
import { el, setAttribute, setHidden, setText, symbol } from "./dom.js";
import { isWorking } from "./faces.js";
import { live } from "./live.js";
import { texts } from "./texts.js";

function figure(label) {
    const number = el("b");
    const text = el("span", null, label);
    return { root: el("div.figure", null, number, text), number, text };
}

// How many bundles are missing for what the order still has to pass.
export function shortOf(order) {
    const { passed, free, bound, exposed } = order.counts;
    return Math.max(0, order.quantity - passed - free - bound - exposed);
}

// Boards that are worked on in the order's fixtures: what the tiles say, and sooner than the station's count of claimed bundles.
export function inWorkOf(order) {
    return [...live.slots.values()].filter((slot) => order.fixtures.includes(slot.fixture) && isWorking(slot)).length;
}

export function makeStrip(fixture, { onStart, onRetry }) {
    const name = el("h2.strip-name", null, fixture.name);
    const order = el("a.strip-order");
    const product = el("span.strip-product");
    const open = el("a.button", { href: links.orders }, texts.rack.openOrder);
    const passed = figure(texts.rack.passed);
    const failed = figure(texts.rack.failed);
    const inFlight = figure(texts.rack.inFlight);
    const stock = figure(texts.rack.stock);
    const short = el("span.strip-short", { hidden: true }, symbol("warning"), el("span"));
    const full = el("p.strip-full", { hidden: true }, symbol("pass"), el("b", null, texts.rack.full), " ", texts.rack.fullHow);
    const counts = el("div.figures", null, passed.root, failed.root, inFlight.root, stock.root);
    const bar = el("div.meter", { "aria-hidden": "true" }, el("span.meter-good"), el("span.meter-work"));
    const start = fixture.start === "plug" ? null
        : el("button.button", { type: "button", onclick: () => onStart(fixture) }, texts.rack.startAll);
    const retry = el("button.button", { type: "button", hidden: true, onclick: () => onRetry(fixture) });
    const root = el("header.strip", null, name,
        el("div.strip-what", null, order, product, open), counts, short, full, start, retry, bar);

    function update(current, slots) {
        setHidden(order, !current);
        setHidden(counts, !current);
        setHidden(bar, !current);
        setHidden(open, Boolean(current));
        if (start) {
            setHidden(start, !current || !slots.some((slot) => slot.state === "waiting"));
        }
        const unserved = slots.filter(isUnserved).length;
        setHidden(retry, unserved === 0);
        setText(retry, texts.rack.retryAll(unserved));
        setHidden(short, true);
        setHidden(full, true);
        setText(product, current ? [current.product, current.lot].filter(Boolean).join(" · ") : texts.rack.noOrder);
        if (!current) {
            return;
        }
        const { counts: c, quantity } = current;
        setText(order, current.id);
        setAttribute(order, "href", links.order(current.id));
        setText(passed.number, c.passed);
        setText(passed.text, `${texts.rack.ofQuantity(quantity)} ${texts.rack.passed}`);
        setText(failed.number, c.failed);
        setAttribute(failed.root, "data-tone", c.failed > 0 ? "fail" : null);
        const inWork = inWorkOf(current);
        setText(inFlight.number, inWork);
        setText(stock.number, c.free);
        const missing = shortOf(current);
        setHidden(short, missing === 0);
        setText(short.lastChild, texts.rack.short(missing));
        setHidden(full, c.passed < quantity);
        bar.children[0].style.flexGrow = c.passed;
        bar.children[1].style.flexGrow = Math.max(0, Math.min(inWork, quantity - c.passed));
        bar.style.setProperty("--rest", Math.max(0, quantity - c.passed - inWork));
    }

    return { root, update };
}
