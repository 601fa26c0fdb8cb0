// Bundles by dropping a file. The file is looked at first: what cannot be one of bundles is not sent, and the page says
// what it is instead. The station checks every row by itself; a row that it refuses harms no other.
import { paths, post } from "./api.js";
import { el, setText, symbol } from "./dom.js";
import { size } from "./format.js";
import { reasonRemedy, reasonTitle, refreshOrders } from "./live.js";
import { table } from "./parts.js";
import { texts } from "./texts.js";

const DIGESTED = 64 * 1024 * 1024; // above that a browser would have to hold too much at once
const LARGEST = 512 * 1024 * 1024; // what the station takes
const HEAD = 64 * 1024;
const ROWS = 200; // shown at once
const t = texts.import;

// Why the file cannot be bundles, or null.
export async function lookInto(file) {
    if (file.size === 0) {
        return { text: t.bad.empty };
    }
    if (file.size > LARGEST) {
        return { text: t.bad.tooLarge(size(file.size)) };
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

// What the file was, for the record. Its rows are in the station already: when this cannot be told, nothing is lost.
async function record(file, { taken, duplicate, refused }) {
    if (file.size > DIGESTED || !crypto.subtle) {
        return;
    }
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    const sha256 = [...digest].map((octet) => octet.toString(16).padStart(2, "0")).join("");
    await post(paths.imports, { file: file.name.slice(0, 120), format: "ndjson", sha256, taken, duplicate, refused });
}

// fetch tells nothing of how far an upload is.
function send(file, { onProgress, onSent }) {
    const request = new XMLHttpRequest();
    const answer = new Promise((resolve, reject) => {
        request.open("POST", paths.bundles);
        request.setRequestHeader("Content-Type", "application/x-ndjson");
        request.responseType = "json";
        request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
        request.upload.onload = onSent;
        request.onload = () => (request.status === 200 ? resolve(request.response) : reject(request.response ?? {}));
        request.onerror = () => reject({ title: texts.problem.network });
        request.onabort = () => reject({ title: t.cancelled });
        request.send(file);
    });
    return { answer, cancel: () => request.abort() };
}

function badFile(name, { text, line }) {
    return el("div.import-bad", { role: "alert" }, symbol("fail"),
        el("div", null, el("h2", null, t.bad.title), el("p", null, el("b", null, name), " "), el("p", null, text),
            line ? el("p", null, t.bad.firstLine, el("code", null, line.slice(0, 60))) : null,
            el("p.quiet", null, t.bad.nothing)));
}

function summary(result) {
    const figure = (n, label, tone) => el("div.big", n > 0 && tone ? { "data-tone": tone } : null, el("span.big-label", null, label), el("p", null, el("b", null, n)));
    const title = result.refused > 0 ? t.someRefused(result.refused) : result.taken > 0 ? t.allTaken : t.noneTaken;
    return [el("header.import-head", { role: "status" }, symbol(result.refused > 0 ? "error" : "pass"), el("h2", null, title)),
        el("section.bigs", { "aria-label": t.title }, figure(result.refused, t.refused, "fail"), figure(result.taken, t.taken), figure(result.duplicate, t.duplicate)),
        result.refused > 0 ? el("p", null, t.mend) : null];
}

function rowTable(rows) {
    const order = { refused: 0, duplicate: 1, taken: 2 };
    const sorted = [...rows].sort((a, b) => order[a.result] - order[b.result] || a.row - b.row);
    const list = table(t.columns, ["num", "code", "", "", ""], ".import-rows");
    const signs = { refused: ["fail", "fail"], duplicate: ["aborted", "quiet"], taken: ["pass", "pass"] };
    const more = el("button.button", { type: "button" });
    let shown = 0;
    const makeRow = (row) => list.row([row.row, row.id,
        el("span.badge", { "data-tone": signs[row.result]?.[1] }, symbol(signs[row.result]?.[0] ?? "error"), el("b", null, t.results[row.result] ?? row.result)),
        row.reason ? [el("b", null, reasonTitle(row.reason)), row.detail ? el("span.why-detail", null, row.detail) : ""] : row.detail ?? "",
        row.reason ? reasonRemedy(row.reason) : ""]);
    const show = () => {
        list.body.append(...sorted.slice(shown, shown + ROWS).map(makeRow));
        shown = Math.min(shown + ROWS, sorted.length);
        more.hidden = shown >= sorted.length;
        setText(more, t.more(Math.min(ROWS, sorted.length - shown)));
    };
    more.addEventListener("click", show);
    show();
    return [list.root, el("p.more", null, more)];
}

export function openImport(root) {
    const input = el("input.is-hidden", { type: "file", accept: ".ndjson,.jsonl,.json,application/x-ndjson", id: "file", tabindex: "-1", "aria-label": t.choose });
    const choose = el("button.button.is-main", { type: "button", onclick: () => input.click() }, t.choose);
    const zone = el("div.drop", null, symbol("recording"), el("p.drop-title", null, t.drop), el("p.quiet", null, t.dropHow), choose, input);
    const out = el("div.import-out");
    root.append(el("div.page", null, el("h1", null, t.title), zone, out,
        el("details.example", null, el("summary", null, t.example),
            el("pre", { tabindex: "0" }, '{"id":"pool-000017","product":"tracker","lot":"2026-W47","client_cert":"-----BEGIN CERTIFICATE-----\\n…","private_key":"-----BEGIN PRIVATE KEY-----\\n…"}'))));

    function progress(file) {
        const title = el("b", null, t.sending(file.name));
        const bar = el("progress", { max: 1, value: 0, "aria-label": title.textContent });
        const text = el("span.quiet");
        const cancel = el("button.button", { type: "button" }, t.cancel);
        out.replaceChildren(el("div.import-progress", { role: "status" }, title, bar, text, cancel));
        return {
            cancel,
            at(done, all) {
                bar.value = all > 0 ? done / all : 0;
                setText(text, t.sent(size(done), size(all)));
            },
            checking() {
                bar.removeAttribute("value");
                setText(text, t.checking);
            },
        };
    }

    async function take(file) {
        choose.disabled = true;
        zone.dataset.small = true;
        out.replaceChildren(el("p.quiet", { role: "status" }, t.reading(file.name)));
        const bad = await lookInto(file).catch(() => ({ text: t.bad.folder }));
        if (bad) {
            out.replaceChildren(badFile(file.name, bad));
            choose.disabled = false;
            return;
        }
        const view = progress(file);
        const { answer, cancel } = send(file, { onProgress: view.at, onSent: view.checking });
        view.cancel.addEventListener("click", cancel);
        try {
            const result = await answer;
            record(file, result).catch(() => {});
            refreshOrders();
            out.replaceChildren(...summary(result).filter(Boolean), ...(result.rows.length > 0 ? rowTable(result.rows) : []));
        } catch (problem) {
            out.replaceChildren(el("div.import-bad", { role: "alert" }, symbol("error"),
                el("div", null, el("h2", null, t.failed), el("p", null, problem.title ?? ""), problem.detail ? el("p", null, problem.detail) : null)));
        }
        choose.disabled = false;
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
    return { title: t.title };
}
