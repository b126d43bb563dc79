/* Optional: a filter over the findings and sorting of the rules. Nothing is lost without it. */
(() => {
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const form = document.getElementById("filter");
if (form) {
const groups = all(".group").map((group) => [group, all("tbody tr", group), group.open]);
const rows = groups.map((group) => group[1].map((row) => row.textContent.toLowerCase()));
const apply = () => {
const words = form.q.value.toLowerCase().trim();
const level = form.level.value;
let left = 0;
groups.forEach(([group, lines, open], index) => {
let kept = 0;
const title = group.firstElementChild.textContent.toLowerCase().includes(words);
lines.forEach((line, at) => {
line.hidden = !(title || rows[index][at].includes(words)) || !!level && group.dataset.level !== level;
kept += !line.hidden;
});
group.hidden = !kept;
group.open = words || level ? kept > 0 : open;
left += kept;
});
form.querySelector("output").textContent = left + " shown";
};
form.hidden = false;
form.addEventListener("input", apply);
form.addEventListener("submit", (event) => event.preventDefault());
}
all(".rules thead th").forEach((head, column) => {
const button = document.createElement("button");
button.type = "button";
button.textContent = head.textContent;
head.replaceChildren(button);
button.addEventListener("click", () => {
const up = head.getAttribute("aria-sort") === "descending";
all("th[aria-sort]", head.parentNode).forEach((other) => other.removeAttribute("aria-sort"));
head.setAttribute("aria-sort", up ? "ascending" : "descending");
const body = head.closest("table").tBodies[0];
const key = (row) => row.cells[column].textContent.replaceAll(",", "");
const order = (a, b) => key(a).localeCompare(key(b), "en", { numeric: true }) * (up ? 1 : -1);
body.append(...[...body.rows].sort(order));
});
});
})();
