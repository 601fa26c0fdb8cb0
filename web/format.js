// Times, durations and sizes as people read them. Times are the station's, since they stand beside those of its records, in
// the browser's own time zone, 24 hours.
import { stationNow } from "./live.js";
import { texts } from "./texts.js";

const two = (n) => String(n).padStart(2, "0");

export function clockTime(date) {
    return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export const dayOf = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

export const isToday = (date) => date.toDateString() === new Date(stationNow()).toDateString();

// "2026-11-20 09:15:02", without the date when it is today.
export function when(rfc3339) {
    if (!rfc3339) {
        return texts.none;
    }
    const date = new Date(rfc3339);
    return isToday(date) ? clockTime(date) : `${dayOf(date)} ${clockTime(date)}`;
}

export function age(ms) {
    const { unit } = texts;
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) {
        return s < 5 ? texts.hands.now : unit.s(s);
    }
    if (s < 3600) {
        return unit.min(Math.floor(s / 60));
    }
    return s < 172800 ? unit.h(Math.floor(s / 3600)) : unit.d(Math.floor(s / 86400));
}

export function took(ms) {
    if (ms === null || ms === undefined) {
        return texts.none;
    }
    if (ms < 1000) {
        return texts.unit.ms(ms);
    }
    return ms < 60000 ? texts.unit.s((ms / 1000).toFixed(ms < 10000 ? 2 : 1)) : texts.unit.min((ms / 60000).toFixed(1));
}

export function size(octets) {
    return octets < 1e6 ? texts.unit.kb(Math.max(1, Math.round(octets / 1e3))) : texts.unit.mb((octets / 1e6).toFixed(1));
}

// A digest in groups that the eye can hold on to.
export function grouped(hex) {
    return (hex ?? "").replace(/^sha256:/, "").replace(/(.{8})(?=.)/g, "$1 ");
}

export function shortDigest(hex) {
    return hex ? `${hex.replace(/^sha256:/, "").slice(0, 12)}…` : texts.none;
}
