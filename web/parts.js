// Pieces that several pages have: a verdict in a line, a page that loads, a list that goes on.
import { el, symbol } from "./dom.js";
import { outcomes } from "./faces.js";
import { dayOf, isToday, when } from "./format.js";
import { reasonsAsked } from "./live.js";
import { texts } from "./texts.js";

export function outcomeBadge(outcome, isLarge = false) {
    const look = outcomes[outcome] ?? { tone: "busy", symbol: "busy" };
    return el(isLarge ? "span.badge.is-large" : "span.badge", { "data-tone": look.tone }, symbol(look.symbol),
        el("b", null, outcome ? texts.outcome[outcome] ?? outcome : texts.outcome.NONE));
}

// A time whose date stands on paper even when it is today's.
export function stamp(rfc3339) {
    const date = new Date(rfc3339);
    return rfc3339 ? el("time", { datetime: rfc3339, "data-day": isToday(date) ? dayOf(date) : null }, when(rfc3339)) : texts.none;
}

// Shows "loading", or what was there, until `load` has given nodes, or what went wrong with a way to try again.
export function loading(root, load) {
    if (root.childNodes.length === 0) {
        root.append(el("p.empty", { role: "status" }, texts.loading));
    }
    const run = async () => {
        try {
            const [nodes] = await Promise.all([load(), reasonsAsked]);
            if (root.isConnected) {
                root.replaceChildren(...[nodes].flat());
            }
        } catch (problem) {
            root.replaceChildren(problemBox(problem, run));
        }
    };
    return run();
}

export function problemBox(problem, again) {
    return el("div.empty", { role: "alert" }, el("h2", null, problem.title ?? texts.problem.page), el("p", null, problem.message),
        again ? el("button.button", { type: "button", onclick: again }, texts.problem.again) : null);
}

// A table whose cells' kinds are classes: "num", "code".
export function table(columns, kinds, className = "") {
    const body = el("tbody");
    const root = el("div.table-box", { tabindex: "0", role: "region", "aria-label": columns.join(", ") },
        el(`table${className}`, null, el("thead", null, el("tr", null, columns.map((name, i) => el(kinds[i] ? `th.${kinds[i]}` : "th", { scope: "col" }, name)))), body));
    const row = (cells) => el("tr", null, cells.map((cell, i) => el(kinds[i] ? `td.${kinds[i]}` : "td", null, cell ?? texts.none)));
    return { root, body, row };
}

export function panel(title, ...content) {
    return el("section.panel", null, el("h2", null, title), content);
}

export function field(label, input, how) {
    input.id ||= `f-${label.toLowerCase().replace(/\W+/g, "-")}`;
    return el("p.field", null, el("label", { for: input.id }, label), input, how ? el("small", null, how) : null);
}

export function choice(options, value) {
    const select = el("select", null, options.map(([key, text]) => el("option", { value: key }, text)));
    select.value = value;
    return select;
}
