// The few words that the stories are told with.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Runs axe on the page as it stands; serious and critical findings fail.
export async function accessible(page, what) {
    if (!await page.evaluate(() => "axe" in window)) {
        await page.evaluate(axe);
    }
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    assert.deepEqual(serious.map((v) => `${what}: ${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`), []);
}

function luminance([r, g, b]) {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

// Of two colours as getComputedStyle gives them.
export function contrast(a, b) {
    const [light, dark] = [a, b].map((c) => luminance(c.match(/[\d.]+/g).slice(0, 3).map(Number))).sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
}

export class Rack {
    constructor(page) {
        this.page = page;
    }

    tile(id) {
        return this.page.locator(`.tile[data-id="${id}"]`);
    }

    // Waits until the tile says the word (and has the text anywhere, when one is given).
    async says(id, word, text = "") {
        await this.page.waitForFunction(([slot, w, t]) => {
            const tile = document.querySelector(`.tile[data-id="${slot}"]`);
            return tile?.querySelector(".tile-word").textContent === w && tile.textContent.includes(t);
        }, [id, word, text], { timeout: 120_000 });
    }

    // Asks for a command by its key and confirms it with the same key.
    async command(id, key) {
        await this.tile(id).focus();
        await this.page.keyboard.press(key);
        const question = this.page.locator('.notice[data-kind="question"]:popover-open');
        await question.waitFor();
        while (await question.count() > 0) {
            // As slow as a hand: what comes faster is a scanner, and a second press too soon is a key that bounces.
            await this.page.keyboard.press(key, { delay: 90 });
        }
    }
}

// A code as a scanner types it: all at once, then Enter.
export async function scan(page, code) {
    await page.evaluate((text) => {
        for (const key of [...text, "Enter"]) {
            (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
        }
    }, code);
}

// Drops a file onto the import page's zone.
export async function drop(page, name, content) {
    const data = await page.evaluateHandle(([n, text]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], n));
        return transfer;
    }, [name, content]);
    await page.dispatchEvent(".drop", "drop", { dataTransfer: data });
}
