// The end of a fixture's work: nobody need look at the rack to notice it. It is said (to those who hear the page, and in the
// line below on pages other than the rack), and sounded where somebody wants that: rising when all passed, falling when
// some need hands.
import { el, setAttribute, setSymbol, setText, symbol } from "./dom.js";
import { faceOf, isWorking } from "./faces.js";
import { listen, live } from "./live.js";
import { texts } from "./texts.js";

const REST_MS = 1000; // for so long nothing is worked on: boards that are plugged in one by one overlap, or nearly
const KEPT_AS = "certline.sound";
const TONES = { good: [660, 880], bad: [440, 330, 262] }; // Hz
const TONE_S = 0.22;

// Of a fixture: how many boards are worked on, have passed and can be taken out, and need hands.
export function countsOf(fixture) {
    const counts = { working: 0, passed: 0, needing: 0 };
    for (const slot of live.slots.values()) {
        if (slot.fixture === fixture) {
            const face = faceOf(slot);
            counts.working += isWorking(slot) ? 1 : 0;
            counts.passed += face.tone === "pass" && slot.state === "done" ? 1 : 0;
            counts.needing += face.needs ? 1 : 0;
        }
    }
    return counts;
}

// --- sound

let sound = null; // an AudioContext, from the moment on that it is wanted

function play(tones) {
    if (sound?.state !== "running") {
        return;
    }
    tones.forEach((hertz, i) => {
        const tone = sound.createOscillator();
        const volume = sound.createGain();
        const at = sound.currentTime + i * TONE_S;
        tone.frequency.value = hertz;
        volume.gain.setValueAtTime(0, at);
        volume.gain.linearRampToValueAtTime(0.4, at + 0.02);
        volume.gain.linearRampToValueAtTime(0, at + TONE_S);
        tone.connect(volume).connect(sound.destination);
        tone.start(at);
        tone.stop(at + TONE_S);
    });
}

// The button, and a function that presses it. Browsers let a page sound only once somebody has touched it: until then the
// button says so, and the first key or click will do.
export function makeSound() {
    const sign = symbol("sound-off");
    const word = el("span.sound-word");
    const button = el("button.sound", { type: "button", onclick: toggle }, sign, word);

    function update() {
        const state = !sound ? "off" : sound.state === "running" ? "on" : "blocked";
        setAttribute(button, "aria-pressed", String(Boolean(sound)));
        setAttribute(button, "data-state", state);
        setSymbol(sign, sound ? "sound-on" : "sound-off");
        setText(word, texts.sound[state]);
    }

    function want(isWanted) {
        sound?.close();
        sound = isWanted ? new AudioContext() : null;
        sound?.addEventListener("statechange", update);
        update();
    }

    function toggle() {
        want(!sound);
        localStorage.setItem(KEPT_AS, sound ? "on" : "off");
        play(TONES.good);
    }

    for (const kind of ["keydown", "pointerdown"]) {
        window.addEventListener(kind, () => sound?.state === "suspended" && sound.resume());
    }
    want(localStorage.getItem(KEPT_AS) === "on");
    return { button, toggle };
}

// --- the end

// Calls tellEnd(text, isGood) when a fixture's last board has come to its end. What ended before the page knew of it, or
// while it had no connection, is told by the rack itself.
export function followEnds(tellEnd) {
    const said = el("p.is-hidden", { role: "status" });
    const busy = new Set(); // fixtures
    let timer = 0;

    function end() {
        timer = 0;
        for (const fixture of busy) {
            const { working, passed, needing } = countsOf(fixture);
            if (working === 0) {
                busy.delete(fixture);
                if (passed + needing > 0) {
                    const text = texts.ended.said(fixture, passed, needing);
                    setText(said, text);
                    play(needing > 0 ? TONES.bad : TONES.good);
                    tellEnd(text, needing === 0);
                }
            }
        }
    }

    listen((kind, data) => {
        if (kind === "snapshot") {
            busy.clear();
        }
        if (kind === "slot" && isWorking(data)) {
            busy.add(data.fixture);
        }
        if (kind === "slot" && busy.has(data.fixture)) {
            clearTimeout(timer);
            timer = setTimeout(end, REST_MS);
        }
    });
    return said;
}
