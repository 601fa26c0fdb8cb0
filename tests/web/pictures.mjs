// Every page at two sizes, with a rack in the middle of its work: most boards have passed, some are being written, and the
// rest shows what goes wrong on a line.
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBrowser } from "./browser.mjs";
import { drop } from "./check.mjs";
import { Station, until } from "./station.mjs";

const [dir = join(tmpdir(), "certline-pictures"), ...counts] = process.argv.slice(2);
const SIZES = [{ width: 1920, height: 1080 }, { width: 1280, height: 800 }];

// late: boards that are put in last and are worked on in the picture; away: places that stay empty.
const mixes = {
    16: { columns: 4, faults: ["supply_low/7", "stored_wrong:1/10", "unplug@byte:1500/4"], late: [13, 14, 15], away: [16] },
    256: {
        columns: 16, late: [241, 242, 243, 244, 245, 246, 247, 248, 249, 250], away: [251, 252, 253, 254, 255, 256],
        faults: ["supply_low/23", "stored_wrong:1/58", "unplug@byte:1500/71", "memory_full/102", "same_imei/117-118", "hang@any/140",
            "fifo:256/163", "unplug@byte:900/190", "supply_low/199", "stored_wrong:1/226"],
    },
};

async function settle(station, n, late) {
    const isLate = new Set(late.map((b) => String(b).padStart(3, "0")));
    await until("the verdicts", async () => (await station.slots()).filter((s) => !isLate.has(s.name))
        .every((s) => ["done", "held", "absent", "quarantined"].includes(s.state)));
}

// The late boards, until most of them are being written.
async function plugLate(station, late) {
    for (const board of late) {
        await station.control("rack1", `plug ${board}`);
    }
    await until("writing", async () => (await station.slots()).filter((s) => s.step?.startsWith("write_")).length >= late.length / 2);
}

const visit = async (page, station, hash, sign) => {
    await page.goto(`${station.url}/${hash}`);
    await page.waitForSelector("body[data-link=live]");
    await page.locator(sign).first().waitFor();
    await page.evaluate(() => new Promise(requestAnimationFrame));
};

// All browsers at once: a board is written only once.
async function photographRack(views, station, mix) {
    for (const { page } of views) {
        await visit(page, station, "#/", ".tile");
        await page.locator(".hand").first().waitFor();
        await page.keyboard.press("n");
        await page.locator(".focus-remedy:not(:empty)").waitFor();
    }
    await plugLate(station, mix.late);
    await Promise.all(views.map(async ({ page, shoot }) => {
        await page.waitForFunction((n) => document.querySelectorAll('.tile:has([data-on="true"])').length >= n, mix.late.length);
        await shoot("rack");
    }));
    for (const { page, shoot } of views) {
        await page.keyboard.press("Enter");
        await page.locator("dialog[open]").waitFor();
        await shoot("slot");
        await page.keyboard.press("Escape");
    }
}

async function photographPages({ page, shoot }, station) {
    const jobs = (await station.api("/api/v1/jobs?limit=1000")).body.jobs;
    const passed = jobs.find((job) => job.reason === "ok");
    const failed = jobs.find((job) => job.reason === "digest_mismatch") ?? jobs.find((job) => job.outcome === "FAIL") ?? passed;
    const pages = [["job-failed", `#/job/${failed.id}`, ".waterfall rect"], ["job-passed", `#/job/${passed.id}`, ".waterfall rect"],
        ["board", `#/board/${passed.imei}`, ".jobs tbody tr"], ["order", "#/order/WO-4711", ".jobs tbody tr"],
        ["orders", "#/orders", ".orders tbody tr"], ["jobs", "#/jobs", ".jobs tbody tr"], ["import", "#/import", ".drop"]];
    for (const [name, hash, sign] of pages) {
        await visit(page, station, hash, sign);
        await shoot(name);
    }
    const [first, second, third, fourth] = station.bundles.map((row) => JSON.parse(row));
    await drop(page, "lot-47.ndjson", [JSON.stringify(first), "hello", JSON.stringify({ ...second, private_key: "abc" }),
        JSON.stringify({ ...third, id: "b-x", private_key: fourth.private_key })].join("\n"));
    await page.locator(".import-rows").waitFor();
    await shoot("import-rows");
    await drop(page, "list.csv", "imei,certificate\n351465800000002,x\n");
    await page.locator(".import-bad").waitFor();
    await shoot("import-csv");
}

async function photograph(station, n, mix) {
    const views = [];
    for (const size of SIZES) {
        for (const colorScheme of ["light", "dark"]) {
            const browser = await openBrowser({ ...size, colorScheme });
            const shoot = (name) => browser.page.screenshot({ path: join(dir, `${name}-${n}-${size.width}-${colorScheme}.png`) });
            views.push({ ...browser, shoot });
        }
    }
    await photographRack(views, station, mix);
    for (const view of views) {
        await photographPages(view, station);
        await view.close();
    }
}

mkdirSync(dir, { recursive: true });
for (const n of counts.length > 0 ? counts.map(Number) : [16, 256]) {
    const mix = mixes[n] ?? { columns: 8, faults: [], late: [], away: [] };
    const rack = { name: "rack1", boards: n, columns: mix.columns, baud: 9600, faults: mix.faults };
    const station = new Station({ racks: [rack], bundles: n + 8 });
    try {
        await station.prepare();
        await station.startDaemon();
        await station.import();
        await station.startBoards(rack);
        await until("all slots", async () => (await station.slots()).length === n);
        for (const board of [...mix.late, ...mix.away]) {
            await station.control("rack1", `unplug ${board}`);
        }
        await station.openOrder("WO-4711", n, ["rack1"]);
        await settle(station, n, [...mix.late, ...mix.away]);
        await photograph(station, n, mix);
        console.log(`${n} slots: ${dir}`);
    } finally {
        await station.end();
    }
}
process.exit(0);
