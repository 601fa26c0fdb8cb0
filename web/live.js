// What the page knows of the station, kept current by the event stream.
//
// The snapshot (station, slots, open orders) is fetched each time the stream opens, and whenever the station says
// "resync"; events that arrive meanwhile wait and are applied on top, older ones not. Nothing is thrown away when the
// connection is lost: the page greys what it has until the next snapshot replaces it.
//
// A lost connection is noticed in three ways: the browser says so, a request fails, or the station is silent and does
// not answer when asked (a stopped process or a pulled network cable closes nothing). The browser resumes a broken stream
// by itself, with the id of the last event; where it has given up, and after silence, we begin anew, each try twice as
// late as the one before.
import { get, paths } from "./api.js";
import { asTheyStand } from "./geometry.js";

const SILENCE_MS = 5000; // without a word from the station, it is asked
const ANSWER_MS = 4000;
const OPEN_MS = 8000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15000;


const listeners = new Set();
let source = null;
let isLoading = false;
let mustReload = false;
let waiting = []; // events during a load
let tries = 0;
let retryTimer = 0;
let openTimer = 0;

export const live = {
    link: { state: "connecting", retryAt: 0 }, // connecting | live | lost
    isLoaded: false,
    heardAt: 0, // when the station last said anything
    ready: { ready: true, reasons: [], detail: null },
    station: { name: "", version: "", fixtures: [], products: [] },
    clockOffset: 0, // the station's clock minus ours, ms
    slots: new Map(), // by id
    orders: new Map(), // the open ones, by id
    reasons: new Map(), // by name: title, cause, remedy, fault
};

// fn(kind, data): "link", "ready", "snapshot", "slot" (a slot), "job" (a job), "order" (an order). Returns how to stop it.
export function listen(fn) {
    listeners.add(fn);
    return () => listeners.delete(fn);
}

function tell(kind, data) {
    for (const fn of [...listeners]) {
        fn(kind, data);
    }
}

export const stationNow = () => Date.now() + live.clockOffset;

export function orderOf(fixture) {
    return [...live.orders.values()].find((order) => order.state === "open" && order.fixtures.includes(fixture)) ?? null;
}

export function slotsOf(fixture) {
    const named = live.station.fixtures.find(({ name }) => name === fixture)?.named;
    return asTheyStand([...live.slots.values()].filter((slot) => slot.fixture === fixture), named);
}

// Names of the other slots in which a board of the same IMEI is.
export function twinsOf({ id, fixture, board }) {
    const twins = [...live.slots.values()].filter((slot) => slot.id !== id && slot.state !== "absent" && slot.board?.imei === board?.imei);
    return board ? twins.map((slot) => (slot.fixture === fixture ? slot.name : slot.id)) : [];
}

export function reasonTitle(name, fallback) {
    return live.reasons.get(name)?.title ?? fallback ?? (name ?? "").replaceAll("_", " ");
}

export const reasonRemedy = (name) => live.reasons.get(name)?.remedy ?? "";

// --- the connection

function setLink(state, retryAt = 0) {
    live.link = { state, retryAt };
    tell("link", live.link);
}

function lose() {
    source?.close();
    source = null;
    clearTimeout(openTimer);
    clearTimeout(retryTimer);
    const delay = Math.min(FIRST_RETRY_MS * 2 ** tries, LAST_RETRY_MS) * (0.8 + 0.4 * Math.random());
    tries += 1;
    setLink("lost", Date.now() + delay);
    retryTimer = setTimeout(connect, delay);
}

function onError() {
    if (source?.readyState === EventSource.CLOSED) {
        lose();
    } else {
        // The browser tries on by itself; should that hang, we begin anew.
        setLink("lost");
        clearTimeout(openTimer);
        openTimer = setTimeout(lose, OPEN_MS);
    }
}

function connect() {
    source?.close();
    source = new EventSource(paths.stream);
    clearTimeout(openTimer);
    openTimer = setTimeout(lose, OPEN_MS);
    source.onopen = () => {
        clearTimeout(openTimer);
        live.heardAt = Date.now();
        load();
    };
    source.onerror = onError;
    for (const kind of ["slot", "job", "order"]) {
        source.addEventListener(kind, (event) => {
            live.heardAt = Date.now();
            const data = JSON.parse(event.data);
            if (isLoading) {
                waiting.push([kind, data]);
            } else {
                apply(kind, data);
            }
        });
    }
    source.addEventListener("resync", () => {
        live.heardAt = Date.now();
        load();
    });
}

export function retryNow() {
    if (live.link.state !== "live") {
        clearTimeout(retryTimer);
        tries = 0;
        setLink("lost");
        connect();
    }
}

async function ifSilent() {
    if (live.link.state !== "live" || Date.now() - live.heardAt < SILENCE_MS) {
        return;
    }
    const asked = source;
    try {
        setReady(await get(paths.ready, { timeout: ANSWER_MS, accept: [503] }));
        live.heardAt = Date.now();
    } catch {
        if (asked === source) {
            lose();
        }
    }
}

function setReady(ready) {
    if (ready && JSON.stringify(ready) !== JSON.stringify(live.ready)) {
        live.ready = ready;
        tell("ready", ready);
    }
}

// --- what it brings

async function load() {
    if (isLoading) {
        mustReload = true;
        return;
    }
    const asked = source;
    isLoading = true;
    waiting = [];
    try {
        const [station, slots, orders, ready] = await Promise.all([
            get(paths.station),
            get(paths.slots),
            get(paths.orders({ state: "open", limit: 100 })),
            get(paths.ready, { accept: [503] }),
        ]);
        isLoading = false;
        if (asked === source) {
            take(station, slots.slots, orders.work_orders, ready);
        }
    } catch {
        isLoading = false;
        if (asked === source) {
            lose();
        }
        return;
    }
    if (mustReload) {
        mustReload = false;
        load();
    }
}

function take(station, slots, orders, ready) {
    live.station = station;
    live.clockOffset = Date.parse(station.now) - Date.now();
    live.slots = new Map(slots.map((slot) => [slot.id, slot]));
    live.orders = new Map(orders.map((order) => [order.id, order]));
    live.isLoaded = true;
    live.heardAt = Date.now();
    tries = 0;
    const missed = waiting;
    waiting = [];
    for (const [kind, data] of missed) {
        if (kind !== "slot" || isNewer(data)) {
            apply(kind, data);
        }
    }
    setReady(ready);
    setLink("live");
    tell("snapshot", null);
    if (live.reasons.size === 0) {
        loadReasons();
    }
}

function isNewer(slot) {
    const known = live.slots.get(slot.id);
    return !known || slot.generation > known.generation || (slot.changed ?? "") >= (known.changed ?? "");
}

function apply(kind, data) {
    if (kind === "slot") {
        live.slots.set(data.id, data);
    } else if (kind === "order") {
        takeOrder(data);
        return;
    }
    tell(kind, data);
}

export function takeOrder(order) {
    if (order.state === "open") {
        live.orders.set(order.id, order);
    } else {
        live.orders.delete(order.id);
    }
    tell("order", order);
}

// Counts of bundles move with imports as well, which the stream does not tell.
export async function refreshOrders() {
    const page = await get(paths.orders({ state: "open", limit: 100 })).catch(() => null);
    page?.work_orders.forEach(takeOrder);
}

// The reasons' words come once. Whoever shows them waits for this, which also ends when they cannot be had: verdicts bring
// their own words as well.
let settleReasons;
export const reasonsAsked = new Promise((resolve) => { settleReasons = resolve; });

async function loadReasons() {
    const answer = await get(paths.reasons).catch(() => null);
    for (const reason of answer?.reasons ?? []) {
        live.reasons.set(reason.name, reason);
    }
    settleReasons();
    if (live.reasons.size > 0) {
        tell("snapshot", null);
    }
}

export function begin() {
    connect();
    setInterval(ifSilent, 1000);
    window.addEventListener("online", retryNow);
}
