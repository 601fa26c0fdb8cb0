// One slot of the rack: a button whose parts are made once and filled again at each change. How much of it is seen is the
// style sheet's choice, by the room that the tile has.
import { armedFor, onArmed } from "./commands.js";
import { el, setAttribute, setHidden, setSymbol, setText, symbol } from "./dom.js";
import { spoken } from "./faces.js";
import { texts } from "./texts.js";

const parts = new WeakMap(); // tile → its parts

// Returns the cell; its first child is the tile.
export function makeTile(slot) {
    const p = {
        name: el("span.tile-name", null, slot.name),
        symbol: symbol("absent"),
        word: el("span.tile-word"),
        note: el("span.tile-note"),
        remedy: el("span.tile-remedy"),
        who: el("span.tile-who"),
        flag: el("span.tile-flag", { hidden: true }, symbol("warning")),
        bar: el("span.tile-bar", null, el("span")),
        ask: el("span.tile-ask", { hidden: true }),
    };
    const tile = el("button.tile", { type: "button", tabindex: "-1", "data-id": slot.id },
        el("span.tile-head", null, p.name, p.flag, p.symbol),
        el("span.tile-body", null, p.word, p.note, p.remedy, p.who), p.bar, p.ask);
    parts.set(tile, p);
    return el("div.cell", null, tile);
}

export function updateTile(tile, slot, face) {
    const p = parts.get(tile);
    setAttribute(tile, "data-tone", face.tone);
    setAttribute(tile, "aria-label", spoken(slot, face));
    setSymbol(p.symbol, face.symbol);
    setText(p.word, face.word);
    setText(p.note, face.note);
    setText(p.remedy, face.remedy);
    setText(p.who, face.remedy ? "" : slot.board?.imei);
    setHidden(p.flag, !face.warning);
    setAttribute(p.bar, "data-on", face.progress !== null);
    const scale = `scaleX(${face.progress ?? 0})`;
    if (p.bar.firstChild.style.transform !== scale) {
        p.bar.firstChild.style.transform = scale;
    }
    askOn(p, slot);
}

function askOn(p, slot) {
    const command = armedFor(slot);
    setHidden(p.ask, !command);
    setText(p.ask, command ? texts.command.againShort(command.key.toUpperCase()) : "");
}

// Shows the open question on the tile that it is about. slotOf(id) gives the slot.
export const followQuestions = (root, slotOf) => onArmed(() => {
    for (const tile of root.querySelectorAll(".tile")) {
        askOn(parts.get(tile), slotOf(tile.dataset.id) ?? {});
    }
});
