// What this shift has done: boards that passed and failed since somebody set it to nothing, or since midnight. Each
// window keeps its own beginning, since nobody else knows when its people came.
import { get, paths } from "./api.js";
import { el, setHidden, setText } from "./dom.js";
import { clockTime, isToday, when } from "./format.js";
import { listen, live, stationNow } from "./live.js";
import { texts } from "./texts.js";

const KEPT_AS = "certline.shift";
const DAY_MS = 24 * 60 * 60 * 1000;
const REFRESH_MS = 2000;
const t = texts.shift;

// A beginning that is older than a day is somebody else's.
function beginning() {
    const now = stationNow();
    const kept = Number(localStorage.getItem(KEPT_AS));
    return kept > now - DAY_MS && kept <= now ? kept : new Date(now).setHours(0, 0, 0, 0);
}

export function makeShift() {
    const passed = el("b");
    const failed = el("b");
    const since = el("span.shift-since");
    const reset = el("button.as-link", { type: "button", title: t.fromNow, onclick: startAnew }, t.reset);
    const figures = el("p.shift-figures", null, passed, " ", t.passed, el("span.shift-gap"), failed, " ", t.failed);
    const root = el("section.shift", { "aria-label": t.title, hidden: true }, figures, el("p.quiet", null, since, " ", reset));
    let timer = 0;

    async function refresh() {
        timer = 0;
        const from = beginning();
        const answer = await get(paths.yieldOf({ from: new Date(from).toISOString() })).catch(() => null);
        if (answer) {
            setText(passed, answer.last_pass);
            setText(failed, answer.boards - answer.last_pass);
            setText(since, t.since(isToday(new Date(from)) ? clockTime(new Date(from)).slice(0, 5) : when(new Date(from).toISOString()).slice(0, 16)));
            setHidden(root, false);
        }
    }

    function startAnew() {
        localStorage.setItem(KEPT_AS, String(Math.floor(stationNow())));
        refresh();
    }

    const soon = () => { timer ||= setTimeout(refresh, REFRESH_MS); };
    const stop = listen((kind) => {
        if (kind === "snapshot" && root.hidden) {
            refresh();
        } else if (kind === "snapshot" || kind === "job") {
            soon();
        }
    });
    if (live.isLoaded) {
        refresh();
    }
    return {
        root,
        close() {
            stop();
            clearTimeout(timer);
        },
    };
}
