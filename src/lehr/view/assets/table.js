
/* The ranking: its columns sort, a field filters its rows, and buttons copy the code and save the
   results. Without this script it is a plain table, best first. */
(() => {
  "use strict";
  const make = (name, parts, ...children) => {
    const node = Object.assign(document.createElement(name), parts);
    node.append(...children);
    return node;
  };
  const status = make("p", { className: "unseen" });
  status.setAttribute("role", "status");
  document.body.append(status);

  function save(name, text) {
    const link = make("a", {
      download: name, href: URL.createObjectURL(new Blob([text], { type: "application/json" })),
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async function copy(code) {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {  /* without a clipboard of its own, the browser copies what is selected */
      getSelection().selectAllChildren(code);
      if (!document.execCommand("copy")) return false;
    }
    return true;
  }

  for (const box of document.querySelectorAll(".recipe")) {
    const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      const done = await copy(box.querySelector("code"));
      button.textContent = done ? "Copied" : "Selected: press Ctrl-C";
      status.textContent = button.textContent;
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    box.append(button);
  }

  const data = document.getElementById("results");
  if (data) {
    const button = make("button", { type: "button", textContent: "JSON, all results" });
    button.addEventListener("click", () => save("lehr-results.json", data.textContent));
    data.before(" or ", button);
  }

  for (const table of document.querySelectorAll(".ranking")) {
    const rows = [...table.querySelectorAll("tbody tr")];
    const every = document.getElementById("every");
    const unfold = () => { if (every) every.checked = true; };
    const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;

    for (const head of table.querySelectorAll("th[data-sort]")) {
      const column = head.cellIndex, numbers = head.dataset.sort === "number";
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      if (column === 0) head.setAttribute("aria-sort", "ascending");
      button.addEventListener("click", () => {
        const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        const order = numbers
          ? (a, b) => Number(key(a, column)) - Number(key(b, column))
          : (a, b) => key(a, column).localeCompare(key(b, column));
        unfold();
        table.tBodies[0].append(...rows.sort((a, b) => sign * order(a, b) || rank(a) - rank(b)));
      });
    }
    const rank = (row) => Number(row.cells[0].textContent);

    if (rows.length < 4) continue;
    const field = make("input", { type: "search", id: "filter", placeholder: "adam, cosine, tie …" });
    field.addEventListener("input", () => {
      unfold();
      const words = field.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      status.textContent = `${shown} of ${rows.length} pairs`;
      count.textContent = words.length ? status.textContent : "";
    });
    const count = make("span", { className: "soft" });
    const label = make("label", { htmlFor: "filter", textContent: "Filter" });
    table.closest(".scroll").before(make("p", { className: "filter" }, label, " ", field, " ", count));
  }
})();
