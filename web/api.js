// Requests to the station. What goes wrong is always a Problem, whose message is a sentence for people.
import { texts } from "./texts.js";

export class Problem extends Error {
    constructor(status, body) {
        super(body?.detail || body?.title || texts.problem.network);
        this.status = status; // 0: no answer
        this.title = body?.title ?? texts.problem.network;
        this.reason = body?.reason ?? null;
    }
}

// body: an object; rows: octets of NDJSON in its place.
export async function ask(method, path, { body, rows, timeout = 15000, accept = [] } = {}) {
    const type = rows ? "application/x-ndjson" : body === undefined ? null : "application/json";
    let answer;
    let content = null;
    try {
        answer = await fetch(path, {
            method,
            cache: "no-store",
            signal: AbortSignal.timeout(timeout),
            headers: type ? { "Content-Type": type } : {},
            body: rows ?? (body === undefined ? undefined : JSON.stringify(body)),
        });
        content = await answer.json().catch(() => null);
    } catch {
        throw new Problem(0, null);
    }
    if (!answer.ok && !accept.includes(answer.status)) {
        throw new Problem(answer.status, content ?? { title: `${answer.status} ${answer.statusText}` });
    }
    return content;
}

export const get = (path, options) => ask("GET", path, options);
export const post = (path, body = {}) => ask("POST", path, { body });

// "?a=1&b=2" of those that are given.
export function query(params) {
    const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
    return given.length > 0 ? `?${new URLSearchParams(given)}` : "";
}

const part = encodeURIComponent;

export const paths = {
    station: "/api/v1/station",
    ready: "/readyz",
    reasons: "/api/v1/reasons",
    stream: "/api/v1/stream",
    slots: "/api/v1/slots",
    slot: (slot, verb) => `/api/v1/slots/${part(slot.fixture)}/${part(slot.name)}/${verb}`,
    startFixture: (name) => `/api/v1/fixtures/${part(name)}/start`,
    orders: (params) => `/api/v1/work-orders${query(params)}`,
    order: (id) => `/api/v1/work-orders/${part(id)}`,
    yieldOf: (params) => `/api/v1/yield${query(params)}`,
    yield: (id) => `/api/v1/work-orders/${part(id)}/yield`,
    closeOrder: (id) => `/api/v1/work-orders/${part(id)}/close`,
    jobs: (params) => `/api/v1/jobs${query(params)}`,
    job: (id) => `/api/v1/jobs/${part(id)}`,
    board: (imei) => `/api/v1/boards/${part(imei)}`,
    stock: (params) => `/api/v1/bundles/stock${query(params)}`,
    bundles: "/api/v1/bundles",
    imports: "/api/v1/imports",
};

// Addresses within the page.
export const links = {
    rack: "#/",
    slot: (slot) => `#/slot/${part(slot.fixture ?? "")}/${part(slot.name ?? "")}`,
    orders: "#/orders",
    order: (id) => `#/order/${part(id)}`,
    jobs: "#/jobs",
    job: (id) => `#/job/${part(id)}`,
    board: (imei) => `#/board/${part(imei)}`,
    import: "#/import",
};
