// One work order: how far it is, how good it is, whether its bundles last, and its jobs.
import { get, paths, post } from "./api.js";
import { el, facts, setHidden, setText, symbol, keyed } from "./dom.js";
import { shortDigest } from "./format.js";
import { makeJobList } from "./joblist.js";
import { listen, reasonTitle, takeOrder } from "./live.js";
import { tellError, tellSuccess } from "./notices.js";
import { loading, outcomeBadge, panel, stamp } from "./parts.js";
import { inWorkOf, shortOf } from "./strip.js";
import { texts } from "./texts.js";

const ROWS = 8;
const REFRESH_MS = 1500;
const SURE_MS = 5000;
const t = texts.order;

function figure(label) {
    const number = el("b");
    const of = el("span.big-of");
    const note = el("small");
    return { root: el("div.big", null, el("span.big-label", null, label), el("p", null, number, of), note), number, of, note };
}

function makeClose(order) {
    let timer = 0;
    const button = el("button.button", { type: "button" }, t.close);
    const rest = () => {
        clearTimeout(timer);
        timer = 0;
        button.removeAttribute("data-armed");
        setText(button, t.close);
    };
    button.addEventListener("click", async () => {
        if (timer === 0) {
            button.dataset.armed = true;
            setText(button, t.closeSure);
            timer = setTimeout(rest, SURE_MS);
            return;
        }
        rest();
        try {
            takeOrder(await post(paths.closeOrder(order.id)));
            tellSuccess(t.closed(order.id));
        } catch (problem) {
            tellError(t.closeRefused, problem.message);
        }
    });
    return button;
}

function makeStock() {
    const list = el("dl.stock");
    return {
        root: panel(t.stock, list),
        update(counts) {
            keyed(list, ["free", "bound", "exposed", "installed", "retired"], (state) => state,
                (state) => el("div", null, el("dt", null, el("b", null, t.stockState[state]), el("small", null, t.stockHow[state])), el("dd.num")),
                (row, state) => setText(row.lastChild, counts[state]));
        },
    };
}

function makeWhy(jobList) {
    const list = el("ol.why");
    const none = el("p.quiet", null, t.whyNone);
    return {
        root: panel(t.why, none, list),
        update(stopped) {
            const rows = stopped.slice(0, ROWS);
            setHidden(none, rows.length > 0);
            keyed(list, rows, (row) => `${row.outcome} ${row.reason}`,
                (row) => el("li", null, outcomeBadge(row.outcome), el("button.as-link", { type: "button", onclick: () => jobList.show({ outcome: row.outcome, reason: row.reason }) }, reasonTitle(row.reason)), el("meter", { min: 0, "aria-label": reasonTitle(row.reason) }), el("b.num")),
                (li, row) => {
                    li.children[2].max = rows[0].jobs;
                    li.children[2].value = row.jobs;
                    setText(li.lastChild, row.jobs);
                });
        },
    };
}

function makePage(order, jobList) {
    const passed = figure(t.passed);
    const left = figure(t.left);
    const inFlight = figure(t.inFlight);
    const failed = figure(t.failed);
    const yieldBox = figure(t.yield);
    const short = el("p.strip-short", { hidden: true }, symbol("warning"), el("span"));
    const bar = el("div.meter.is-large", { "aria-hidden": "true" }, el("span.meter-good"), el("span.meter-work"));
    const state = el("span.state");
    const close = makeClose(order);
    const stock = makeStock();
    const why = makeWhy(jobList);
    const factBox = el("div");
    let shown = order;
    const nodes = [
        el("header.order-head", null, el("h1", null, t.name(order.id)), state, short, close),
        factBox,
        el("section.bigs", { "aria-label": t.passed }, passed.root, left.root, inFlight.root, failed.root, yieldBox.root, bar),
        el("div.columns.is-even", null, why.root, stock.root),
        panel(t.jobs, jobList.root),
    ];

    // What moves with the slots, between two words of the station about the order.
    function updateWork() {
        const { counts: c, quantity, state: phase } = shown;
        const inWork = phase === "open" ? inWorkOf(shown) : 0;
        setText(inFlight.number, inWork);
        bar.children[0].style.flexGrow = c.passed;
        bar.children[1].style.flexGrow = Math.max(0, Math.min(inWork, quantity - c.passed));
        bar.style.setProperty("--rest", Math.max(0, quantity - c.passed - inWork));
    }

    function update(now) {
        const c = now.counts;
        shown = now;
        setText(passed.number, c.passed);
        setText(passed.of, texts.rack.ofQuantity(now.quantity));
        setText(left.number, Math.max(0, now.quantity - c.passed));
        setText(failed.number, c.failed);
        failed.root.dataset.tone = c.failed > 0 ? "fail" : "";
        updateWork();
        setText(state, now.state === "open" ? texts.orders.open : texts.orders.closed);
        state.dataset.state = now.state;
        setHidden(close, now.state !== "open");
        const missing = now.state === "open" ? shortOf(now) : 0;
        setHidden(short, missing === 0);
        setText(short.lastChild, texts.rack.short(missing));
        stock.update(c);
        if (factBox.dataset.state !== now.state) { // nothing else of them ever changes
            factBox.dataset.state = now.state;
            factBox.replaceChildren(facts([
                [t.facts.product, now.product],
                [t.facts.version, shortDigest(now.product_version), true],
                [t.facts.lot, now.lot || t.anyLot],
                [t.facts.fixtures, now.fixtures.join(", ")],
                [t.facts.opened, stamp(now.opened)],
                [t.facts.closed, now.closed ? stamp(now.closed) : null],
            ], ".is-wide"));
        }
    }

    function updateYield({ boards: of, first_pass: good, stopped }) {
        setText(yieldBox.number, of > 0 ? `${(Math.floor((1000 * good) / of) / 10).toFixed(of > 99 ? 1 : 0)} %` : texts.none);
        setText(yieldBox.note, of > 0 ? t.yieldOf(good, of) : t.yieldNone);
        why.update(stopped);
    }

    return { nodes, update, updateWork, updateYield };
}

export function openOrder(root, [id]) {
    const page = el("div.page");
    const jobList = makeJobList({ fixed: { work_order: id }, hidden: ["order"] });
    let view = null;
    let timer = 0;
    let frame = 0;
    root.append(page);
    loading(page, async () => {
        const [order, yields] = await Promise.all([get(paths.order(id)), get(paths.yield(id))]);
        view = makePage(order, jobList);
        view.update(order);
        view.updateYield(yields);
        return view.nodes;
    });

    async function refresh() {
        timer = 0;
        const [order, yields] = await Promise.all([get(paths.order(id)), get(paths.yield(id))]).catch(() => []);
        if (order && view) {
            view.update(order);
            view.updateYield(yields);
        }
    }
    const stop = listen((kind, data) => {
        if (kind === "order" && data.id === id) {
            view?.update(data);
        } else if (kind === "slot" && frame === 0) {
            frame = requestAnimationFrame(() => {
                frame = 0;
                view?.updateWork();
            });
        }
        if (timer === 0 && (kind === "snapshot" || (kind === "job" && data.work_order === id))) {
            timer = setTimeout(refresh, REFRESH_MS);
        }
    });
    return {
        title: t.name(id),
        close() {
            stop();
            clearTimeout(timer);
            cancelAnimationFrame(frame);
            jobList.close();
        },
    };
}
