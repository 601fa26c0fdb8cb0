// Bundles by dropping a file. The file is looked at first: what cannot be one of bundles is not sent, and the page says
// what it is instead. The station checks every row by itself; a row that it refuses harms no other. The file goes on its
// way (upload.js) whether or not the page stays.
import { el, setText, symbol } from "./dom.js";
import { size } from "./format.js";
import { reasonRemedy, reasonTitle } from "./live.js";
import { tellError } from "./notices.js";
import { table } from "./parts.js";
import { texts } from "./texts.js";
import { cancelImport, currentImport, importFile, isImporting, onImport } from "./upload.js";

const HEAD = 64 * 1024;
const ROWS = 200; // shown at once
const t = texts.import;

// Why the file cannot be bundles, or null.
export async function lookInto(file) {
    if (file.size === 0) {
        return { text: t.bad.empty };
    }
    const octets = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
    if (octets[0] === 0x50 && octets[1] === 0x4b) {
        return { text: t.bad.zip };
    }
    if (octets.includes(0)) {
        return { text: t.bad.binary };
    }
    return lookAtText(new TextDecoder().decode(octets).replace(/^\uFEFF/, "").trimStart());
}

// The first line is shown where it can hold no key.
function lookAtText(head) {
    const line = head.split("\n", 1)[0].trim();
    if (head.startsWith("[")) {
        return { text: t.bad.array };
    }
    if (head.startsWith("{")) {
        // A first line that ends behind what we read is for the station to judge.
        return line === "{" || (head.includes("\n") && !line.endsWith("}")) ? { text: t.bad.object } : null;
    }
    if (head.startsWith("-----BEGIN")) {
        return { text: t.bad.pem, line };
    }
    return { text: /^[^{}"]+[,;\t][^{}]*$/.test(line) ? t.bad.csv : t.bad.text, line };
}

function badFile(name, { text, line }) {
    return el("div.import-bad", { role: "alert" }, symbol("fail"),
        el("div", null, el("h2", null, t.bad.title), el("p", null, el("b", null, name), " "), el("p", null, text),
            line ? el("p", null, t.bad.firstLine, el("code", null, line.slice(0, 60))) : null,
            el("p.quiet", null, t.bad.nothing)));
}

const endTitle = (run) => ({ failed: t.stopped, cancelled: t.cancelled })[run.state]
    ?? (run.refused > 0 ? t.someRefused(run.refused) : run.taken > 0 ? t.allTaken : t.noneTaken);

function summary(run) {
    const figure = (n, label, tone) => el("div.big", n > 0 && tone ? { "data-tone": tone } : null, el("span.big-label", null, label), el("p", null, el("b", null, n)));
    const isWhole = run.state === "done";
    const { problem } = run;
    return [el("header.import-head", { role: "status" }, symbol(run.refused > 0 || !isWhole ? "error" : "pass"), el("h2", null, endTitle(run)), el("span.quiet", null, run.file.name)),
        problem ? el("p", { role: "alert" }, [problem.title, problem.message].filter((x, i, all) => x && all.indexOf(x) === i).join(": ")) : null,
        el("section.bigs", { "aria-label": t.title }, figure(run.refused, t.refused, "fail"), figure(run.taken, t.taken), figure(run.duplicate, t.duplicate)),
        isWhole ? null : el("p", null, t.goOn(run.rows)),
        run.refused > 0 ? el("p", null, t.mend) : null].filter(Boolean);
}

const rank = (row) => (row.result === "refused" ? 0 : row.warnings?.length ? 1 : row.result === "duplicate" ? 2 : 3);

function whyOf(row) {
    const warnings = (row.warnings ?? []).map(({ name, member, detail }) => el("span.why-detail", null, el("b", null, name.replaceAll("_", " ")), member ? ` (${member}): ` : ": ", detail));
    return row.reason ? [el("b", null, reasonTitle(row.reason)), row.detail ? el("span.why-detail", null, row.detail) : ""] : [row.detail ?? "", ...warnings];
}

function rowTable(run) {
    const sorted = [...run.list].sort((a, b) => rank(a) - rank(b) || a.row - b.row);
    const list = table(t.columns, ["num", "code", "", "", ""], ".import-rows");
    const signs = { refused: ["fail", "fail"], duplicate: ["aborted", "quiet"], taken: ["pass", "pass"] };
    const more = el("button.button", { type: "button" });
    const omitted = run.taken + run.duplicate + run.refused - run.list.length;
    let shown = 0;
    const makeRow = (row) => list.row([row.row, row.id,
        el("span.badge", { "data-tone": signs[row.result]?.[1] }, symbol(signs[row.result]?.[0] ?? "error"), el("b", null, t.results[row.result] ?? row.result)),
        whyOf(row), row.reason ? reasonRemedy(row.reason) : ""]);
    const show = () => {
        list.body.append(...sorted.slice(shown, shown + ROWS).map(makeRow));
        shown = Math.min(shown + ROWS, sorted.length);
        more.hidden = shown >= sorted.length;
        setText(more, t.more(Math.min(ROWS, sorted.length - shown)));
    };
    more.addEventListener("click", show);
    show();
    return [list.root, el("p.more", null, more, omitted > 0 ? el("span.quiet", null, t.omitted(omitted)) : null)];
}

// What is seen of a run while it goes on. The words are read aloud, the figures are not: they change all the time.
function makeProgress(file) {
    const title = el("b", null, t.sending(file.name));
    const bar = el("progress", { max: file.size, value: 0, "aria-label": title.textContent });
    const text = el("span.quiet");
    const counts = el("span.quiet");
    const cancel = el("button.button", { type: "button", onclick: cancelImport }, t.cancel);
    const root = el("div.import-progress", null, title, bar, text, cancel, counts, el("p", { role: "status" }));
    return {
        root,
        file,
        update(run) {
            bar.value = run.sent;
            setText(text, t.sent(size(run.sent), size(file.size)));
            setText(counts, t.soFar(run));
            setText(root.lastChild, run.state === "waiting" ? t.waiting : "");
        },
    };
}

export function openImport(root) {
    const input = el("input.is-hidden", { type: "file", accept: ".ndjson,.jsonl,.json,application/x-ndjson", id: "file", tabindex: "-1", "aria-label": t.choose });
    const choose = el("button.button.is-main", { type: "button", onclick: () => input.click() }, t.choose);
    const zone = el("div.drop", null, symbol("recording"), el("p.drop-title", null, t.drop), el("p.quiet", null, t.dropHow), choose, input);
    const out = el("div.import-out");
    let progress = null;
    root.append(el("div.page", null, el("h1", null, t.title), zone, out,
        el("details.example", null, el("summary", null, t.example),
            el("pre", { tabindex: "0" }, '{"id":"pool-000017","product":"tracker","lot":"2026-W47","client_cert":"-----BEGIN CERTIFICATE-----\\n…","private_key":"-----BEGIN PRIVATE KEY-----\\n…"}'))));

    function draw(run) {
        choose.disabled = isImporting();
        if (!run) {
            return;
        }
        zone.dataset.small = true;
        if (!isImporting()) {
            progress = null;
            out.replaceChildren(...summary(run), ...(run.list.length > 0 ? rowTable(run) : []));
            return;
        }
        if (progress?.file !== run.file) {
            progress = makeProgress(run.file);
            out.replaceChildren(progress.root);
        }
        progress.update(run);
    }

    async function take(file) {
        if (isImporting()) {
            tellError(t.busy);
            return;
        }
        zone.dataset.small = true;
        out.replaceChildren(el("p.quiet", { role: "status" }, t.reading(file.name)));
        const bad = await lookInto(file).catch(() => ({ text: t.bad.folder }));
        if (bad) {
            out.replaceChildren(badFile(file.name, bad));
        } else {
            importFile(file);
        }
        input.value = "";
    }

    input.addEventListener("change", () => input.files[0] && take(input.files[0]));
    zone.addEventListener("dragover", (event) => {
        event.preventDefault();
        zone.dataset.over = true;
    });
    zone.addEventListener("dragleave", () => delete zone.dataset.over);
    zone.addEventListener("drop", (event) => {
        event.preventDefault();
        delete zone.dataset.over;
        const { files } = event.dataTransfer;
        if (files.length === 1) {
            take(files[0]);
        } else if (files.length > 1) {
            out.replaceChildren(badFile("", { text: t.bad.many }));
        }
    });
    draw(currentImport());
    return { title: t.title, close: onImport(draw) };
}
