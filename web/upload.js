// A file of bundles on its way to the station: in pieces of whole lines, one after the other, so that a file of any size
// takes the memory of one piece, what is told of how far it is is true, and a station that is gone for a while is waited
// for. A run belongs to no page: whoever leaves the import page finds it there again.
import { ask, paths, post } from "./api.js";
import { live, refreshOrders } from "./live.js";
import { sha256 } from "./sha256.js";
import { texts } from "./texts.js";

const PIECE = 1024 * 1024; // more than any row, as the command sends them too
const ANSWER_MS = 120_000;
const LOOK_MS = 1000; // whether a lost station is back
const KEPT = { refused: 10_000, warned: 1000, other: 1000 }; // rows that are listed
const END = 10; // of a line

// {file, state: "sending" | "waiting" | "done" | "failed" | "cancelled", sent (octets), rows, taken, duplicate, refused,
// list (rows as the station answers them), listed (how many of each kind), problem}
let run = null;
const listeners = new Set();

export const currentImport = () => run;
export const isImporting = () => run?.state === "sending" || run?.state === "waiting";

// Returns how to stop it.
export function onImport(fn) {
    listeners.add(fn);
    return () => listeners.delete(fn);
}

function tell() {
    for (const fn of [...listeners]) {
        fn(run);
    }
}

// A run that was cancelled meanwhile stays so.
function setState(mine, state, from) {
    if (mine.state === from) {
        mine.state = state;
        tell();
    }
}

// A row's detail names the row as well, counted from the piece's beginning.
export const movedRow = (row, before) => ({ ...row, row: row.row + before,
    ...(row.detail ? { detail: row.detail.replace(/\brow (\d+)/g, (_, n) => `row ${Number(n) + before}`) } : {}) });

function keep(mine, row) {
    const kind = row.result === "refused" ? "refused" : row.warnings?.length ? "warned" : "other";
    if (mine.listed[kind] < KEPT[kind]) {
        mine.listed[kind] += 1;
        mine.list.push(row);
    }
}

function takeAnswer(mine, answer) {
    for (const name of ["taken", "duplicate", "refused"]) {
        mine[name] += answer[name];
    }
    answer.rows.forEach((row) => keep(mine, movedRow(row, mine.rows)));
}

// A byte order mark, which some programs put before UTF-8.
const isMarked = (octets) => octets[0] === 0xef && octets[1] === 0xbb && octets[2] === 0xbf;

function countLines(octets) {
    let n = octets.length > 0 && octets.at(-1) !== END ? 1 : 0;
    for (const octet of octets) {
        n += octet === END ? 1 : 0;
    }
    return n;
}

// Until the station is heard again, or nobody waits for that any more.
function untilLive(mine) {
    return new Promise((resolve) => {
        const timer = setInterval(() => {
            if (live.link.state === "live" || mine.state === "cancelled") {
                clearInterval(timer);
                resolve();
            }
        }, LOOK_MS);
    });
}

// A piece that got no answer is sent again: what the station took of it counts as already there.
async function sendPiece(mine, lines) {
    while (mine.state !== "cancelled") {
        try {
            takeAnswer(mine, await ask("POST", paths.bundles, { rows: lines, timeout: ANSWER_MS }));
            mine.rows += countLines(lines);
            return;
        } catch (problem) {
            if (problem.status !== 0) {
                throw problem;
            }
            setState(mine, "waiting", "sending");
            await untilLive(mine);
            setState(mine, "sending", "waiting");
        }
    }
}

function refuseLongLine(mine) {
    mine.refused += 1;
    keep(mine, { row: mine.rows + 1, result: "refused", reason: "row_invalid", detail: texts.import.tooLong });
}

async function sendAll(mine, digest) {
    let skips = false; // in the middle of a line that is longer than any row
    while (mine.sent < mine.file.size && mine.state !== "cancelled") {
        const octets = new Uint8Array(await mine.file.slice(mine.sent, mine.sent + PIECE).arrayBuffer());
        const isLast = mine.sent + octets.length >= mine.file.size;
        const end = isLast && !skips ? octets.length : (skips ? octets.indexOf(END) : octets.lastIndexOf(END)) + 1;
        const lines = octets.subarray(0, end || octets.length);
        if (skips) {
            skips = end === 0;
            mine.rows += skips ? 0 : 1;
        } else if (end === 0) {
            refuseLongLine(mine);
            skips = true;
        } else {
            await sendPiece(mine, isMarked(lines) && mine.sent === 0 ? lines.subarray(3) : lines);
        }
        digest.add(lines);
        mine.sent += lines.length;
        tell();
    }
}

// What the file was, for the record. Its rows are in the station already: when this cannot be told, nothing is lost.
const record = ({ file, taken, duplicate, refused }, sha) =>
    post(paths.imports, { file: file.name.slice(0, 120), format: "ndjson", sha256: sha, taken, duplicate, refused }).catch(() => {});

export async function importFile(file) {
    const mine = { file, state: "sending", sent: 0, rows: 0, taken: 0, duplicate: 0, refused: 0, list: [], listed: { refused: 0, warned: 0, other: 0 }, problem: null };
    const digest = sha256();
    run = mine;
    tell();
    try {
        await sendAll(mine, digest);
    } catch (problem) {
        mine.problem = problem;
        setState(mine, "failed", "sending");
    }
    if (mine.state === "sending") {
        await record(mine, digest.hex());
        setState(mine, "done", "sending");
    }
    refreshOrders();
}

export function cancelImport() {
    if (isImporting()) {
        run.state = "cancelled";
        tell();
    }
}
