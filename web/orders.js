// All work orders, and the form that opens one.
import { ask, get, links, paths } from "./api.js";
import { el, keyed, setHidden } from "./dom.js";
import { when } from "./format.js";
import { listen, live, takeOrder } from "./live.js";
import { tellSuccess } from "./notices.js";
import { choice, field, panel, problemBox, table } from "./parts.js";
import { keepQuery, queryNow } from "./place.js";
import { texts } from "./texts.js";

const LIMIT = 50;
const t = texts.orders;

function makeForm(onOpened) {
    const id = el("input", { type: "text", required: true, maxlength: 63, autocomplete: "off", spellcheck: "false" });
    const product = choice([], "");
    const quantity = el("input", { type: "number", required: true, min: 1, max: 1000000, step: 1, inputmode: "numeric" });
    const lot = el("input", { type: "text", maxlength: 63, autocomplete: "off", spellcheck: "false" });
    const boxes = el("div.boxes");
    const trouble = el("div.trouble");
    const submit = el("button.button.is-main", { type: "submit" }, t.submit);
    const form = el("form.order-form", null,
        field(t.id, id, t.idHow), field(t.productLabel, product), field(t.quantity, quantity),
        el("fieldset.field", null, el("legend", null, t.fixtures), boxes), field(t.lot, lot, t.lotHow), trouble, el("p.field", null, submit));

    function fill() {
        const hasProducts = live.station.products.length > 0;
        submit.disabled = !hasProducts;
        if (live.isLoaded && !hasProducts) {
            trouble.replaceChildren(problemBox({ title: t.noProduct, message: t.noProductHow }));
        }
        keyed(product, live.station.products, (p) => p.name, (p) => el("option", { value: p.name }, p.name), () => {});
        keyed(boxes, live.station.fixtures, (f) => f.name, (f) => el("label", null, el("input", { type: "checkbox", name: "fixture", value: f.name, checked: live.station.fixtures.length === 1 }), " ", f.name), () => {});
    }

    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        trouble.replaceChildren();
        const fixtures = [...form.querySelectorAll("input[name=fixture]:checked")].map((box) => box.value);
        const body = { product: product.value, quantity: Number(quantity.value), fixtures };
        if (lot.value.trim()) {
            body.lot = lot.value.trim();
        }
        if (fixtures.length === 0) {
            trouble.replaceChildren(problemBox({ title: t.refused, message: t.noFixture }));
            return;
        }
        submit.disabled = true;
        try {
            const order = await ask("PUT", paths.order(id.value.trim()), { body });
            takeOrder(order);
            tellSuccess(t.opened(order.id));
            form.reset();
            onOpened(order);
        } catch (problem) {
            trouble.replaceChildren(problemBox({ title: t.refused, message: [problem.title, problem.message].filter((x, i, all) => all.indexOf(x) === i).join(": ") }));
        }
        submit.disabled = false;
    });
    fill();
    return { root: panel(t.newTitle, form), fill };
}

export function openOrders(root) {
    const state = choice([["", t.all], ["open", t.open], ["closed", t.closed]], queryNow().state ?? "");
    const list = table(t.columns, ["", "", "", "", "", "num", "num", ""], ".orders");
    const none = el("div.empty", { hidden: true });
    const older = el("button.button", { type: "button", hidden: true }, t.older);
    const trouble = el("div.trouble");
    const form = makeForm((order) => { location.hash = links.order(order.id); });
    let orders = [];
    let next = null;

    root.append(el("div.page", null, el("h1", null, t.title),
        el("div.columns.is-side", null,
            el("div", null, el("form.filters", null, field(t.filter, state)), trouble, list.root, none, el("p.more", null, older)),
            form.root)));

    function fillRow(row, order) {
        [el("a", { href: links.order(order.id) }, order.id), el("span.state", { "data-state": order.state }, order.state === "open" ? t.open : t.closed),
            order.product, order.lot || texts.none, order.fixtures.join(", "), `${order.counts.passed} / ${order.quantity}`, String(order.counts.failed), when(order.opened)]
            .forEach((cell, i) => {
                const text = typeof cell === "string" ? cell : cell.textContent;
                if (row.children[i].textContent !== text) {
                    row.children[i].replaceChildren(cell);
                }
            });
    }

    function draw() {
        keyed(list.body, orders, (order) => order.id, () => list.row(Array(8).fill("")), fillRow);
        setHidden(list.root, orders.length === 0);
        setHidden(none, orders.length > 0);
        setHidden(older, !next);
        none.replaceChildren(...(state.value ? [el("p", null, t.noneOf)] : [el("h2", null, t.none), el("p", null, t.noneHow)]));
    }

    async function load(cursor) {
        try {
            const page = await get(paths.orders({ state: state.value, limit: LIMIT, cursor }));
            orders = cursor ? [...orders, ...page.work_orders] : page.work_orders;
            next = page.next;
            trouble.replaceChildren();
            draw();
        } catch (problem) {
            if (live.link.state !== "lost") {
                trouble.replaceChildren(problemBox(problem, () => load()));
            }
        }
    }

    state.addEventListener("change", () => {
        keepQuery({ state: state.value });
        load();
    });
    older.addEventListener("click", () => load(next));
    const stop = listen((kind, data) => {
        if (kind === "snapshot") {
            form.fill();
            load();
        } else if (kind === "order") {
            const at = orders.findIndex((order) => order.id === data.id);
            if (at >= 0 && (state.value === "" || state.value === data.state)) {
                orders[at] = data;
                draw();
            } else {
                load();
            }
        }
    });
    load();
    return { title: t.title, close: stop };
}
