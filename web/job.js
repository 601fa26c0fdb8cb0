// One job: its verdict, what was proven, how the time went, and what was said.
import { get, links, paths } from "./api.js";
import { el, facts, svg } from "./dom.js";
import { detailOf, faceOf, isWorking, stepName } from "./faces.js";
import { grouped, shortDigest, took } from "./format.js";
import { listen, live, reasonsAsked, reasonTitle } from "./live.js";
import { loading, outcomeBadge, panel, stamp, table } from "./parts.js";
import { texts } from "./texts.js";

const t = texts.job;
const link = (to, text) => (text ? el("a", { href: to(text) }, text) : null);

function head(job) {
    const title = job.reason ? reasonTitle(job.reason) : "";
    const isGood = job.outcome === "PASS";
    return el("header.job-head", null,
        el("h1", null, t.name(job.id)),
        el("div.job-verdict", null, outcomeBadge(job.outcome, true),
            el("div", null,
                title && job.reason !== "ok" ? el("p.job-title", null, title, job.fault && job.fault !== "none" ? el("small", null, texts.faultOf(texts.fault[job.fault] ?? job.fault)) : null) : null,
                job.detail ? el("p", null, detailOf(job)) : null,
                !isGood && job.remedy ? el("p.job-remedy", null, job.remedy) : null)));
}

function factList(job) {
    const slot = { fixture: job.slot?.split("/")[0], name: job.slot?.split("/").slice(1).join("/") };
    return facts([
        [t.facts.slot, job.slot ? el("a", { href: links.slot(slot) }, job.slot) : null],
        [t.facts.imei, link(links.board, job.imei), true],
        [t.facts.work_order, link(links.order, job.work_order)],
        [t.facts.product, job.product],
        [t.facts.bundle, job.bundle ? `${job.bundle} (${texts.order.stockState[job.bundle_state] ?? job.bundle_state ?? ""})` : null],
        [t.facts.proof, job.proof],
        [t.facts.started, stamp(job.started)],
        [t.facts.ended, job.ended ? stamp(job.ended) : null],
        [t.facts.unit_serial, job.unit_serial],
        [t.facts.operator, job.operator],
        [t.facts.uuid, job.uuid, true],
        [t.facts.version, job.product_version ? shortDigest(job.product_version) : null, true],
        [t.facts.program, job.station?.version],
        [t.facts.config, job.station?.config_digest ? shortDigest(job.station.config_digest) : null, true],
    ], ".is-wide");
}

// Where the whole time went: on the wire, in the modem, elsewhere.
function split(job) {
    const all = job.duration_ms ?? 0;
    const wire = job.wire_ms ?? 0;
    const modem = job.modem_ms ?? 0;
    const rows = [["wire", wire], ["modem", modem], ["other", Math.max(0, all - wire - modem)]];
    return el("ul.split", null, el("li", null, el("b", null, took(all)), el("span", null, t.took.toLowerCase())),
        rows.map(([name, ms]) => el("li", { "data-part": name }, el("b", null, took(ms)), el("span", null, t[name]))));
}

function entries(job) {
    if (!job.entries?.length) {
        return panel(t.entries, el("p.quiet", null, t.entriesNone));
    }
    const list = table(t.entryColumns, ["", "", "code", "", "num"]);
    list.body.append(...job.entries.map((entry) => list.row([entry.sec_tag, t.type[entry.type] ?? entry.type,
        el("span.digest", null, grouped(entry.sha256)), entry.proof, entry.written])));
    return panel(t.entries, list.root);
}

// --- the waterfall

const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 60000];

const isBad = (step) => Boolean(step.result) && step.result !== "ok";

function tickOf(total) {
    return TICKS.find((tick) => total / tick <= 6) ?? total;
}

function bar(step, total) {
    const x = (100 * step.started_ms) / total;
    const width = Math.max((100 * step.duration_ms) / total, 0.25);
    return svg("svg", { class: "bar", role: "presentation", width: "100%", height: "16", preserveAspectRatio: "none" },
        svg("rect", { class: isBad(step) ? "bar-bad" : "bar-good", x: `${Math.min(x, 99.75)}%`, y: 2, width: `${width}%`, height: 12 }));
}

function axis(total) {
    const tick = tickOf(total);
    const marks = [];
    for (let at = 0; at <= total; at += tick) {
        marks.push(svg("text", { x: `${(100 * at) / total}%`, y: 12, "text-anchor": at === 0 ? "start" : at > 0.97 * total ? "end" : "middle" }, at < 1000 ? texts.unit.ms(at) : texts.unit.s(at / 1000)));
    }
    return svg("svg", { class: "axis", width: "100%", height: "16", "aria-hidden": "true" }, marks);
}

function grid(total) {
    const tick = tickOf(total);
    const lines = [];
    for (let at = tick; at < total; at += tick) {
        lines.push(svg("line", { x1: `${(100 * at) / total}%`, x2: `${(100 * at) / total}%`, y1: 0, y2: "100%" }));
    }
    return svg("svg", { class: "bar-grid", width: "100%", height: "100%", "aria-hidden": "true" }, lines);
}

function steps(job) {
    if (!job.steps?.length) {
        return panel(t.steps, el("p.quiet", null, t.stepsNone));
    }
    const total = Math.max(job.duration_ms ?? 0, ...job.steps.map((s) => s.started_ms + s.duration_ms), 1);
    const rows = job.steps.map((step) => el("tr", isBad(step) ? { "data-bad": true } : null,
        el("th", { scope: "row", title: step.name }, stepName(step.name)),
        el("td.bar-cell", null, grid(total), bar(step, total)),
        el("td.num", null, step.duration_ms === 0 ? "0" : step.duration_ms),
        el("td", null, [isBad(step) ? step.result : "", isBad(step) && step.code > 0 ? step.code : "", step.tries > 1 ? t.tries(step.tries) : ""].filter(Boolean).join(" "))));
    return panel(t.steps, split(job), el("div.table-box", { tabindex: "0", role: "region", "aria-label": t.steps },
        el("table.waterfall", null,
            el("thead", null, el("tr", null, t.stepColumns.map((name, i) => el(i === 2 ? "th.num" : "th", { scope: "col" }, i === 1 ? [el("span.is-hidden", null, name), axis(total)] : name)))),
            el("tbody", null, rows))));
}

function dialogue(job) {
    if (!job.dialogue?.length) {
        return panel(t.dialogue, el("p.quiet", null, t.dialogueNone));
    }
    const lines = job.dialogue.map((line) => el("li", { "data-way": line.direction ?? "" },
        el("span.line-ms", null, line.ms ?? ""),
        el("span.line-way", null, line.direction ?? "", el("span.is-hidden", null, ` ${t.direction[line.direction] ?? ""}`)),
        el("span.line-text", null, line.text)));
    return panel(t.dialogue, el("p.quiet", null, t.dialogueHow),
        el("div.dialogue", { tabindex: "0", role: "region", "aria-label": t.dialogue }, el("ol", null, lines)));
}

function underWay(id, slot) {
    const face = faceOf(slot);
    return el("div.card", null, el("header.job-head", null, el("h1", null, t.name(id)),
        el("div.job-verdict", null, outcomeBadge(null, true), el("div", null, el("p.job-title", null, [face.word, face.note].filter(Boolean).join(": ")), el("p", null, t.underWay)))),
    facts([[t.facts.slot, el("a", { href: links.slot(slot) }, slot.id)], [t.facts.imei, link(links.board, slot.board?.imei), true],
        [t.facts.work_order, link(links.order, slot.work_order)]], ".is-wide"));
}

export function openJob(root, [id]) {
    const page = el("div.page");
    root.append(page);
    // A job is on record when it ends, and begins to be there with its claim: until then the slot says more.
    const worker = () => [...live.slots.values()].find((slot) => slot.job === id && isWorking(slot));
    const show = async () => {
        await reasonsAsked; // behind which the slots are known
        const slot = worker();
        if (slot) {
            return underWay(id, slot);
        }
        const job = await get(paths.job(id));
        return [el("div.card", null, head(job), factList(job)), entries(job), el("div.columns.is-job", null, steps(job), dialogue(job))];
    };
    loading(page, show);
    let was = "";
    const stop = listen((kind, data) => {
        const is = kind === "slot" && data.job === id ? `${data.state} ${data.step}` : was;
        if (is !== was || (kind === "job" && data.id === id)) {
            was = is;
            loading(page, show);
        }
    });
    return { title: t.name(id), close: stop };
}
