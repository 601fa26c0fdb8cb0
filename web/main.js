// The frame around every page: header, address, keys, scanner, and the state of the connection.
import { get, links, paths } from "./api.js";
import { openBoard } from "./board.js";
import { disarm } from "./commands.js";
import { followEnds, makeSound } from "./cue.js";
import { el, setAttribute, setHidden, setSymbol, setText, symbol } from "./dom.js";
import { faceOf } from "./faces.js";
import { clockTime } from "./format.js";
import { openImport } from "./import.js";
import { openJob } from "./job.js";
import { openJobs } from "./jobs.js";
import { followKeys } from "./keys.js";
import { begin, listen, live, reasonRemedy, reasonTitle, retryNow, stationNow } from "./live.js";
import { hideNotice, mountNotices, tellError, tellSuccess } from "./notices.js";
import { openOrder } from "./order.js";
import { openOrders } from "./orders.js";
import { followScrolling } from "./place.js";
import { openRack } from "./rack.js";
import { closeSlot, openSlot } from "./slot.js";
import { texts } from "./texts.js";
import { isImporting, onImport } from "./upload.js";

// Addresses: "#/job/01J…" is pages.job with ["01J…"].
const pages = {
    "": { open: (root) => openRack(root), nav: "rack" },
    slot: { open: (root, [fixture, name]) => openRack(root, { slotId: `${fixture}/${name}` }), nav: "rack" },
    orders: { open: openOrders, nav: "orders" },
    order: { open: openOrder, nav: "orders" },
    jobs: { open: openJobs, nav: "jobs" },
    job: { open: openJob, nav: "jobs" },
    board: { open: openBoard, nav: "jobs" },
    import: { open: openImport, nav: "import" },
};

let page = null;
let program = ""; // the version of the one that this page came from

// --- header

const station = el("span.station");
const nav = Object.fromEntries(["rack", "orders", "jobs", "import"].map((name) => [name, el("a", { href: links[name] }, texts.nav[name])]));
const field = el("input", { type: "search", id: "find", "aria-label": texts.find.label, placeholder: texts.find.label, autocomplete: "off", spellcheck: "false", enterkeyhint: "go" });
const linkSign = symbol("link");
const linkWord = el("span.link-word");
const linkState = el("p.link", { role: "status" }, linkSign, linkWord);
const clock = el("time.clock");
const sound = makeSound();
const header = el("header.top", null,
    el("a.brand", { href: links.rack }, el("img", { src: "/icon.svg", alt: "", width: 28, height: 28 }), el("span.brand-name", null, texts.product), station),
    el("nav", { "aria-label": texts.product }, Object.values(nav)),
    el("form.find", { role: "search", onsubmit: onFind }, field, el("kbd", { "aria-hidden": "true" }, "/")),
    sound.button, linkState, clock);

const bannerTitle = el("b");
const bannerText = el("span");
const bannerCount = el("span"); // outside of what is read aloud: it changes every second
const bannerRetry = el("button.button", { type: "button", onclick: retryNow }, texts.problem.again);
const bannerSign = symbol("unlink");
const banner = el("div.banner", { hidden: true }, bannerSign, el("p", { role: "alert" }, bannerTitle, " ", bannerText), bannerCount, bannerRetry);
const main = el("main", { id: "page", tabindex: "-1" });
const findPlace = followScrolling(main);

function updateLink() {
    const { state, retryAt } = live.link;
    const isLost = state === "lost";
    const isBlocked = !isLost && !live.ready.ready;
    setAttribute(document.body, "data-link", state);
    setAttribute(linkState, "data-state", state);
    setSymbol(linkSign, isLost ? "unlink" : "link");
    setText(linkWord, texts.link[state]);
    setHidden(banner, !isLost && !isBlocked);
    setAttribute(banner, "data-kind", isLost ? "lost" : "blocked");
    setHidden(bannerRetry, !isLost);
    if (isLost) {
        setSymbol(bannerSign, "unlink");
        setText(bannerTitle, `${texts.link.banner}.`);
        setText(bannerText, live.isLoaded ? texts.link.stale(clockTime(new Date(live.heardAt + live.clockOffset))) : texts.link.never);
        setText(bannerCount, texts.link.retry(Math.ceil((retryAt - Date.now()) / 1000)));
    } else if (isBlocked) {
        const [reason] = live.ready.reasons;
        setSymbol(bannerSign, "error");
        setText(bannerTitle, `${texts.ready.title}: ${reason === "stopping" ? texts.ready.stopping : reasonTitle(reason)}.`);
        setText(bannerCount, "");
        setText(bannerText, [live.ready.detail, reasonRemedy(reason) || texts.ready.ask].filter(Boolean).join(" "));
    }
}

function updateTitle() {
    setText(station, live.station.name);
    const needing = [...live.slots.values()].filter((slot) => faceOf(slot).needs).length;
    const title = texts.title(page?.title, live.station.name, needing);
    if (document.title !== title) {
        document.title = title;
    }
}

// --- pages

// An address that somebody typed may be no encoding of anything.
function decoded(part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

function go() {
    const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("?")[0].split("/").map(decoded);
    const entry = pages[name] ?? pages[""];
    closeSlot();
    page?.close?.();
    main.replaceChildren();
    for (const [key, a] of Object.entries(nav)) {
        setAttribute(a, "aria-current", key === entry.nav ? "page" : null);
    }
    main.className = `is-${name || "rack"}`;
    page = entry.open(main, rest) ?? {};
    findPlace();
    updateTitle();
}

// --- finding what was typed or scanned

async function find(text) {
    const what = text.trim();
    const slots = [...live.slots.values()];
    const same = (name) => name === what || (/^\d+$/.test(what) && what.length < 8 && /^\d+$/.test(name) && Number(name) === Number(what));
    const slot = slots.find((s) => s.id === what || s.board?.imei === what) ?? slots.find((s) => same(s.name));
    if (slot) {
        if (page.select) {
            page.select(slot.id);
        } else {
            location.hash = links.slot(slot);
        }
        if (slot.board?.imei === what) {
            openSlot(slot.id);
        }
        return;
    }
    const places = [
        [/^\d{14,16}$/, () => paths.board(what), () => links.board(what)],
        [/^[0-9A-HJKMNP-TV-Z]{26}$/, () => paths.job(what), () => links.job(what)],
        [/./, () => paths.order(what), () => links.order(what)],
    ];
    try {
        for (const [form, path, link] of places) {
            if (form.test(what) && await isThere(path())) {
                location.hash = link();
                return;
            }
        }
        tellError(texts.find.nothing(what));
    } catch (problem) {
        tellError(texts.find.failed, problem.message);
    }
}

async function isThere(path) {
    try {
        await get(path);
        return true;
    } catch (problem) {
        if (problem.status === 404 || problem.status === 400) {
            return false;
        }
        throw problem;
    }
}

function onFind(event) {
    event.preventDefault();
    if (field.value.trim()) {
        find(field.value);
        field.value = "";
        field.blur();
    }
}

// --- all together

document.body.prepend(el("a.skip", { href: "#page", onclick: (e) => { e.preventDefault(); main.focus(); } }, texts.skip), header, banner, main);
mountNotices(document.body);
document.body.append(followEnds((text, isGood) => {
    if (!page?.isRack) {
        (isGood ? tellSuccess : tellError)(text);
    }
}));
followKeys({
    find,
    field,
    go: (name) => { location.hash = links[name]; },
    page: (event) => page?.key?.(event) ?? false,
    sound: sound.toggle,
    escape: () => disarm() || hideNotice(),
});
listen((kind) => {
    if (kind !== "slot" && kind !== "job") {
        updateLink();
    }
    if (kind === "snapshot") {
        program ||= live.station.version;
        updateTitle();
    }
});
// A file that misses the import page's zone would replace the page.
for (const kind of ["dragover", "drop"]) {
    window.addEventListener(kind, (event) => event.preventDefault());
}
window.addEventListener("hashchange", go);
// A page of another program would speak another language with this one. Who types or imports is not disturbed.
function followProgram() {
    if (program !== "" && live.isLoaded && live.station.version !== program && !isImporting() && !document.activeElement?.matches("input, select")) {
        location.reload();
    }
}

function tick() {
    followProgram();
    setText(clock, clockTime(new Date(stationNow())).slice(0, 5));
    updateTitle();
    if (live.link.state === "lost") {
        updateLink();
    }
}

let told = null; // the import whose end was told

// An import goes on while one looks at other pages, and is told of there.
onImport((run) => {
    setText(nav.import, isImporting() ? texts.import.nav(Math.floor((100 * run.sent) / run.file.size)) : texts.nav.import);
    if (isImporting() || told === run) {
        return;
    }
    told = run;
    if (page?.title !== texts.import.title) {
        const tell = run.state === "done" && run.refused === 0 ? tellSuccess : tellError;
        tell(texts.import.ended(run.file.name), texts.import.soFar(run));
    }
});
window.addEventListener("beforeunload", (event) => {
    if (isImporting()) {
        event.preventDefault();
    }
});
setInterval(tick, 1000);
tick();
updateLink();
go();
begin();
