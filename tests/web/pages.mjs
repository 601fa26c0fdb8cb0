// Stories of the pages beside the rack, and of the rack on other screens, told one after the other on one station: the order
// matters.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { accessible, drop, Rack } from "./check.mjs";
import { Station, until } from "./station.mjs";
import { tell } from "./stories.mjs";
import { texts } from "../../web/texts.js";

const left = { name: "left", boards: 6, columns: 3, baud: 19200, names: ["upper-left", "upper-middle", "upper-right-hand-side", "L4", "L5", "10"], faults: ["supply_low/2", "stored_wrong:1/3"] };
const right = { name: "rack-of-hall-7", boards: 12, columns: 4, baud: 19200, faults: ["unplug@byte:1200/2"] };
const station = new Station({ racks: [left, right], bundles: 20, name: "SZ-L3-PRV-02-with-a-long-name" });
const LONG = "PO-2026-11-20-0000471100-REV-B-customer-northwind-sensors-63ch";
const SIZES = { "twice the size of 1920": [960, 540], "twice the size of 1280": [640, 400], telephone: [390, 844], small: [1280, 800] };
const VERDICTS = new Set(["done", "absent"]);
let page;
let rack;
let expected = null;
const go = (hash) => page.evaluate((h) => { location.hash = h; }, hash);
const isLinked = (state) => page.waitForSelector(`body[data-link=${state}]`, { timeout: 90_000 });

// How often styles were computed while `change` ran in the page and was laid out.
async function stylesComputed(change) {
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Performance.enable");
    const count = async () => (await cdp.send("Performance.getMetrics")).metrics.find(({ name }) => name === "RecalcStyleCount").value;
    await page.evaluate(() => document.body.offsetHeight);
    const before = await count();
    await page.evaluate(change);
    const n = await count() - before;
    await cdp.detach();
    return n;
}

const stories = {
    async "what is in work is what the tiles say"() {
        await page.goto(station.url);
        await isLinked("live");
        await station.startBoards(left);
        await station.startBoards(right);
        await until("all wait", async () => (await station.slots()).filter((slot) => slot.state === "waiting").length === 18);
        await page.waitForFunction(() => document.querySelectorAll('.tile[data-tone="waiting"]').length === 18);
        await station.openOrder(LONG, 18, ["left", "rack-of-hall-7"]);
        await page.waitForFunction(() => {
            const working = document.querySelectorAll('.tile:is([data-tone="busy"], [data-tone="recording"])').length;
            const said = [...document.querySelectorAll(".figures")].map((figures) => Number(figures.children[2].querySelector("b").textContent));
            return working > 9 && said.every((n) => n === working);
        });
        await until("the verdicts", async () => (await station.slots()).every((slot) => VERDICTS.has(slot.state)));
    },

    async "the end of a rack's work is shown, said and sounded"() {
        await page.keyboard.press("m", { delay: 80 });
        await page.getByRole("button", { name: texts.sound.on }).waitFor();
        await page.evaluate(() => {
            window.tones = [];
            const { start } = OscillatorNode.prototype;
            OscillatorNode.prototype.start = function (...when) {
                window.tones.push(this.frequency.value);
                start.apply(this, when);
            };
        });
        await page.locator(".ended li", { hasText: texts.ended.title("left") }).getByText(texts.ended.takeOut(4)).waitFor();
        await page.locator(".ended li", { hasText: texts.ended.title("rack-of-hall-7") }).getByText(texts.ended.takeOut(11)).waitFor();
        await station.control("left", "unplug 4");
        await rack.says("left/L4", texts.state.absent);
        await page.locator(".ended li", { hasText: "left" }).getByText(texts.ended.takeOut(3)).waitFor();
        await go("#/orders");
        await station.control("left", "plug 4");
        await page.locator(".notice", { hasText: texts.ended.said("left", 4, 2) }).waitFor();
        await page.getByRole("status").filter({ hasText: texts.ended.said("left", 4, 2) }).first().waitFor({ state: "attached" });
        assert.equal((await page.evaluate(() => window.tones)).length, 3);
        await go("#/");
    },

    async "a page that is loaded again is there again"() {
        await page.reload();
        await isLinked("live");
        await page.locator(".tile").first().waitFor();
    },

    async "the shift's boards are counted, from midnight or from when somebody says"() {
        const figures = page.locator(".shift-figures");
        await figures.filter({ hasText: /^15 passed2 failed$/ }).waitFor();
        await page.getByRole("button", { name: texts.shift.reset, exact: true }).click();
        await figures.filter({ hasText: /^0 passed0 failed$/ }).waitFor();
        await page.evaluate(() => localStorage.removeItem("certline.shift"));
    },

    async "slots stand as they are named"() {
        const names = await page.locator("section[aria-label=left] .tile-name").allTextContents();
        assert.deepEqual(names, left.names);
    },

    async "the window's title counts what needs hands"() {
        await page.waitForFunction(() => document.title.startsWith("(3) "));
    },

    async "a selected slot names its fixture where there are several, and a detail that is a step says so"() {
        await rack.says("rack-of-hall-7/002", "LOST");
        await rack.tile("rack-of-hall-7/002").focus();
        await page.locator(".focus-name", { hasText: "rack-of-hall-7/002" }).waitFor();
        await page.locator(".focus-detail", { hasText: texts.inStep("") }).waitFor();
    },

    // With their sizes in containers, tiles are dear to lay out: 256 of them took a tenth of a second for a digit.
    async "what changes above or beside the tiles leaves them alone"() {
        const tiles = await page.locator(".tile").count();
        const changes = [() => { document.querySelector(".figure b").textContent = "17"; },
            () => { document.querySelector(".meter").style.setProperty("--rest", 3); },
            () => { document.querySelector(".hands-list").append(document.createElement("li")); },
            () => { document.querySelector(".focus-detail").textContent = "It is longer now."; }];
        for (const change of changes) {
            const n = await stylesComputed(`(${change})(); document.body.offsetHeight`);
            assert.ok(n < tiles / 2, `${n} for ${change}`);
        }
    },

    async "no page is wider than its window, and no line above a fixture lies on tiles"() {
        const job = (await station.api("/api/v1/jobs?reason=digest_mismatch")).body.jobs[0];
        const pages = { "#/": ".tile", "#/orders": ".orders tbody tr", "#/jobs": ".jobs tbody tr", [`#/order/${LONG}`]: ".jobs tbody tr",
            [`#/job/${job.id}`]: ".waterfall", [`#/board/${job.imei}`]: ".jobs tbody tr", "#/import": ".drop" };
        for (const [what, [width, height]] of Object.entries(SIZES)) {
            await page.setViewportSize({ width, height });
            for (const [hash, sign] of Object.entries(pages)) {
                await go(hash);
                await page.locator(sign).first().waitFor();
                const over = await page.evaluate(() => Math.max(...["html", "main"].map((s) => document.querySelector(s).scrollWidth - document.querySelector(s).clientWidth)));
                assert.ok(over <= 0, `${what}: ${hash} by ${over} px`);
            }
            await go("#/");
            await page.locator(".tile").first().waitFor();
            const lines = await page.locator(".strip, .grid").evaluateAll((all) => all.map((node) => node.getBoundingClientRect()).map(({ top, bottom }) => [top, bottom]));
            lines.slice(1).forEach(([top], i) => assert.ok(top >= lines[i][1], `${what}: ${JSON.stringify(lines)}`));
            await accessible(page, what);
        }
        await page.setViewportSize({ width: 1280, height: 800 });
    },

    async "a job's page that was open when its job ended shows the end"() {
        await go("#/");
        await page.evaluate(async () => { // as soon as the page knows of it
            const { live, listen } = await import("/live.js");
            const stop = listen((kind, slot) => {
                if (kind === "slot" && slot.id === "rack-of-hall-7/002" && slot.job && slot.state === "running") {
                    stop();
                    location.hash = `#/job/${slot.job}`;
                }
            });
        });
        await station.control("rack-of-hall-7", "plug 2");
        await page.locator(".job-head", { hasText: texts.job.underWay }).waitFor();
        await page.locator(".job-head .badge", { hasText: "PASS" }).waitFor();
        await page.locator(".waterfall rect").first().waitFor();
    },

    async "filters stand in the address, and back and reload lead to the same place"() {
        const rows = page.locator(".jobs tbody tr");
        // What is above may still grow by a line: the browser keeps what is read in its place.
        const isThere = () => Math.abs(document.querySelector("main").scrollTop - 150) < 80;
        await go("#/jobs");
        await rows.nth(18).waitFor();
        const all = await rows.count();
        await page.getByLabel(texts.jobs.filter.outcome, { exact: true }).selectOption("FAIL");
        await until("two jobs", async () => await rows.count() === 2);
        assert.match(page.url(), /#\/jobs\?outcome=FAIL$/);
        await page.getByLabel(texts.jobs.filter.from, { exact: true }).fill("2001-01-01T00:00");
        await page.getByLabel(texts.jobs.filter.to, { exact: true }).fill("2001-01-02T00:00");
        await page.getByText(texts.jobs.none).waitFor();
        await page.getByRole("button", { name: texts.jobs.clear }).click();
        await until("all jobs", async () => await rows.count() === all);
        await page.evaluate(() => { document.querySelector("main").scrollTop = 150; });
        await page.waitForFunction(() => history.state?.top === 150);
        await rows.nth(9).locator("a").first().click();
        await page.locator(".job-head").waitFor();
        assert.equal(await page.evaluate(() => document.querySelector("main").scrollTop), 0);
        await page.goBack();
        await page.waitForFunction(isThere);
        await page.reload();
        await page.waitForFunction(isThere);
        await page.goto(`${station.url}/#/jobs?reason=digest_mismatch`);
        await page.reload();
        await until("one job", async () => await rows.count() === 1);
        assert.equal(await page.getByLabel(texts.jobs.filter.reason, { exact: true }).inputValue(), "digest_mismatch");
    },

    async "on paper a job's page is whole, has its date, and nothing that only a screen has"() {
        const { body } = await station.api("/api/v1/jobs?reason=digest_mismatch");
        await go(`#/job/${body.jobs[0].id}`);
        await page.locator(".dialogue").waitFor();
        await page.emulateMedia({ media: "print" });
        assert.ok(await page.evaluate(() => {
            const { scrollHeight, clientHeight } = document.querySelector(".dialogue");
            return scrollHeight <= clientHeight && getComputedStyle(document.querySelector("main")).overflowY === "visible";
        }));
        for (const part of [".top nav", ".find", ".sound"]) {
            assert.equal(await page.locator(part).isVisible(), false, part);
        }
        assert.match(await page.evaluate(() => getComputedStyle(document.querySelector("time[data-day]"), "::before").content), /\d{4}-\d\d-\d\d/);
        await page.emulateMedia({ media: "screen" });
    },

    async "what stopped boards leads to their jobs"() {
        await go(`#/order/${LONG}`);
        await page.locator(".why button").first().waitFor();
        await page.locator(".why li", { hasText: "FAIL" }).first().locator("button").click();
        await until("one job", async () => await page.locator(".jobs tbody tr").count() === 1);
        assert.match(page.url(), /outcome=FAIL&reason=/);
    },

    async "a selected slot stays selected when the page is loaded again"() {
        await go("#/");
        await rack.tile("left/L5").focus();
        await page.reload();
        await page.locator(".focus-name", { hasText: "left/L5" }).waitFor();
    },

    async "a file goes in by pieces, with its own numbers of rows, and is on record"() {
        const rows = Array.from({ length: 9000 }, (_, i) => JSON.stringify({ id: `r-${i + 1}`, product: "tracker", client_cert: "x".repeat(200), private_key: "y" }));
        rows[7000] = station.bundles[0];
        rows[8000] = "z".repeat(2_500_000);
        const file = `\uFEFF${rows.join("\n")}`;
        await go("#/import");
        await page.locator(".drop").waitFor();
        await drop(page, "big.ndjson", file);
        await page.getByText(texts.import.someRefused(8999)).waitFor();
        const listed = await page.locator(".import-rows tbody tr").evaluateAll((all) => all.map((tr) => [...tr.children].map((td) => td.textContent)));
        assert.deepEqual([listed[0][0], listed[0][1], listed[199][0], listed[199][1]], ["1", "r-1", "200", "r-200"]);
        const last = await page.evaluate(async () => {
            const { currentImport } = await import("/upload.js");
            return currentImport().list.filter(({ row }) => row > 7990 && row !== 8001).map(({ id, row, detail }) => [id, row, detail]);
        });
        assert.equal(last.length, 1009);
        last.forEach(([id, row, detail]) => assert.ok(id === `r-${row}` && (!/row \d/.test(detail) || detail.includes(`row ${row}`)), `${id} ${row} ${detail}`));
        const { events } = (await station.api("/api/v1/events?limit=1000")).body;
        const told = events.find(({ data }) => data?.file === "big.ndjson");
        assert.equal(told.data.sha256.toLowerCase(), createHash("sha256").update(file).digest("hex"));
        await accessible(page, "import of many rows");
    },

    async "an import waits for a station that died, goes on by itself, and is told of on every page"() {
        expected = /net::ERR_/;
        await go("#/");
        await go("#/import");
        station.daemon.kill("SIGSTOP"); // so that the file is surely on its way when the station dies
        await drop(page, "again.ndjson", station.bundles.join("\n"));
        await page.locator(".import-progress").waitFor();
        await drop(page, "another.ndjson", station.bundles[0]);
        await page.locator('.notice[data-kind="error"]', { hasText: texts.import.busy }).waitFor();
        await station.endDaemon("SIGKILL");
        await page.getByText(texts.import.waiting).waitFor();
        await go("#/jobs");
        await page.locator("nav a", { hasText: texts.import.nav(0) }).waitFor();
        await station.startDaemon();
        await page.locator(".notice", { hasText: texts.import.ended("again.ndjson") }).waitFor();
        await go("#/import");
        await page.locator(".import-head", { hasText: texts.import.noneTaken }).waitFor();
        assert.equal(await page.locator(".big", { hasText: texts.import.duplicate }).locator("b").textContent(), String(station.bundles.length));
    },

    async "an address that is none shows what is there"() {
        expected = /status of 40[04]/;
        await go("#/order/%zz");
        await page.locator(".page").getByRole("alert").waitFor();
        await go("#/nowhere");
        await page.locator(".tile").first().waitFor();
    },

    async "a page of another program is loaded again when the station was updated, and not while somebody types"() {
        expected = /net::ERR_/;
        await page.evaluate(() => { window.isOld = true; });
        await page.route("**/api/v1/station", async (route) => {
            const answer = await route.fetch().catch(() => null);
            await (answer ? route.fulfill({ response: answer, json: { ...await answer.json(), version: "99.0.0" } }) : route.abort());
        });
        await page.getByLabel(texts.find.label).focus();
        await station.endDaemon("SIGKILL");
        await isLinked("lost");
        await station.startDaemon();
        await isLinked("live");
        await page.waitForFunction(async () => (await import("/live.js")).live.station.version === "99.0.0");
        assert.equal(await page.evaluate(() => window.isOld), true);
        await page.getByLabel(texts.find.label).blur();
        await page.waitForFunction(() => !window.isOld);
        await isLinked("live");
        await page.unrouteAll({ behavior: "wait" }); // a request under way keeps its handler
        await page.reload();
        await isLinked("live");
    },

    async "a browser whose clock is wrong shows the station's time"() {
        const other = await page.context().newPage();
        await other.addInitScript(() => {
            const { now } = Date;
            Date.now = () => now() + 3 * 60 * 60 * 1000;
        });
        await other.goto(station.url);
        await other.waitForSelector("body[data-link=live]");
        const clock = () => new Date().toTimeString().slice(0, 5);
        await until("the station's minute", async () => await other.locator(".clock").textContent() === clock());
        await other.close();
    },

    async "a search that the station did not answer says so, and a countdown is not read aloud"() {
        expected = /net::ERR_/;
        await station.endDaemon("SIGKILL");
        await isLinked("lost");
        const alert = page.locator(".banner").getByRole("alert");
        const said = await alert.textContent();
        await page.getByLabel(texts.find.label).fill("WO-77");
        await page.keyboard.press("Enter");
        await page.locator('.notice[data-kind="error"]', { hasText: texts.find.failed }).waitFor();
        assert.equal(await alert.textContent(), said);
        await station.startDaemon();
        await isLinked("live");
    },
};

await tell(stories, {
    station,
    prepare: () => station.import(),
    open(browser) {
        page = browser.page;
        rack = new Rack(page);
    },
    expected: () => expected,
    reset() {
        expected = null;
    },
});
