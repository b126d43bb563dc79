/* Sorts the tables of rules by any of their columns. The page is whole without it. */
(() => {
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
all(".sorts thead th").forEach((head) => {
const button = document.createElement("button");
button.type = "button";
button.textContent = head.textContent;
head.replaceChildren(button);
button.addEventListener("click", () => {
const up = head.getAttribute("aria-sort") === "descending";
all("th[aria-sort]", head.parentNode).forEach((other) => other.removeAttribute("aria-sort"));
head.setAttribute("aria-sort", up ? "ascending" : "descending");
const body = head.closest("table").tBodies[0];
const key = (row) => row.cells[head.cellIndex].textContent.replaceAll(",", "");
const order = (a, b) => key(a).localeCompare(key(b), "en", { numeric: true }) * (up ? 1 : -1);
body.append(...[...body.rows].sort(order));
});
});
})();
