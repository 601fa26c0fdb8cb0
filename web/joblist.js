// A list of jobs with filters, newest first. New jobs come in by themselves while nobody has gone further back.
import { get, links, paths } from "./api.js";
import { el, keyed, setHidden, setText } from "./dom.js";
import { took, when } from "./format.js";
import { listen, live, reasonTitle } from "./live.js";
import { choice, field, outcomeBadge, problemBox, table } from "./parts.js";
import { texts } from "./texts.js";

const LIMIT = 50;
const REFRESH_MS = 800;
const t = texts.jobs;

function fillRow(row, job) {
    const text = JSON.stringify([job.outcome, job.ended, reasonTitle(job.reason)]);
    if (row.shown === text) {
        return;
    }
    row.shown = text;
    const cells = [
        el("a", { href: links.job(job.id) }, when(job.started)),
        outcomeBadge(job.outcome),
        job.reason && job.reason !== "ok" ? reasonTitle(job.reason) : "",
        job.slot,
        job.imei ? el("a", { href: links.board(job.imei) }, job.imei) : texts.none,
        job.work_order ? el("a", { href: links.order(job.work_order) }, job.work_order) : texts.none,
        took(job.duration_ms),
    ];
    cells.forEach((cell, i) => row.children[i].replaceChildren(cell));
}

// `fixed`: filters that cannot be changed, as the API names them. `hidden`: columns that say the same in every row.
export function makeJobList({ fixed = {}, hidden = [] } = {}) {
    const outcome = choice([["", t.filter.any], ...Object.entries(texts.outcome)], "");
    const reason = choice([["", t.filter.any]], "");
    const slot = el("input", { type: "text", autocomplete: "off", spellcheck: "false", size: 10 });
    const imei = el("input", { type: "text", inputmode: "numeric", autocomplete: "off", size: 16 });
    const clear = el("button.button", { type: "button" }, t.clear);
    const filters = el("form.filters", { role: "search", "aria-label": t.title },
        field(t.filter.outcome, outcome), field(t.filter.reason, reason), field(t.filter.slot, slot),
        fixed.imei ? null : field(t.filter.imei, imei), clear);
    const list = table(t.columns, ["", "", "", "", "code", "", "num"], `.jobs${hidden.map((name) => `.no-${name}`).join("")}`);
    const none = el("p.empty", { hidden: true }, el("b", null, t.none), " ", t.noneHow);
    const older = el("button.button", { type: "button", hidden: true }, t.older);
    const shown = el("p.quiet", { role: "status" });
    const trouble = el("div.trouble");
    const root = el("div.joblist", null, filters, trouble, list.root, none, el("p.more", null, older, shown));
    let jobs = [];
    let next = null;
    let isDeep = false;
    let asked = 0;
    let timer = 0;

    const params = () => ({ outcome: outcome.value, reason: reason.value, slot: slot.value.trim(), imei: imei.value.trim(), limit: LIMIT, ...fixed });

    function draw() {
        keyed(list.body, jobs, (job) => job.id, () => list.row(Array(7).fill("")), fillRow);
        setHidden(list.root, jobs.length === 0);
        setHidden(none, jobs.length > 0);
        setHidden(older, !next);
        setText(shown, jobs.length > 0 ? t.shown(jobs.length) : "");
    }

    async function load(cursor) {
        const mine = ++asked;
        try {
            const page = await get(paths.jobs({ ...params(), cursor }));
            if (mine === asked) {
                jobs = cursor ? [...jobs, ...page.jobs] : page.jobs;
                next = page.next;
                isDeep = Boolean(cursor);
                trouble.replaceChildren();
                draw();
            }
        } catch (problem) {
            if (mine === asked && live.link.state !== "lost") {
                trouble.replaceChildren(problemBox(problem));
            }
        }
    }

    function fillReasons() {
        const names = [...live.reasons.keys()].filter((name) => name !== "none");
        if (reason.options.length <= 1 && names.length > 0) {
            reason.append(...names.map((name) => el("option", { value: name }, reasonTitle(name))));
        }
        setHidden(reason.parentNode, reason.options.length <= 1);
    }

    function soon() {
        if (timer === 0 && !isDeep) {
            timer = setTimeout(() => {
                timer = 0;
                load();
            }, REFRESH_MS);
        }
    }

    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("input", soon);
    filters.addEventListener("change", () => load());
    clear.addEventListener("click", () => {
        filters.reset();
        load();
    });
    older.addEventListener("click", () => load(next));
    const stop = listen((kind) => {
        fillReasons();
        if (kind === "job" || kind === "snapshot") {
            soon();
        }
    });
    fillReasons();
    load();
    return {
        root,
        close() {
            stop();
            clearTimeout(timer);
        },
    };
}
