// Commands to slots. Each is asked for twice, so that a slip of the hand or a stray scan does nothing: the first time
// arms it, the second time within a few seconds sends it. It names the board it means by its generation, and is refused
// by the station when another board has come meanwhile.
import { paths, post } from "./api.js";
import { tellError, tellQuestion, tellSuccess, endQuestion } from "./notices.js";
import { texts } from "./texts.js";

const ARMED_MS = 5000;
const TOO_SOON_MS = 250; // a scanner's second letter, or a key that bounces

const ACTIVE = ["contacting", "silent", "identifying", "waiting", "running"];

const commands = [
    { verb: "start", key: "s", states: ["waiting"] },
    { verb: "abort", key: "a", states: ACTIVE },
    { verb: "retry", key: "r", states: ["done", "quarantined"] },
    { verb: "release", key: "l", states: ["held", "quarantined"] },
];

// A board that the station itself could not serve: no bundle left, no room in the order, the database. It is as it was.
// Of a port that cannot be opened (the fixture's fault) there is nothing to try again: the station does that by itself.
export const isUnserved = ({ state, verdict }) => state === "done" && verdict?.outcome === "ERROR" && verdict.fault !== "fixture";

export const commandKeys = new Map(commands.map((command) => [command.key, command]));

// Those that make sense for the slot now.
export function commandsFor(slot) {
    return commands.filter(({ verb, states }) => states.includes(slot.state)
        && (verb !== "start" || slot.waiting_for === "aborted"));
}

let armed = null; // {command, id, generation, at, timer}
const listeners = new Set();

export function onArmed(fn) {
    listeners.add(fn);
    return () => listeners.delete(fn);
}

export const armedFor = (slot) => (armed?.id === slot.id ? armed.command : null);

function setArmed(value) {
    clearTimeout(armed?.timer);
    armed = value;
    for (const fn of [...listeners]) {
        fn();
    }
}

// Returns whether there was something to disarm.
export function disarm() {
    if (!armed) {
        return false;
    }
    setArmed(null);
    endQuestion();
    return true;
}

function arm(command, slot) {
    const verb = texts.command[command.verb];
    setArmed({ command, id: slot.id, generation: slot.generation, at: performance.now(), timer: setTimeout(disarm, ARMED_MS) });
    tellQuestion(texts.command.arm(verb, slot.name), texts.command.again(command.key.toUpperCase()));
}

async function send(command, slot, generation) {
    const verb = texts.command[command.verb];
    try {
        await post(paths.slot(slot, command.verb), { generation });
        tellSuccess(texts.command.sent(verb, slot.name));
    } catch (problem) {
        tellError(texts.command.refused(verb, slot.name), problem.message);
    }
}

// The first call arms, the second sends.
export function press(command, slot) {
    if (!commandsFor(slot).includes(command)) {
        disarm();
        tellError(texts.command.none(texts.command[command.verb], slot.name), "");
        return;
    }
    const isSame = armed && armed.id === slot.id && armed.command === command && armed.generation === slot.generation;
    if (!isSame) {
        arm(command, slot);
    } else if (performance.now() - armed.at >= TOO_SOON_MS) {
        disarm();
        send(command, slot, slot.generation);
    }
}
