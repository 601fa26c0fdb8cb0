// A slot in detail: the card beside the rack, and the dialog with everything that is known and can be done.
import { links } from "./api.js";
import { armedFor, commandKeys, commandsFor, disarm, onArmed, press } from "./commands.js";
import { el, facts, keyed, setAttribute, setHidden, setSymbol, setText, symbol } from "./dom.js";
import { detailOf, faceOf, stepName } from "./faces.js";
import { when } from "./format.js";
import { listen, live } from "./live.js";
import { texts } from "./texts.js";

const LONG = 8; // characters of a name that stand beside the verdict; longer ones stand above it

// The verdict's words, as card and dialog have them.
function makeVerdict() {
    const sign = symbol("absent");
    const word = el("b.verdict-word");
    const note = el("span.verdict-note");
    const root = el("div.verdict", null, sign, word, note);
    return {
        root,
        update(face) {
            setAttribute(root, "data-tone", face.tone);
            setSymbol(sign, face.symbol);
            setText(word, face.word);
            setText(note, [face.note, face.progress === null ? "" : texts.slot.progress(Math.round(face.progress * 100))].filter(Boolean).join(" · "));
        },
    };
}


function makeCommands(slotOf) {
    const root = el("div.commands");
    const make = (command) => el("button.button", { type: "button", onclick: () => press(command, slotOf()) },
        el("kbd", null, command.key.toUpperCase()), el("span"));
    return {
        root,
        update(slot) {
            keyed(root, slot ? commandsFor(slot) : [], (command) => command.verb, make, (button, command) => {
                const verb = texts.command[command.verb];
                const isArmed = armedFor(slot) === command;
                setAttribute(button, "data-armed", isArmed);
                setText(button.lastChild, isArmed ? texts.command.confirm(verb) : verb);
            });
        },
    };
}

export function makeFocusCard() {
    let current = null;
    const name = el("span.focus-name");
    const verdict = makeVerdict();
    const remedy = el("p.focus-remedy");
    const detail = el("p.focus-detail");
    const who = el("p.focus-who.code");
    const commands = makeCommands(() => current);
    const how = el("p.focus-how", null, texts.focus.how);
    const body = el("div.focus-body", null, el("div.focus-top", null, name, verdict.root), remedy, detail, who, commands.root);
    const root = el("section.focus", null, el("h2", null, texts.focus.title), body, how);
    const update = (slot) => {
        current = slot;
        setHidden(body, !slot);
        setHidden(how, Boolean(slot));
        if (slot) {
            const face = faceOf(slot);
            setText(name, live.station.fixtures.length > 1 ? slot.id : slot.name);
            setAttribute(name, "data-long", name.textContent.length > LONG);
            verdict.update(face);
            setText(remedy, face.remedy);
            setText(detail, detailOf(slot.verdict) || face.warning);
            setText(who, [slot.board?.imei, slot.board?.model].filter(Boolean).join("  "));
            commands.update(slot);
        }
    };
    return { root, update, close: onArmed(() => update(current)) };
}

// --- the dialog

let open = null; // {id, dialog, stop}

function factRows(slot) {
    const { board } = slot;
    return [
        [texts.slot.imei, board?.imei ? el("a", { href: links.board(board.imei) }, board.imei) : null, true],
        [texts.slot.model, board?.model],
        [texts.slot.firmware, board?.modem_firmware],
        [texts.slot.uuid, board?.uuid, true],
        [texts.slot.order, slot.work_order ? el("a", { href: links.order(slot.work_order) }, slot.work_order) : null],
        [texts.slot.job, slot.job ? el("a", { href: links.job(slot.job) }, slot.job) : null, true],
        [texts.stateNote.earlier, slot.earlier_job ? el("a", { href: links.job(slot.earlier_job) }, slot.earlier_job) : null, true],
        [texts.slot.step, slot.state === "running" && slot.step ? stepName(slot.step) : null],
        [texts.slot.since, when(slot.verdict?.at ?? slot.changed)],
        [texts.slot.port, slot.port, true],
        [texts.slot.usb, slot.usb, true],
    ];
}

export function openSlot(id) {
    closeSlot();
    const slotNow = () => live.slots.get(id);
    if (!slotNow()) {
        return;
    }
    const verdict = makeVerdict();
    const remedy = el("p.sheet-remedy");
    const detail = el("p.sheet-detail");
    const warning = el("p.sheet-warning", null, symbol("warning"), el("span"));
    const list = el("div");
    const commands = makeCommands(slotNow);
    const close = el("button.button", { type: "button", onclick: closeSlot }, el("kbd", null, "Esc"), texts.slot.close);
    const dialog = el("dialog.sheet", { "aria-labelledby": "sheet-title" },
        el("header", null, el("h2", { id: "sheet-title" }, texts.slot.name(slotNow().name)), verdict.root),
        remedy, detail, warning, list, el("footer", null, commands.root, close));
    let shown = "";

    function update() {
        const slot = slotNow();
        if (!slot) {
            closeSlot();
            return;
        }
        const face = faceOf(slot);
        verdict.update(face);
        setText(remedy, face.remedy);
        setText(detail, detailOf(slot.verdict));
        setHidden(warning, !slot.warning);
        setText(warning.lastChild, slot.warning);
        commands.update(slot);
        const rows = factRows(slot);
        const text = JSON.stringify([slot.board, slot.job, slot.step, slot.work_order, slot.port, slot.changed]);
        if (text !== shown && !list.contains(document.activeElement)) {
            shown = text;
            list.replaceChildren(facts(rows));
        }
    }

    dialog.addEventListener("keydown", (event) => {
        const command = event.ctrlKey || event.altKey || event.metaKey ? null : commandKeys.get(event.key.toLowerCase());
        event.stopPropagation();
        if (command) {
            press(command, slotNow());
        }
    });
    dialog.addEventListener("cancel", (event) => {
        if (disarm()) {
            event.preventDefault();
        }
    });
    dialog.addEventListener("close", closeSlot);
    dialog.addEventListener("click", (event) => {
        if (event.target === dialog || event.target.closest("a")) {
            closeSlot();
        }
    });
    document.body.append(dialog);
    const stops = [listen(update), onArmed(update)];
    open = { id, dialog, stop: () => stops.forEach((stop) => stop()), back: document.activeElement };
    update();
    dialog.showModal();
    close.focus();
}

export function closeSlot() {
    if (open) {
        const { dialog, stop, back } = open;
        open = null;
        disarm();
        stop();
        dialog.close();
        dialog.remove();
        if (back?.isConnected) {
            back.focus();
        }
    }
}
