/* What every page of the console can do by itself, once there is JavaScript:
 *
 * - `<button data-copy="#id">` copies the text of that element, without the summaries of its folds;
 * - J and K go from one `[data-row]` to the next, Enter opens it: the link of its `data-href`, or
 *   its first fold;
 * - `/` goes to the field with `data-key="/"`, `?` shows the dialog of the keys.
 *
 * What it says stands in the page, as `data-say-…` of `#programs-words`, in the reader's language.
 */
"use strict";

(() => {
    document.documentElement.classList.add("programs-js");

    const words = document.getElementById("programs-words")?.dataset ?? {};

    // Copying ------------------------------------------------------------------------------

    const textOf = (element) => {
        if ("value" in element) return element.value;
        const copy = element.cloneNode(true);
        copy.querySelectorAll("summary").forEach((summary) => summary.remove());
        return copy.textContent.trim();
    };

    const copy = async (button) => {
        const source = document.querySelector(button.dataset.copy);
        if (!source) return;
        let told = words.sayCopied ?? "";
        try {
            await navigator.clipboard.writeText(textOf(source));
        } catch {
            told = words.sayRefused ?? "";
        }
        const label = button.dataset.label ?? button.textContent;
        button.dataset.label = label;
        button.textContent = told;
        setTimeout(() => { button.textContent = label; }, 1500);
    };

    document.addEventListener("click", (event) => {
        const button = event.target.closest("[data-copy]");
        if (button) copy(button);
        if (event.target.closest("[data-keys]")) showKeys();
    });

    // Keys -----------------------------------------------------------------------------------

    const rows = () => [...document.querySelectorAll("[data-row]")];

    const move = (by) => {
        const all = rows();
        if (!all.length) return;
        const here = all.findIndex((row) => row.contains(document.activeElement));
        const next = all[here < 0 ? 0 : Math.min(Math.max(here + by, 0), all.length - 1)];
        next.tabIndex = -1;
        next.focus();
        next.scrollIntoView({ block: "nearest" });
    };

    const open = (row) => {
        if (row.dataset.href) location.assign(row.dataset.href);
        else row.querySelector("summary")?.click();
    };

    const showKeys = () => document.getElementById("programs-keys")?.showModal();

    const isTyping = (element) =>
        element.matches("input:not([type=checkbox], [type=radio], [type=submit]), textarea, select") ||
        element.isContentEditable;

    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
        if (isTyping(event.target) || event.target.closest("dialog[open]")) return;
        const acts = {
            j: () => move(1),
            k: () => move(-1),
            "/": () => document.querySelector('[data-key="/"]')?.focus(),
            "?": showKeys,
            Enter: () => open(event.target),
        };
        const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
        // Enter on a link or a button inside a row is that link's or button's own.
        if (!acts[key] || (key === "Enter" && !event.target.matches("[data-row]"))) return;
        event.preventDefault();
        acts[key]();
    });

    // What was opened stays open when a live part of the page is replaced ---------------------

    const chosen = new Map(); // data-fold -> open, as the reader left it

    document.addEventListener("click", (event) => {
        const fold = event.target.closest("summary")?.closest("details[data-fold]");
        if (fold) chosen.set(fold.dataset.fold, !fold.open);
    });

    document.addEventListener("htmx:afterSwap", () => {
        for (const fold of document.querySelectorAll("details[data-fold]")) {
            if (chosen.has(fold.dataset.fold)) fold.open = chosen.get(fold.dataset.fold);
        }
    });

    // What somebody is marking, or is at with the keyboard, is not taken away under their hands.
    document.addEventListener("htmx:beforeSwap", (event) => {
        const target = event.detail.target;
        const marked = getSelection();
        const isMarked = !marked.isCollapsed && target.contains(marked.anchorNode);
        if (target.hasAttribute("data-careful") && isMarked) event.detail.shouldSwap = false;
    });
})();
