// Debian's Chromium, driven by playwright-core. What the page complains about is gathered: console errors, violations of
// the policy, exceptions.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-color-profile=srgb"];

// Why the browser cannot run here, or null.
export async function whyNot() {
    if (!existsSync(CHROMIUM)) {
        return `${CHROMIUM} is not installed`;
    }
    return import("playwright-core").then(() => null, () => "playwright-core is not installed (npm ci in tests/web)");
}

export async function openBrowser({ width = 1920, height = 1080, colorScheme = "light" } = {}) {
    const { chromium } = await import("playwright-core");
    const profile = mkdtempSync(join(tmpdir(), "certline-chromium."));
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: CHROMIUM, headless: true, args: SWITCHES, viewport: { width, height }, colorScheme, reducedMotion: "reduce",
    });
    const page = context.pages()[0] ?? await context.newPage();
    const complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(`${message.text()} ${message.location().url}`));
    page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
    await page.addInitScript(() => {
        window.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    page.setDefaultTimeout(120_000); // for hangs only
    return {
        page,
        complaints,
        async close() {
            await context.close();
            rmSync(profile, { recursive: true, force: true });
        },
    };
}
