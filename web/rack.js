// The rack: every fixture with its order's counts and its slots as they stand, and beside them what needs hands and the
// slot that is selected. Changes are gathered and drawn once a frame.
import { paths, post } from "./api.js";
import { commandKeys, disarm, isUnserved, press } from "./commands.js";
import { el, keyed } from "./dom.js";
import { faceOf } from "./faces.js";
import { columnsFor, walk } from "./geometry.js";
import { makeHands } from "./hands.js";
import { listen, live, orderOf, slotsOf } from "./live.js";
import { tellError, tellSuccess } from "./notices.js";
import { keep, kept } from "./place.js";
import { makeShift } from "./shift.js";
import { makeFocusCard, openSlot } from "./slot.js";
import { makeStrip } from "./strip.js";
import { texts } from "./texts.js";
import { followQuestions, makeTile, updateTile } from "./tile.js";

const WALK = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

let selected = kept("slot"); // its id; stays from visit to visit, and through a reload

export function openRack(root, { slotId } = {}) {
    const racks = el("div.racks", { tabindex: "-1" });
    const hands = makeHands(select);
    const card = makeFocusCard();
    const shift = makeShift();
    const page = el("div.rack-page", null, el("h1.is-hidden", null, texts.rack.title), racks,
        el("aside.side", { "aria-label": texts.hands.title }, hands.root, shift.root, card.root));
    const empty = el("div.empty", { hidden: true }, el("h2", null, texts.rack.empty), el("p", null, texts.rack.emptyHow));
    let plan = []; // [{columns, ids}]
    let wanted = slotId; // to be selected once it is there
    const changed = new Set(); // ids of slots, while nothing else has changed
    let mustDrawAll = true;
    let frame = 0;

    root.append(page);

    const tileOf = (id) => racks.querySelector(`.tile[data-id="${CSS.escape(id)}"]`);

    function makeFixture({ fixture }) {
        const strip = makeStrip(fixture, { onStart: startAll, onRetry: retryAll });
        const grid = el("div.grid", { role: "group" });
        const section = el("section.fixture", { "aria-label": fixture.name }, strip.root, grid);
        section.parts = { strip, grid, name: fixture.name };
        return section;
    }

    function updateFixture(section, { fixture, slots, columns }) {
        const { strip, grid } = section.parts;
        const rows = Math.ceil(slots.length / columns);
        section.style.setProperty("--rows", rows);
        grid.style.setProperty("--columns", columns);
        grid.setAttribute("aria-label", texts.rack.slotsOf(fixture.name, slots.length));
        strip.update(orderOf(fixture.name), slots);
        keyed(grid, slots, (slot) => slot.id, makeTile, (cell, slot) => updateTile(cell.firstChild, slot, faceOf(slot)));
    }

    // What most frames need: a few tiles, and the lines above them.
    function drawChanged() {
        // A held slot names the others with its IMEI, and so hangs on them as well.
        const held = [...live.slots.values()].filter((slot) => slot.state === "held").map((slot) => slot.id);
        for (const id of new Set([...changed, ...held])) {
            const slot = live.slots.get(id);
            updateTile(tileOf(id), slot, faceOf(slot));
        }
        // All of them, since an order may be worked on in several fixtures.
        for (const section of racks.querySelectorAll(".fixture")) {
            section.parts.strip.update(orderOf(section.parts.name), slotsOf(section.parts.name));
        }
    }

    function draw() {
        frame = 0;
        if (mustDrawAll) {
            drawAll();
        } else {
            drawChanged();
        }
        mustDrawAll = false;
        changed.clear();
        hands.update();
        drawSelection();
        if (wanted && live.slots.has(wanted)) {
            select(wanted);
            wanted = null;
        }
    }

    function drawAll() {
        const fixtures = live.station.fixtures.map((fixture) => {
            const slots = slotsOf(fixture.name);
            return { fixture, slots, columns: fixture.columns ?? columnsFor(slots.length) };
        });
        const shown = fixtures.filter(({ slots }, _, all) => slots.length > 0 || all.length > 1);
        const hasSlots = live.slots.size > 0;
        keyed(racks, shown, ({ fixture }) => fixture.name, makeFixture, updateFixture);
        plan = fixtures.map(({ slots, columns }) => ({ columns, ids: slots.map((slot) => slot.id) }));
        if (!hasSlots) {
            racks.append(empty);
        } else {
            empty.remove();
        }
        empty.hidden = !live.isLoaded;
    }

    function drawSelection() {
        const first = plan.find((rack) => rack.ids.length > 0)?.ids[0];
        const id = selected && live.slots.has(selected) ? selected : first;
        for (const tile of racks.querySelectorAll('.tile[tabindex="0"]')) {
            if (tile.dataset.id !== id) {
                tile.tabIndex = -1;
            }
        }
        const tile = id ? tileOf(id) : null;
        if (tile) {
            tile.tabIndex = 0;
        }
        card.update(selected ? live.slots.get(selected) : null);
    }

    function schedule(kind, data) {
        if (kind === "job" || kind === "link" || kind === "ready") {
            return;
        }
        if (kind === "slot" && tileOf(data.id)) {
            changed.add(data.id);
        } else if (kind !== "order") {
            mustDrawAll = true;
        }
        if (frame === 0) {
            frame = requestAnimationFrame(draw);
        }
    }

    function select(id, mustOpen = false) {
        const tile = id ? tileOf(id) : null;
        tile?.focus();
        tile?.scrollIntoView({ block: "nearest" });
        if (tile && mustOpen) {
            openSlot(id);
        }
    }

    async function startAll(fixture) {
        try {
            const answer = await post(paths.startFixture(fixture.name));
            tellSuccess(texts.rack.started(answer.started, answer.slots.length));
        } catch (problem) {
            tellError(problem.title, problem.message);
        }
    }

    // One after the other: each names the board it means, and one that was taken out meanwhile is refused.
    async function retryAll(fixture) {
        const slots = slotsOf(fixture.name).filter(isUnserved);
        let taken = 0;
        let trouble = "";
        for (const slot of slots) {
            try {
                await post(paths.slot(slot, "retry"), { generation: slot.generation });
                taken += 1;
            } catch (problem) {
                trouble = problem.message;
            }
        }
        const tell = taken === slots.length ? tellSuccess : tellError;
        tell(texts.rack.retried(taken, slots.length), trouble);
    }

    racks.addEventListener("focusin", (event) => {
        const id = event.target.closest(".tile")?.dataset.id;
        if (id && id !== selected) {
            disarm();
            selected = id;
            keep("slot", id);
            drawSelection();
        }
    });
    racks.addEventListener("click", (event) => {
        const id = event.target.closest(".tile")?.dataset.id;
        if (id) {
            openSlot(id);
        }
    });

    // Keys of the page, when no field or dialog has them. True when used.
    function key(event) {
        if (WALK.includes(event.key) && !hands.root.contains(document.activeElement)) {
            const isIn = document.activeElement?.matches?.(".tile");
            select(isIn ? walk(plan, selected, event.key, event.ctrlKey) : selected ?? walk(plan, null, event.key));
            return true;
        }
        if (event.key === "n" && hands.ids().length > 0) {
            const ids = hands.ids();
            select(ids[(ids.indexOf(selected) + 1) % ids.length]);
            return true;
        }
        const command = commandKeys.get(event.key.toLowerCase());
        const slot = selected ? live.slots.get(selected) : null;
        if (command && slot && document.activeElement?.dataset.id === selected) {
            press(command, slot);
            return true;
        }
        return false;
    }

    const stops = [listen(schedule), followQuestions(racks, (id) => live.slots.get(id))];
    const ages = setInterval(() => hands.update(), 5000);
    draw();
    return {
        title: texts.rack.title,
        isRack: true,
        key,
        select,
        close() {
            stops.forEach((stop) => stop());
            card.close();
            shift.close();
            clearInterval(ages);
            cancelAnimationFrame(frame);
        },
    };
}
