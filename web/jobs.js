import { el } from "./dom.js";
import { makeJobList } from "./joblist.js";
import { texts } from "./texts.js";

export function openJobs(root) {
    const list = makeJobList();
    root.append(el("div.page", null, el("h1", null, texts.jobs.title), list.root));
    return { title: texts.jobs.title, close: list.close };
}
