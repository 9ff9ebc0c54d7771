"use strict";
const all = (selector, place = document) => [...place.querySelectorAll(selector)];
for (const button of all("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
      button.textContent = "Selected: now copy it";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
for (const button of all("[data-fold]")) {
  button.addEventListener("click", () => {
    for (const one of all("details.candidate")) one.open = button.dataset.fold === "open";
  });
}
const unfold = () => {
  const place = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (place && place.tagName === "DETAILS") place.open = true;
};
addEventListener("hashchange", unfold);
unfold();
for (const table of all("table[data-sort]")) {
  const body = table.tBodies[0];
  all("th button", table.tHead).forEach((button) => {
    const head = button.closest("th");
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[head.cellIndex].dataset.v ?? row.cells[head.cellIndex].textContent;
      const numbers = head.classList.contains("n");
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (numbers && (x === "" || y === "")) return (x === "") - (y === "");
        const found = numbers ? x - y : x.localeCompare(y, "en", { numeric: true });
        return up ? found : -found;
      };
      const rows = [...body.rows].sort(order);
      body.append(...rows);
    });
  });
}
for (const input of all("input[data-filter]")) {
  const rows = [...document.getElementById(input.dataset.filter).tBodies[0].rows];
  const told = document.getElementById(input.dataset.told);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    told.textContent = `${shown} of ${rows.length}`;
  });
}
