// A list of jobs with filters, newest first. New jobs come in by themselves.
import { get, links, paths } from "./api.js";
import { el, keyed, setHidden, setText } from "./dom.js";
import { took } from "./format.js";
import { listen, live, reasonTitle } from "./live.js";
import { choice, field, outcomeBadge, problemBox, stamp, table } from "./parts.js";
import { keep, keepQuery, kept, queryNow } from "./place.js";
import { texts } from "./texts.js";

const LIMIT = 50;
const MOST = 1000; // what the station gives at once
const REFRESH_MS = 800;
const t = texts.jobs;

function fillRow(row, job) {
    const text = JSON.stringify([job.outcome, job.ended, reasonTitle(job.reason)]);
    if (row.shown === text) {
        return;
    }
    row.shown = text;
    const cells = [
        el("a", { href: links.job(job.id) }, stamp(job.started)),
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
    const slot = el("input", { type: "text", autocomplete: "off", spellcheck: "false", size: 8 });
    const imei = el("input", { type: "text", inputmode: "numeric", autocomplete: "off", size: 16 });
    const from = el("input", { type: "datetime-local" });
    const to = el("input", { type: "datetime-local" });
    const clear = el("button.button", { type: "button" }, t.clear);
    const filters = el("form.filters", { role: "search", "aria-label": t.title },
        field(t.filter.outcome, outcome), field(t.filter.reason, reason), field(t.filter.slot, slot),
        fixed.imei ? null : field(t.filter.imei, imei), field(t.filter.from, from), field(t.filter.to, to), clear);
    const inputs = { outcome, reason, slot, imei, from, to };
    const list = table(t.columns, ["", "", "", "", "code", "", "num"], `.jobs${hidden.map((name) => `.no-${name}`).join("")}`);
    const none = el("p.empty", { hidden: true }, el("b", null, t.none), " ", t.noneHow);
    const older = el("button.button", { type: "button", hidden: true }, t.older);
    const shown = el("p.quiet", { role: "status" });
    const trouble = el("div.trouble");
    const root = el("div.joblist", null, filters, trouble, list.root, none, el("p.more", null, older, shown));
    let jobs = [];
    let next = null;
    let wanted = Math.min(MOST, kept("jobs") ?? LIMIT); // how many are shown
    let asked = 0;
    let timer = 0;
    let typing = 0;

    const values = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]));
    // Times are typed in the browser's own zone.
    const time = (value) => (value ? new Date(value).toISOString() : "");
    const params = () => ({ ...values(), from: time(from.value), to: time(to.value), ...fixed });

    // The address' filters. A reason is an option only once the station has told them.
    function readQuery() {
        const query = queryNow();
        for (const [name, input] of Object.entries(inputs)) {
            if (query[name]) {
                input.value = query[name];
            }
        }
    }

    // Another filter: from the beginning.
    function filter() {
        keepQuery(values());
        wanted = LIMIT;
        keep("jobs", null);
        load();
    }

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
            const page = await get(paths.jobs({ ...params(), limit: cursor ? LIMIT : wanted, cursor }));
            if (mine === asked) {
                jobs = cursor ? [...jobs, ...page.jobs] : page.jobs;
                next = page.next;
                wanted = Math.max(LIMIT, Math.min(MOST, jobs.length));
                keep("jobs", jobs.length > LIMIT ? wanted : null);
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
            if (queryNow().reason) {
                readQuery();
                load();
            }
        }
        setHidden(reason.parentNode, reason.options.length <= 1);
    }

    function soon() {
        if (timer === 0 && jobs.length <= MOST) {
            timer = setTimeout(() => {
                timer = 0;
                load();
            }, REFRESH_MS);
        }
    }

    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("input", () => {
        clearTimeout(typing);
        typing = setTimeout(filter, REFRESH_MS);
    });
    filters.addEventListener("change", () => {
        clearTimeout(typing);
        filter();
    });
    clear.addEventListener("click", () => {
        filters.reset();
        filter();
    });
    older.addEventListener("click", () => load(next));
    const stop = listen((kind) => {
        fillReasons();
        if (kind === "job" || kind === "snapshot") {
            soon();
        }
    });
    readQuery();
    load();
    fillReasons();
    return {
        root,
        // Shows those with these values only, and leads there.
        show(some) {
            filters.reset();
            for (const [name, value] of Object.entries(some)) {
                inputs[name].value = value;
            }
            filter();
            root.scrollIntoView({ block: "start" });
            outcome.focus({ preventScroll: true });
        },
        close() {
            stop();
            clearTimeout(timer);
            clearTimeout(typing);
        },
    };
}
