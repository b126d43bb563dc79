/* Narrows the cases by words and level. The page is whole without it. */
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
line.hidden = !(title || rows[index][at].includes(words)) || !!level && (line.dataset.level || group.dataset.level) !== level;
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
})();
