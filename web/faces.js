// What a slot shows: functions from the API's slots to a face. A face is
//   tone    which of the style sheet's looks, and
//   symbol  which of index.html's symbols: shapes differ wherever tones do
//   word    in large letters
//   note    one line: the step, or the reason
//   remedy  one sentence, when somebody must do something
//   fault   whose it is
//   needs   whether hands are needed; since: from when (ms of the station's clock)
import { reasonRemedy, reasonTitle, twinsOf } from "./live.js";
import { texts } from "./texts.js";

export const outcomes = {
    PASS: { tone: "pass", symbol: "pass" },
    FAIL: { tone: "fail", symbol: "fail" },
    ERROR: { tone: "error", symbol: "error" },
    TIMEOUT: { tone: "error", symbol: "timeout" },
    ABORTED: { tone: "stopped", symbol: "aborted" },
    LOST: { tone: "stopped", symbol: "lost" },
};

const working = { tone: "busy", symbol: "busy" };

const states = {
    absent: { tone: "absent", symbol: "absent" },
    opening: working,
    contacting: working,
    identifying: working,
    running: working,
    silent: { tone: "stopped", symbol: "silent" },
    waiting: { tone: "waiting", symbol: "waiting" },
    recording: { tone: "recording", symbol: "recording" },
    done: { tone: "waiting", symbol: "waiting" },
    held: { tone: "error", symbol: "held" },
    quarantined: { tone: "barred", symbol: "barred" },
};

// States in which an earlier verdict still stands; in the others a new attempt is under way.
const atRest = new Set(["absent", "done"]);

export const isWorking = ({ state }) => states[state] === working || state === "recording";

export const stepName = (step) => texts.step[step] ?? step?.replaceAll("_", " ") ?? "";

// Of a job that was cut short the detail is the step that it was in.
export function detailOf(verdict) {
    const step = texts.step[verdict?.detail];
    return step ? texts.inStep(step) : verdict?.detail ?? "";
}

function verdictFace(slot) {
    const { verdict } = slot;
    const isPass = verdict.outcome === "PASS";
    return {
        ...(outcomes[verdict.outcome] ?? outcomes.ERROR),
        ...(isPass && verdict.reason === "presence_only" ? { symbol: "presence" } : {}),
        word: texts.outcome[verdict.outcome] ?? verdict.outcome,
        note: isPass ? texts.passNote[verdict.reason] ?? reasonTitle(verdict.reason, verdict.title)
            : reasonTitle(verdict.reason, verdict.title),
        remedy: isPass ? "" : verdict.remedy ?? "",
        fault: isPass ? "none" : verdict.fault,
        needs: !isPass,
        since: Date.parse(verdict.at ?? slot.changed ?? ""),
    };
}

function stateFace(slot) {
    const { state } = slot;
    const reason = slot.waiting_for;
    const face = {
        ...(states[state] ?? working),
        word: texts.state[state] ?? state,
        note: texts.stateNote[state] ?? "",
        remedy: "",
        fault: "none",
        needs: false,
        since: Date.parse(slot.changed ?? ""),
    };
    if (state === "running" && slot.step) {
        face.note = stepName(slot.step);
    } else if (state === "silent") {
        Object.assign(face, { note: "", remedy: texts.stateNote.silentRemedy, needs: true });
    } else if (state === "recording") {
        face.remedy = texts.stateNote.recordingRemedy;
    } else if (state === "waiting" && reason) {
        face.note = texts.waiting[reason] ?? reasonTitle(reason);
        face.remedy = reason === "aborted" ? texts.rack.startHow : reasonRemedy(reason);
    } else if (state === "held" || state === "quarantined") {
        const why = reason ?? (state === "quarantined" ? "quarantined" : slot.verdict?.reason);
        const said = slot.verdict?.reason === why ? slot.verdict : null;
        const twins = why === "duplicate_imei" ? twinsOf(slot) : [];
        face.note = twins.length > 0 ? texts.stateNote.twins(twins) : why ? reasonTitle(why, said?.title) : face.note;
        face.remedy = reasonRemedy(why) || (said?.remedy ?? texts.heldHow);
        face.needs = true;
    }
    return face;
}

export function faceOf(slot) {
    const face = slot.verdict && atRest.has(slot.state) ? verdictFace(slot) : stateFace(slot);
    face.warning = slot.warning ?? "";
    face.progress = face.tone === "busy" && slot.state === "running" ? slot.progress ?? 0 : null;
    return face;
}

// The slot in one sentence, for those who hear the page.
export function spoken(slot, face) {
    return [texts.slot.name(slot.name), face.word, face.note, face.remedy, face.warning].filter(Boolean).join(", ");
}
