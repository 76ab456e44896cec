/* `<input type="checkbox" data-all="name">` ticks all boxes of that name in its form. */
"use strict";

(() => {
    document.querySelectorAll("[data-all]").forEach((all) => {
        const boxes = [...all.form.elements].filter((each) => each.name === all.dataset.all);

        const tell = () => {
            const ticked = boxes.filter((box) => box.checked).length;
            all.checked = ticked === boxes.length;
            all.indeterminate = ticked > 0 && ticked < boxes.length;
        };

        all.addEventListener("change", () => {
            boxes.forEach((box) => { box.checked = all.checked; });
        });
        boxes.forEach((box) => box.addEventListener("change", tell));
        tell();
    });
})();
