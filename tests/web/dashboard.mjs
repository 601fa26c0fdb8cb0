// Stories of an operator at the dashboard, told one after the other on one station: the order matters. Each waits for what
// it expects to see and for nothing else.
import assert from "node:assert/strict";
import { tell } from "./stories.mjs";
import { accessible, contrast, drop, Rack, scan } from "./check.mjs";
import { Station, until } from "./station.mjs";
import { asTheyStand, columnsFor, walk } from "../../web/geometry.js";
import { texts } from "../../web/texts.js";

const slow = { name: "rack1", boards: 8, columns: 4, baud: 19200, faults: ["hang@any/4", "unplug@byte:1200/5"] };
const bench = { name: "bench", boards: 1, columns: 1, start: "manual" };
const late = { name: "late", boards: 3, columns: 3 };
const station = new Station({ racks: [slow, bench, late], bundles: 12 });
const enough = slow.boards + bench.boards; // bundles for the racks that come first
let page;
let rack;
let expected = null; // what the browser itself reports of requests that a story makes fail

const SILENT = "rack1/004"; // never answers, until it is mended
const PULLED = "rack1/005"; // loses its cable in the middle of its job
const ids = Array.from({ length: slow.boards }, (_, i) => `rack1/00${i + 1}`);
const go = (hash) => page.evaluate((h) => { location.hash = h; }, hash);
const isLinked = (state) => page.waitForSelector(`body[data-link=${state}]`, { timeout: 90_000 });

const stories = {
    async "geometry: columns by count, and arrows as slots stand"() {
        assert.equal(columnsFor(16), 4);
        assert.equal(columnsFor(256), 16);
        assert.equal(columnsFor(1), 1);
        const racks = [{ columns: 4, ids: ["a", "b", "c", "d", "e", "f"] }, { columns: 2, ids: ["x", "y", "z"] }];
        const path = [["a", "ArrowRight", "b"], ["d", "ArrowRight", "d"], ["b", "ArrowDown", "f"], ["d", "ArrowDown", "f"],
            ["e", "ArrowDown", "x"], ["f", "ArrowDown", "y"], ["y", "ArrowUp", "f"], ["a", "ArrowUp", "a"], ["f", "Home", "e"],
            ["b", "End", "d"], ["z", "ArrowDown", "z"]];
        path.forEach(([from, key, to]) => assert.equal(walk(racks, from, key, false), to, `${from} ${key}`));
        assert.equal(walk(racks, "f", "Home", true), "a");
        assert.equal(walk(racks, "a", "End", true), "z");
    },

    async "slots stand as they are named, or by name"() {
        const names = (named) => asTheyStand(["10", "9", "left"].map((name) => ({ name })), named).map(({ name }) => name).join(" ");
        assert.equal(names(null), "9 10 left");
        assert.equal(names(["left", "10", "9"]), "left 10 9");
        assert.equal(names(["10"]), "10 9 left");
    },

    async "an empty rack says so, and boards appear and wait for an order"() {
        await page.goto(station.url);
        await isLinked("live");
        await page.getByText(texts.rack.empty).waitFor();
        await accessible(page, "empty rack");
        await station.startBoards(slow);
        await station.startBoards(bench);
        for (const id of ids.filter((one) => one !== SILENT)) {
            await rack.says(id, texts.state.waiting);
        }
        await page.getByText(texts.hands.waiting("rack1", slow.boards - 1)).waitFor();
        await accessible(page, "waiting rack");
    },

    async "a board that waits is aborted and tried again, by keys alone"() {
        await rack.command("rack1/008", "a");
        await rack.says("rack1/008", "ABORTED");
        assert.ok((await rack.tile("rack1/008").locator(".tile-remedy").textContent()).length > 10, "a remedy");
        await rack.command("rack1/008", "r");
        await rack.says("rack1/008", texts.state.waiting);
    },

    async "an order is opened with the form, and every tile turns"() {
        await page.keyboard.press("g", { delay: 80 }); // as a hand does; at once it would be a scanner
        await page.keyboard.press("o");
        await page.getByLabel(texts.orders.id, { exact: true }).fill("WO-1");
        await page.getByLabel(texts.orders.quantity, { exact: true }).fill("10");
        await page.getByLabel("rack1", { exact: true }).check();
        await page.keyboard.press("Enter");
        await page.getByRole("heading", { name: texts.order.name("WO-1") }).waitFor();
        await go("#/");
        await page.locator('.tile[data-tone="busy"]').first().waitFor();
        for (const id of ids) {
            await rack.says(id, { [SILENT]: "FAIL", [PULLED]: "LOST" }[id] ?? "PASS");
        }
        assert.equal(await page.locator('.tile[data-tone="pass"] use[href="#s-pass"]').count(), slow.boards - 2);
        assert.equal(await page.locator('.tile[data-tone="fail"] use[href="#s-fail"]').count(), 1);
        assert.equal(await page.locator('.tile[data-tone="stopped"] use[href="#s-lost"]').count(), 1);
        const strip = page.locator("section[aria-label=rack1] .strip");
        await strip.getByText("WO-1", { exact: true }).waitFor();
        await until("the order's counts", async () => /^6of 10 passed0failed0in work/.test(await strip.locator(".figures").textContent()));
    },

    async "a second order for the fixture is refused with a reason"() {
        expected = /status of 409/;
        await go("#/orders");
        await page.getByLabel(texts.orders.id, { exact: true }).fill("WO-2");
        await page.getByLabel(texts.orders.quantity, { exact: true }).fill("1");
        await page.getByLabel("rack1", { exact: true }).check();
        await page.keyboard.press("Enter");
        await page.getByRole("alert").getByText(texts.orders.refused).waitFor();
        await accessible(page, "orders");
    },

    async "manual start, by key pressed twice"() {
        await station.openOrder("<b>&amp;", 1, ["bench"]);
        await go("#/");
        await page.locator(".strip-order", { hasText: "<b>&amp;" }).waitFor(); // text stays text
        await rack.says("bench/001", texts.state.waiting, texts.waiting.aborted);
        await rack.command("bench/001", "s");
        await rack.says("bench/001", "PASS");
    },

    async "a pulled cable and a silent board: fault and remedy, in the tile and in the list"() {
        for (const id of [SILENT, PULLED]) {
            const remedy = await rack.tile(id).locator(".tile-remedy").textContent();
            assert.ok(remedy.length > 10, `a remedy for ${id}`);
            await page.locator(".hand", { hasText: id }).getByText(remedy).waitFor();
        }
        await accessible(page, "rack that needs hands");
    },

    async "the cable is put back and the board mended: both pass"() {
        await station.control("rack1", "plug 5");
        await rack.says(PULLED, "PASS");
        await station.control("rack1", "clear 4");
        await station.control("rack1", "unplug 4");
        await rack.says(SILENT, texts.state.absent);
        await station.control("rack1", "plug 4");
        await rack.says(SILENT, "PASS");
        await page.waitForFunction(() => document.querySelectorAll(".hand").length === 0);
        await page.getByText(texts.ended.takeOut(slow.boards)).waitFor();
        await station.control("rack1", "unplug 3");
        await rack.says("rack1/003", texts.state.absent);
        await station.control("rack1", "plug 3"); // passed before: compared only
        await rack.says("rack1/003", "PASS", texts.passNote.already_right);
    },

    async "retry of a board that is right writes nothing"() {
        const before = (await station.api("/api/v1/jobs?slot=rack1/001")).body.jobs.length;
        await rack.command("rack1/001", "r");
        await until("one more job", async () => (await station.api("/api/v1/jobs?slot=rack1/001")).body.jobs.length === before + 1);
        await rack.says("rack1/001", "PASS", texts.passNote.already_right);
    },

    async "one key press alone does nothing, and Escape cancels"() {
        await rack.tile("rack1/002").focus();
        await page.keyboard.press("r");
        await page.locator('.notice[data-kind="question"]:popover-open').waitFor();
        await page.keyboard.press("Escape");
        await page.locator(".notice:popover-open").waitFor({ state: "detached" });
        assert.equal(await rack.tile("rack1/002").locator(".tile-ask").isVisible(), false);
        assert.equal((await station.api("/api/v1/jobs?slot=rack1/002")).body.jobs.length, 1);
    },

    async "arrows walk, Enter opens, Escape closes and gives the focus back"() {
        await rack.tile("rack1/001").focus();
        for (const key of ["ArrowRight", "ArrowDown", "ArrowRight"]) {
            await page.keyboard.press(key);
        }
        assert.equal(await page.evaluate(() => document.activeElement.dataset.id), "rack1/007");
        assert.equal(await page.locator('.tile[tabindex="0"]').count(), 1);
        await page.keyboard.press("Enter");
        const dialog = page.getByRole("dialog", { name: texts.slot.name("007") });
        await dialog.waitFor();
        await accessible(page, "slot dialog");
        await page.keyboard.press("Escape");
        await dialog.waitFor({ state: "detached" });
        assert.equal(await page.evaluate(() => document.activeElement.dataset.id), "rack1/007");
        await page.keyboard.press("?");
        await page.getByRole("dialog", { name: texts.keys.title }).waitFor();
        await accessible(page, "keys");
        await page.keyboard.press("Escape");
    },

    async "a scanner finds slots, boards, orders, and never works as keys"() {
        expected = /status of 404/;
        const [slot] = (await station.slots()).filter(({ id }) => id === "rack1/006");
        await rack.tile("rack1/001").focus();
        await scan(page, slot.board.imei);
        await page.getByRole("dialog", { name: texts.slot.name("006") }).waitFor();
        await page.keyboard.press("Escape");
        await page.locator("dialog").waitFor({ state: "detached" });
        await scan(page, "arrsall-1"); // full of command letters
        await page.locator('.notice[data-kind="error"]', { hasText: texts.find.nothing("arrsall-1") }).waitFor();
        assert.equal(await page.locator('.tile-ask:visible').count(), 0);
        await scan(page, "WO-1");
        await page.getByRole("heading", { name: texts.order.name("WO-1") }).waitFor();
    },

    async "the order's page has counts, yield, stock and jobs"() {
        await page.locator(".big", { hasText: texts.order.yield }).getByText("100 %").waitFor();
        await page.locator(".stock", { hasText: texts.order.stockState.installed }).waitFor();
        await page.locator(".jobs tbody tr").first().waitFor();
        await accessible(page, "order");
        await page.getByLabel(texts.jobs.filter.outcome, { exact: true }).selectOption("LOST");
        await until("one row", async () => await page.locator(".jobs tbody tr").count() === 1);
        await page.getByLabel(texts.jobs.filter.outcome, { exact: true }).selectOption("TIMEOUT");
        await page.getByText(texts.jobs.none).waitFor();
        await page.getByRole("button", { name: texts.jobs.clear }).click();
        await page.locator(".jobs tbody tr").first().waitFor();
    },

    async "a job has digests, a waterfall, and a dialogue without its secret"() {
        const { body } = await station.api("/api/v1/jobs?work_order=WO-1&reason=ok&limit=1");
        await go(`#/job/${body.jobs[0].id}`);
        await page.locator(".waterfall rect").first().waitFor();
        assert.equal(await page.locator(".digest").count(), 3);
        assert.match(await page.locator(".dialogue").textContent(), /«private_key \d+ octets»/);
        assert.doesNotMatch(await page.locator("body").textContent(), /BEGIN [A-Z ]*PRIVATE KEY/);
        await accessible(page, "job");
        await go(`#/board/${body.jobs[0].imei}`);
        await page.getByRole("heading", { name: texts.board.name(body.jobs[0].imei) }).waitFor();
        await page.locator(".jobs tbody tr").first().waitFor();
        await accessible(page, "board");
        await go("#/jobs");
        await page.locator(".jobs tbody tr").nth(8).waitFor();
        await accessible(page, "jobs");
    },

    async "a file that is none of bundles is explained and not sent"() {
        await go("#/import");
        await page.locator(".drop").waitFor();
        const files = { "ca.pem": ["-----BEGIN CERTIFICATE-----\nMII", texts.import.bad.pem], "list.csv": ["imei,cert\n3514,x\n", texts.import.bad.csv],
            "all.json": ["[\n{\"id\":1}\n]", texts.import.bad.array], "nothing": ["", texts.import.bad.empty], "x.zip": ["PK\u0003\u0004", texts.import.bad.zip] };
        for (const [name, [content, text]] of Object.entries(files)) {
            await drop(page, name, content);
            await page.locator(".import-bad", { hasText: name }).getByText(text).waitFor();
        }
        await accessible(page, "import of a wrong file");
    },

    async "of a file with bad rows the refused come first, with what to do"() {
        await drop(page, "lot.ndjson", [station.bundles[0], "hello", '{"id":"x","product":"tracker","client_cert":"y","private_key":"z"}'].join("\n"));
        await page.getByText(texts.import.someRefused(2)).waitFor();
        const rows = await page.locator(".import-rows tbody tr").evaluateAll((all) => all.map((tr) => [...tr.children].map((td) => td.textContent)));
        assert.deepEqual(rows.map(([row]) => row), ["2", "3", "1"]);
        assert.ok(rows[0][3].length > 10 && rows[1][3].includes("client_cert"), "what is wrong");
        await accessible(page, "import with refused rows");
    },

    async "a station that is silent is noticed, and what is shown stays, grey"() {
        await go("#/");
        await rack.says("rack1/001", "PASS");
        await page.evaluate(() => { document.querySelector(".tile").mark = "the same"; });
        expected = /net::ERR_/;
        station.daemon.kill("SIGSTOP");
        await isLinked("lost");
        await page.getByRole("alert").getByText(texts.link.banner).waitFor();
        assert.equal(await page.locator('.tile[data-tone="pass"]').count(), slow.boards + 1);
        assert.match(await page.evaluate(() => getComputedStyle(document.querySelector("main")).filter), /grayscale/);
        station.daemon.kill("SIGCONT");
        await isLinked("live");
        assert.equal(await page.evaluate(() => document.querySelector(".tile").mark), "the same");
    },

    async "a station that died and came back is found again, without a flicker"() {
        expected = /net::ERR_/;
        await station.endDaemon("SIGKILL");
        await isLinked("lost");
        await station.startDaemon();
        await isLinked("live");
        await rack.says("rack1/001", "PASS");
        assert.equal(await page.evaluate(() => document.querySelector(".tile").mark), "the same");
        await page.locator(".banner").waitFor({ state: "hidden" });
        await station.control("rack1", "unplug 8");
        await rack.says("rack1/008", texts.state.absent); // the new stream is heard
    },

    async "every tone is told by shape and word, and can be read"() {
        for (const colorScheme of ["light", "dark"]) {
            await page.emulateMedia({ colorScheme });
            const tones = await page.evaluate(() => {
                const tile = document.querySelector(".tile");
                const was = tile.dataset.tone;
                const all = ["pass", "fail", "error", "stopped", "barred", "recording", "busy", "waiting"].map((tone) => {
                    tile.dataset.tone = tone;
                    const style = getComputedStyle(tile);
                    return { tone, ink: style.color, paper: style.backgroundColor };
                });
                tile.dataset.tone = was;
                return all;
            });
            for (const { tone, ink, paper } of tones) {
                assert.ok(contrast(ink, paper) >= 7, `${colorScheme} ${tone}: ${contrast(ink, paper).toFixed(2)}`);
            }
            await accessible(page, `rack, ${colorScheme}`);
        }
        const { outcomes } = await import("../../web/faces.js");
        assert.equal(new Set(Object.values(outcomes).map(({ symbol }) => symbol)).size, 6);
    },

    async "boards that found no bundle are one line, and go on together after the import"() {
        await go("#/");
        await station.openOrder("WO-3", late.boards, ["late"]);
        await station.startBoards(late);
        const names = [1, 2, 3].map((n) => `late/00${n}`);
        for (const id of names) {
            await rack.says(id, "ERROR");
        }
        const title = await rack.tile(names[0]).locator(".tile-note").textContent();
        await page.locator(".hand", { hasText: texts.hands.alike("late", 3, title) }).waitFor();
        assert.equal(await page.locator(".hand", { hasText: title }).count(), 1);
        await accessible(page, "boards without bundles");
        await station.import(station.bundles.slice(enough));
        await page.getByRole("button", { name: texts.rack.retryAll(3) }).click();
        for (const id of names) {
            await rack.says(id, "PASS");
        }
        await page.getByText(texts.rack.retried(3, 3)).waitFor();
        await page.getByRole("button", { name: /^Retry/ }).waitFor({ state: "hidden" });
    },

    async "boards of one IMEI name each other"() {
        const other = "late/002";
        await station.control("late", "unplug 2");
        await rack.says(other, texts.state.absent);
        await station.control("late", "fault same_imei/2");
        await station.control("late", "plug 2");
        await rack.says(other, texts.state.held, texts.stateNote.twins(["001"]));
        await rack.says("late/001", texts.state.held, texts.stateNote.twins(["002"]));
        await page.locator(".hand", { hasText: texts.hands.twins(["late/001", "late/002"]) }).waitFor();
        assert.equal(await page.locator('.hand use[href="#s-held"]').count(), 1);
        await station.control("late", "unplug 2");
        await rack.says(other, texts.state.absent);
        await rack.command("late/001", "l");
        await rack.says("late/001", "PASS");
    },

    async "an order is closed with a second press"() {
        await go("#/order/WO-1");
        await page.getByRole("button", { name: texts.order.close }).click();
        await page.getByRole("button", { name: texts.order.closeSure }).click();
        await page.locator('.state[data-state="closed"]').waitFor();
    },
};

await tell(stories, {
    station,
    prepare: () => station.import(station.bundles.slice(0, enough)),
    open(browser) {
        page = browser.page;
        rack = new Rack(page);
    },
    expected: () => expected,
    reset() {
        expected = null;
    },
});
