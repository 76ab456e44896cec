/* The editor of each `<textarea data-json>`: it checks the JSON while one types, says in which line
 * and column it is wrong, and puts it in order on demand.
 *
 * Its button says what `data-say-format` does. It reads tokens, not values: JSON.parse would lose digits of large numbers, and tells the place
 * of an error in some browsers only. By itself it never changes what was typed.
 */
"use strict";

(() => {
    const PAUSE = 300; // ms without a key, after which the text is checked
    const MOST_LEVELS = 100; // as on the server
    const UNDOABLE = 100000; // characters up to which formatting can be undone; more take too long
    const MARKS = /[\p{L}\p{N}\p{P}\p{S}]/u; // what can be seen by itself
    const SPACE = new Set(" \t\n\r");
    const OPENING = new Set("{[");
    const CLOSING = { "{": "}", "[": "]" };
    const TOKEN =
        /[ \t\n\r]+|[{}[\]:,]|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

    // What is wanted next.
    const VALUE = "a value";
    const FIRST_ITEM = "a value, or ]";
    const FIRST_NAME = "a name in double quotes, or }";
    const NAME = "a name in double quotes";
    const COLON = "a colon";
    const MORE = "a comma";
    const NOTHING = "nothing more";

    // Reading --------------------------------------------------------------------------------

    /* Return the tokens of `text`, and its first problem: what it is, and at which character.
     * `any`: it may be any value, and no object. */
    const read = (text, any) => {
        const tokens = [];
        const open = []; // the brackets that are not closed yet
        let wanted = VALUE;
        let at = 0;
        const wrong = (what) => ({ tokens, problem: { what, at } });
        const expected = () => {
            const end = wanted === MORE ? `, or ${CLOSING[open[open.length - 1]]}` : "";
            return `expected ${wanted}${end}`;
        };
        while (at < text.length) {
            TOKEN.lastIndex = at;
            const found = TOKEN.exec(text);
            if (!found) return wrong(unreadable(text, at));
            const token = found[0];
            if (!SPACE.has(token[0])) {
                if (!any && !tokens.length && token !== "{") return wrong("it must be a JSON object: {…}");
                if (isTooLarge(token)) return wrong("this number is too large to be stored");
                wanted = after(token, wanted, open);
                if (wanted.refused) {
                    wanted = wanted.refused;
                    return wrong(expected());
                }
                if (open.length > MOST_LEVELS) return wrong("it is nested too deeply");
                tokens.push(token);
            }
            at += token.length;
        }
        if (tokens.length && wanted !== NOTHING) return wrong(`it ends too early: ${expected()}`);
        return { tokens, problem: null };
    };

    /* Return what is wanted after `token`, and keep `open`; `{ refused }` if it does not fit. */
    const after = (token, wanted, open) => {
        const inner = open[open.length - 1];
        const closes = wanted === MORE
            ? token === CLOSING[inner]
            : (wanted === FIRST_NAME && token === "}") || (wanted === FIRST_ITEM && token === "]");
        if (closes) {
            open.pop();
            return open.length ? MORE : NOTHING;
        }
        if (wanted === MORE && token === ",") return inner === "{" ? NAME : VALUE;
        if (wanted === COLON && token === ":") return VALUE;
        if ((wanted === NAME || wanted === FIRST_NAME) && token[0] === '"') return COLON;
        if (wanted === VALUE || wanted === FIRST_ITEM) {
            if (OPENING.has(token)) {
                open.push(token);
                return token === "{" ? FIRST_NAME : FIRST_ITEM;
            }
            if (!"}]:,".includes(token)) return open.length ? MORE : NOTHING;
        }
        return { refused: wanted };
    };

    const isTooLarge = (token) =>
        /^-?\d/.test(token) && /[.eE]/.test(token) && !Number.isFinite(Number(token));

    /* Tell why no token of JSON begins here. */
    const unreadable = (text, at) => {
        if (text[at] === '"') return unreadableText(text, at);
        if (text[at] === "'") return "JSON has double quotes only";
        if (text[at] === "/" || text[at] === "#") return "JSON has no comments";
        const word = /^[\w$+.-]+/.exec(text.slice(at, at + 40));
        return `${word ? word[0] : shown(text, at)} is no JSON`;
    };

    const unreadableText = (text, at) => {
        for (let here = at + 1; here < text.length && text[here] !== '"'; here += 1) {
            if (text[here] === "\n") break;
            if (text[here] < " ") return `this text holds ${shown(text, here)}: write an escape`;
            if (text[here] === "\\") {
                if (!/^\\(["\\/bfnrt]|u[0-9a-fA-F]{4})/.test(text.slice(here, here + 6))) {
                    return "this text holds a \\ that escapes nothing: write \\\\";
                }
                here += 1;
            }
        }
        return "this text is not closed in its line";
    };

    const shown = (text, at) => {
        const sign = String.fromCodePoint(text.codePointAt(at));
        const code = sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
        return MARKS.test(sign) ? sign : `U+${code}`;
    };

    /* Return the tokens as indented JSON, each as it was typed. */
    const inOrder = (tokens) => {
        const parts = [];
        let depth = 0;
        const line = () => `\n${"  ".repeat(depth)}`;
        tokens.forEach((token, index) => {
            const before = tokens[index - 1];
            if (token === "}" || token === "]") {
                depth -= 1;
                if (!OPENING.has(before)) parts.push(line());
            } else if (OPENING.has(before) || before === ",") {
                parts.push(line());
            }
            parts.push(token === ":" ? ": " : token);
            if (OPENING.has(token)) depth += 1;
        });
        return parts.join("");
    };

    const placeOf = (text, at) => {
        const before = text.slice(0, at);
        const line = before.split("\n").length;
        return `Line ${line}, column ${at - before.lastIndexOf("\n")}`;
    };

    // The text area --------------------------------------------------------------------------

    const put = (area, text) => {
        if (text === area.value) return;
        area.focus();
        area.select();
        const long = Math.max(text.length, area.value.length) > UNDOABLE;
        if (long || !document.execCommand("insertText", false, text)) {
            area.value = text;
            area.dispatchEvent(new Event("input", { bubbles: true }));
        }
    };

    const equip = (area) => {
        const told = document.createElement("p");
        told.id = `${area.id}_problem`;
        told.className = "programs-problem";
        told.setAttribute("aria-live", "polite");
        const button = document.createElement("button");
        button.type = "button";
        button.className = "programs-tool";
        button.textContent = area.dataset.sayFormat;
        const label = area.labels[0] ? area.labels[0].textContent.replace(/:\s*$/, "") : area.name;
        button.setAttribute("aria-label", `${area.dataset.sayFormat}: ${label}`);
        const foot = document.createElement("div");
        foot.className = "programs-editor";
        foot.append(told, button);
        area.after(foot);
        const describedBy = area.getAttribute("aria-describedby");
        area.setAttribute("aria-describedby", [describedBy, told.id].filter(Boolean).join(" "));

        const check = () => {
            const { problem } = read(area.value, area.dataset.json === "any");
            told.textContent = problem ? `${placeOf(area.value, problem.at)}: ${problem.what}.` : "";
            if (problem) area.setAttribute("aria-invalid", "true");
            else if (area.value !== area.defaultValue) area.removeAttribute("aria-invalid");
        };

        let timer;
        area.addEventListener("input", () => {
            clearTimeout(timer);
            timer = setTimeout(check, PAUSE);
        });
        button.addEventListener("click", () => {
            const { tokens, problem } = read(area.value, area.dataset.json === "any");
            if (problem) {
                check();
                area.focus();
                area.setSelectionRange(problem.at, problem.at + 1);
                return;
            }
            put(area, inOrder(tokens));
            button.focus();
        });
        check();
    };

    document.querySelectorAll("textarea[data-json]").forEach(equip);
})();
