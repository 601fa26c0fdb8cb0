// How slots stand on the screen, and how arrow keys walk over them.

const WIDTH_BY_HEIGHT = 1.75; // of the rack's place on a screen
const TILE = 1.7; // the shape that a tile reads best in

const byName = new Intl.Collator("en", { numeric: true });

// Slots in the order of `named`, since so the configuration says that they stand in the rack; those of a glob (null) by name.
export function asTheyStand(slots, named) {
    const place = new Map((named ?? []).map((name, i) => [name, i]));
    const placeOf = (slot) => place.get(slot.name) ?? place.size;
    return slots.sort((a, b) => placeOf(a) - placeOf(b) || byName.compare(a.name, b.name));
}

// The columns for a fixture that names none.
export function columnsFor(n) {
    let best = 1;
    let bestScore = Infinity;
    for (let columns = 1; columns <= Math.min(n, 32); columns++) {
        const rows = Math.ceil(n / columns);
        const shape = (WIDTH_BY_HEIGHT / columns) * rows;
        const score = Math.abs(Math.log(shape / TILE)) + (2 * (rows * columns - n)) / n;
        if (score < bestScore) {
            [best, bestScore] = [columns, score];
        }
    }
    return best;
}

// `racks`: [{columns, ids}] from top to bottom. The id where `key` leads from `id`, or the same.
export function walk(racks, id, key, isFar) {
    const r = racks.findIndex((rack) => rack.ids.includes(id));
    if (r < 0) {
        return racks.find((rack) => rack.ids.length > 0)?.ids[0] ?? null;
    }
    const { columns, ids } = racks[r];
    const at = ids.indexOf(id);
    const row = Math.floor(at / columns);
    switch (key) {
    case "ArrowLeft":
        return at % columns > 0 ? ids[at - 1] : id;
    case "ArrowRight":
        return at % columns < columns - 1 && at + 1 < ids.length ? ids[at + 1] : id;
    case "ArrowUp":
        return row > 0 ? ids[at - columns] : lastRow(racks[r - 1], at % columns) ?? id;
    case "ArrowDown":
        if (at + columns < ids.length) {
            return ids[at + columns];
        }
        // The last row may be shorter.
        return row < Math.floor((ids.length - 1) / columns) ? ids.at(-1) : firstRow(racks[r + 1], at % columns) ?? id;
    case "Home":
        return isFar ? racks[0].ids[0] : ids[row * columns];
    case "End":
        return isFar ? racks.at(-1).ids.at(-1) : ids[Math.min((row + 1) * columns, ids.length) - 1];
    default:
        return id;
    }
}

function lastRow(rack, column) {
    if (!rack?.ids.length) {
        return null;
    }
    const start = Math.floor((rack.ids.length - 1) / rack.columns) * rack.columns;
    return rack.ids[Math.min(start + column, rack.ids.length - 1)];
}

const firstRow = (rack, column) => rack?.ids[Math.min(column, rack.ids.length - 1, rack.columns - 1)] ?? null;
