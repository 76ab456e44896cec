/* The picker of jobs on the page "Create a program": find a job, add it, move it, remove it.
 *
 * It stands on what the server wrote: the list of known jobs, and the text area with the chosen
 * names, one a line. The text area is what is sent, and can be typed into all the while. What is said
 * stands there, too, as `data-say-…`, in the reader's language.
 */
"use strict";

(() => {
    const LINES = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/; // where Python ends a line, too

    const picker = document.querySelector(".programs-picker");
    const area = picker && picker.querySelector("textarea[name=jobs]");
    const catalog = picker && picker.querySelector(".programs-catalog");
    if (!area || !catalog) return;

    const make = (tag, attributes = {}, ...children) => {
        const element = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
        element.append(...children);
        return element;
    };

    const words = catalog.closest(".programs-known").dataset;
    const told = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

    const known = new Map();
    catalog.querySelectorAll("[data-job]").forEach((item) => known.set(item.dataset.job, item));

    const spoken = make("p", { class: "visually-hidden", role: "status" });
    const say = (text) => { spoken.textContent = text; };

    // The chosen jobs ------------------------------------------------------------------------

    let names = [];

    const list = make("ol", { class: "programs-chosen", "aria-labelledby": "chosen-jobs" });
    const none = make("p", { class: "help" }, words.sayNone);
    const summary = make("summary", {}, words.sayText);

    const namesIn = (text) => text
        .split(LINES)
        .flatMap((line) => (known.has(line.trim()) ? [line] : line.split(",")))
        .map((name) => name.trim())
        .filter(Boolean);

    const toolOf = (act, label, name, index) => make(
        "button",
        {
            type: "button",
            class: "programs-tool",
            "data-act": act,
            "aria-label": told(words.sayStep, { deed: label, name, number: index + 1 }),
        },
        label,
    );

    const itemOf = (name, index) => {
        const item = known.get(name);
        const said = item && item.querySelector("p");
        const about = item
            ? make("span", { class: "programs-quiet" }, said ? said.textContent : "")
            : make("span", { class: "programs-problem" }, words.sayUnknown);
        return make(
            "li",
            {},
            make("div", {}, make("b", {}, make("bdi", {}, name)), about),
            make(
                "div",
                { class: "programs-tools" },
                toolOf("up", words.sayUp, name, index),
                toolOf("down", words.sayDown, name, index),
                toolOf("remove", words.sayRemove, name, index),
            ),
        );
    };

    const show = () => {
        list.replaceChildren(...names.map(itemOf));
        list.hidden = !names.length;
        none.hidden = Boolean(names.length);
    };

    const change = (changed) => {
        names = changed;
        area.value = names.join("\n");
        show();
    };

    const focusOn = (index, act) => {
        const item = list.children[Math.min(index, list.children.length - 1)];
        (item ? item.querySelector(`[data-act=${act}]`) : find).focus();
    };

    const add = (name) => {
        change([...names, name]);
        say(told(words.sayAdded, { name, number: names.length }));
    };

    const move = (from, by, act) => {
        const to = from + by;
        if (to < 0 || to >= names.length) {
            say(told(by < 0 ? words.sayFirst : words.sayLast, { name: names[from] }));
            return;
        }
        const changed = [...names];
        changed.splice(to, 0, ...changed.splice(from, 1));
        change(changed);
        focusOn(to, act);
        say(told(words.sayMoved, { name: names[to], number: to + 1, count: names.length }));
    };

    const remove = (index) => {
        const [name] = names.slice(index);
        change(names.filter((_, other) => other !== index));
        focusOn(index, "remove");
        say(told(words.sayRemoved, { name, count: names.length }));
    };

    const placeOf = (element) => [...list.children].indexOf(element.closest("li"));

    list.addEventListener("click", (event) => {
        const button = event.target.closest("[data-act]");
        if (!button) return;
        const { act } = button.dataset;
        if (act === "remove") remove(placeOf(button));
        else move(placeOf(button), act === "up" ? -1 : 1, act);
    });

    list.addEventListener("keydown", (event) => {
        const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (!event.altKey || !by) return;
        event.preventDefault();
        move(placeOf(event.target), by, event.target.dataset.act);
    });

    // The jobs to choose from ----------------------------------------------------------------

    const find = make("input", {
        type: "search",
        id: "find-job",
        autocomplete: "off",
        spellcheck: "false",
        "data-key": "/",
        "aria-describedby": "find-job-help",
    });
    const nothing = make("p", { class: "help", hidden: "" }, words.sayNothing);

    const shownJobs = () => [...known.entries()].filter(([, item]) => !item.hidden);

    /* The job that Enter adds: the one that is typed, or the first whose name holds what is. */
    const meant = () => {
        const wanted = find.value.trim().toLowerCase();
        const shown = wanted ? shownJobs() : [];
        const names_ = shown.map(([name]) => name.toLowerCase());
        const exact = names_.indexOf(wanted);
        const holding = names_.findIndex((name) => name.includes(wanted));
        return shown[exact >= 0 ? exact : Math.max(holding, 0)];
    };

    const filter = () => {
        const asked = find.value.toLowerCase().split(/\s+/);
        catalog.querySelectorAll("li").forEach((item) => {
            const text = item.dataset.text;
            item.hidden = !asked.every((word) => text.includes(word));
        });
        const shown = shownJobs();
        const target = meant();
        known.forEach((item) => {
            item.classList.toggle("programs-meant", Boolean(target) && item === target[1]);
            buttonOf(item).tabIndex = shown.length && item === shown[0][1] ? 0 : -1;
        });
        nothing.hidden = Boolean(shown.length);
        if (find.value) say(shown.length === 1 ? words.sayOne : told(words.saySeveral, { count: shown.length }));
    };

    const buttonOf = (item) => item.querySelector("[data-add]");

    const offer = () => {
        catalog.removeAttribute("tabindex"); // its buttons are reached by the keyboard
        catalog.querySelectorAll("li").forEach((item) => {
            item.dataset.text = item.textContent.toLowerCase();
        });
        known.forEach((item, name) => {
            item.prepend(make(
                "button",
                { type: "button", class: "programs-tool", "data-add": "", "aria-label": told(words.sayAddJob, { name }) },
                words.sayAdd,
            ));
        });
        const label = make("label", { for: "find-job" }, words.sayFind);
        const help = make(
            "p",
            { class: "help", id: "find-job-help" },
            words.sayHelp,
        );
        catalog.before(make("div", { class: "programs-find" }, label, find, help), nothing);
        filter();
    };

    find.addEventListener("input", filter);
    find.addEventListener("keydown", (event) => {
        if (event.key === "Enter") {
            event.preventDefault(); // it must not send the form
            const target = meant();
            if (target) add(target[0]);
            else say(find.value.trim() ? words.sayNothing : words.sayEmpty);
            find.select();
        } else if (event.key === "ArrowDown" && shownJobs().length) {
            event.preventDefault();
            buttonOf(shownJobs()[0][1]).focus();
        }
    });

    catalog.addEventListener("click", (event) => {
        const button = event.target.closest("[data-add]");
        if (button) add(button.closest("li").dataset.job);
    });
    catalog.addEventListener("keydown", (event) => {
        const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        const button = event.target.closest("[data-add]");
        if (!by || !button || event.altKey) return;
        event.preventDefault();
        const buttons = shownJobs().map(([, item]) => buttonOf(item));
        const to = buttons[buttons.indexOf(button) + by];
        if (to) to.focus();
        else if (by < 0) find.focus();
    });

    // All of it in its place -----------------------------------------------------------------

    const typed = area.closest(".flex-container").parentElement;
    const text = make("details", { class: "programs-as-text" }, summary);
    typed.before(make("h2", { id: "chosen-jobs" }, words.sayChosen), none, list, text);
    text.append(typed);
    picker.append(spoken);
    offer();

    const readText = () => {
        names = namesIn(area.value);
        show();
    };
    area.addEventListener("input", readText);
    window.addEventListener("pageshow", readText); // a browser that goes back fills it in late
    readText();
})();
