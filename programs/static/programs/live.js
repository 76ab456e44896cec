/* What pages that ask for news by themselves have in common. A page says `data-live` on the element
 * that asks (by htmx: `hx-get`, `hx-trigger="every 2s"`; with `, programs:look` behind it, it asks
 * at once when somebody comes back to the page). This file then sees to three things:
 *
 * - nothing is asked as long as nobody can see the page;
 * - an answer that is another page, such as that to log in, is not put into this one;
 * - after six seconds without an answer a banner says since when, why, and how to go on. It goes
 *   with the next answer, or when no element asks any longer. A page that asks more seldom says
 *   every how many seconds, as in `data-live="10"`: the banner comes after three times as long.
 *
 * What it says stands in the page, as `data-say-…` of `#programs-words`, in the reader's language.
 */
"use strict";

(() => {
    const ASKED_EVERY = 2; // seconds, where a page says nothing else
    const GIVEN_UP_AFTER = 5000; // so that the next request may get through

    const words = document.getElementById("programs-words")?.dataset ?? {};
    const language = document.documentElement.lang;
    const told = (text, values) => (text ?? "").replace(/\{(\w+)\}/g, (_, name) => values[name]);

    let answeredAt = new Date(); // on the reader's own clock
    let countedFrom = Date.now(); // the same, but no time counts in which nobody looked
    let reason = words.saySilent;

    const banner = document.createElement("div");
    banner.className = "programs-stale";
    banner.setAttribute("role", "status");
    (document.querySelector("main") ?? document.body).append(banner);

    const asks = ({ requestConfig }) => Boolean(requestConfig?.elt?.matches("[data-live]"));

    const reasonOf = ({ requestConfig, xhr }) => {
        if (isElsewhere({ requestConfig, xhr })) return words.sayElsewhere;
        if (xhr.status === 403) return words.sayForbidden;
        if (xhr.status === 404) return words.sayGone;
        return told(words.sayFailed, { status: xhr.status });
    };

    // A redirect is followed before anybody is asked: only its address tells.
    const isElsewhere = ({ requestConfig, xhr }) =>
        Boolean(xhr.responseURL) &&
        new URL(xhr.responseURL).pathname !== new URL(requestConfig.path, location.href).pathname;

    const staleAfter = () => {
        const pauses = [...document.querySelectorAll("[data-live]")].map(({ dataset }) => Number(dataset.live));
        return 3000 * Math.max(ASKED_EVERY, ...pauses);
    };

    const show = () => {
        const isStale = Date.now() - countedFrom > staleAfter() && !document.hidden;
        if (!isStale || !document.querySelector("[data-live]")) {
            banner.replaceChildren();
            return;
        }
        const time = answeredAt.toLocaleTimeString(language.startsWith("en") ? "en-GB" : language);
        const text = `${told(words.sayStale, { time, reason })} `;
        if (banner.firstChild?.data === text) return; // told already: it is not read out again
        const reload = document.createElement("a");
        reload.href = location.href;
        reload.textContent = words.sayReload;
        banner.replaceChildren(text, reload);
    };

    const answered = () => {
        answeredAt = new Date();
        countedFrom = Date.now();
        reason = words.saySilent;
        show();
    };

    document.addEventListener("htmx:beforeRequest", (event) => {
        if (!asks(event.detail)) return;
        event.detail.xhr.timeout = GIVEN_UP_AFTER;
        if (document.hidden) event.preventDefault();
    });

    document.addEventListener("htmx:beforeSwap", (event) => {
        if (!asks(event.detail) || !isElsewhere(event.detail)) return;
        event.detail.shouldSwap = false;
    });

    // Heard on the page: the element that asked may have been replaced by what it was answered.
    document.addEventListener("htmx:afterRequest", (event) => {
        if (!asks(event.detail)) return;
        const { status } = event.detail.xhr;
        if (status >= 200 && status < 300 && !isElsewhere(event.detail)) answered();
        else reason = status ? reasonOf(event.detail) : words.saySilent;
    });

    document.addEventListener("visibilitychange", () => {
        countedFrom = Date.now();
        show();
        if (document.hidden) return;
        document.querySelectorAll("[data-live]").forEach((element) => {
            element.dispatchEvent(new CustomEvent("programs:look"));
        });
    });

    setInterval(show, 500);
})();
