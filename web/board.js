// One board, by its IMEI: who it is, where it is now, the bundles it was given, and its jobs.
import { get, links, paths } from "./api.js";
import { el, facts } from "./dom.js";
import { grouped } from "./format.js";
import { makeJobList } from "./joblist.js";
import { live } from "./live.js";
import { loading, panel, stamp, table } from "./parts.js";
import { texts } from "./texts.js";

const t = texts.board;

function bundles(board) {
    if (!board.bundles?.length) {
        return panel(t.bundles, el("p.quiet", null, t.bundlesNone));
    }
    const list = table(t.bundleColumns, ["", "", "", "code", "code"]);
    for (const bundle of board.bundles) {
        const state = [texts.order.stockState[bundle.state] ?? bundle.state, bundle.retired_why].filter(Boolean).join(": ");
        const rows = bundle.credentials?.length ? bundle.credentials : [{}];
        rows.forEach((credential, i) => list.body.append(list.row([i === 0 ? el("b", null, bundle.id) : "", i === 0 ? state : "",
            texts.job.type[credential.type] ?? credential.type, el("span.digest.is-short", null, grouped(credential.sha256)), credential.serial])));
    }
    return panel(t.bundles, list.root);
}

export function openBoard(root, [imei]) {
    const page = el("div.page");
    let jobs = null;
    root.append(page);
    loading(page, async () => {
        const board = await get(paths.board(imei));
        jobs ??= makeJobList({ fixed: { imei }, hidden: ["imei"] });
        const slot = [...live.slots.values()].find((s) => s.board?.imei === imei);
        return [el("h1", null, t.name(imei)),
            facts([
                [t.inSlot, slot ? el("a", { href: links.slot(slot) }, slot.id) : null],
                [t.facts.model, board.model],
                [t.facts.modem_firmware, board.modem_firmware],
                [t.facts.hardware, board.hardware],
                [t.facts.uuid, board.uuid, true],
                [t.facts.first_seen, stamp(board.first_seen)],
                [t.facts.last_seen, stamp(board.last_seen)],
            ], ".is-wide"),
            bundles(board), panel(t.jobs, jobs.root)];
    });
    return { title: t.name(imei), close: () => jobs?.close() };
}
