// Tells the stories of one file, one after the other on one station, in one browser. A story fails by what it asserts, and
// by whatever the page complains about that it does not expect.
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBrowser, whyNot } from "./browser.mjs";

async function one(name, story, browser, hooks) {
    hooks.reset();
    try {
        await story();
    } catch (error) {
        const picture = join(tmpdir(), "certline-web-failed.png");
        await browser.page.screenshot({ path: picture }).catch(() => {});
        throw new Error(`${name}\n${error.stack}\nthe page complained: ${browser.complaints.join("\n")}\nhow it looked: ${picture}`);
    }
    const complaints = browser.complaints.splice(0).filter((text) => !(hooks.expected() ?? /^$/).test(text));
    assert.deepEqual(complaints, [], `console after: ${name}`);
    console.log(`ok ${name}`);
}

// stories: {name: function}. hooks: station; prepare(), once it is up; open(browser); reset(), before each story; expected(),
// what the browser itself reports of requests that a story makes fail, or null. Ends the process.
export async function tell(stories, hooks) {
    const reason = await whyNot();
    if (reason) {
        console.log(`SKIPPED: ${reason}`);
        process.exit(77);
    }
    const { station } = hooks;
    let browser = null;
    let code = 0;
    const all = async () => {
        await station.prepare();
        await station.startDaemon();
        await hooks.prepare();
        browser = await openBrowser({ width: 1280, height: 800 });
        hooks.open(browser);
        for (const [name, story] of Object.entries(stories)) {
            await one(name, story, browser, hooks);
        }
    };
    // What nobody waits for, such as a route's handler, must not end this before the station has ended.
    const strayed = new Promise((_, reject) => { process.on("unhandledRejection", reject); });
    try {
        await Promise.race([all(), strayed]);
    } catch (error) {
        console.error(`FAILED: ${error.message}`);
        code = 1;
    } finally {
        await browser?.close();
        await station.end();
    }
    process.exit(code);
}
