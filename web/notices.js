// One line at the foot of the page: what was just done, refused, or is asked. It goes by itself or at Escape, except a
// question, which its asker ends. It is a popover, so that it stands above a dialog too.
import { el, setSymbol, setText, setAttribute, symbol } from "./dom.js";

const SUCCESS_MS = 5000;
const ERROR_MS = 15000;

const sign = symbol("pass");
const title = el("b");
const detail = el("span");
const box = el("div.notice", { role: "status", "aria-live": "assertive", popover: "manual" }, sign, el("p", null, title, " ", detail));
let timer = 0;

export function mountNotices(parent) {
    parent.append(box);
}

function show(kind, name, text, more, ms) {
    clearTimeout(timer);
    setAttribute(box, "data-kind", kind);
    setSymbol(sign, name);
    setText(title, text);
    setText(detail, more);
    box.hidePopover();
    box.showPopover();
    timer = ms > 0 ? setTimeout(hide, ms) : 0;
}

function hide() {
    clearTimeout(timer);
    box.hidePopover();
}

export const tellSuccess = (text, more = "") => show("success", "pass", text, more, SUCCESS_MS);
export const tellError = (text, more = "") => show("error", "error", text, more, ERROR_MS);
export const tellQuestion = (text, more = "") => show("question", "question", text, more, 0);

export function endQuestion() {
    if (box.dataset.kind === "question") {
        hide();
    }
}

// Returns whether there was something to hide.
export function hideNotice() {
    const was = box.matches(":popover-open");
    hide();
    return was;
}
