"use strict";
// Headings become buttons here, so that a page without its script shows none that does nothing.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    const number = cell.dataset.value;
    return number === undefined ? cell.textContent.trim() : number === "" ? null : Number(number);
  };
  const sort = (column, sign) => {
    const keyed = [...body.rows].map((row) => [value(row, column), row]);
    keyed.sort(([one], [other]) => {
      if (one === null || one === "") return other === null || other === "" ? 0 : 1; // empty cells last, both ways
      if (other === null || other === "") return -1;
      return sign * (typeof one === "number" ? one - other : one < other ? -1 : one > other ? 1 : 0);
    });
    body.append(...keyed.map(([, row]) => row));
  };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(column, descending ? -1 : 1);
    });
  });
}

// A table that is wider than the page says so, in words beside the shadow of the style sheet.
for (const box of document.querySelectorAll(".scroll")) {
  const more = document.createElement("p");
  more.className = "more";
  more.textContent = "scroll for more columns \u2192";
  box.before(more);
  const show = () => { more.hidden = box.scrollLeft + box.clientWidth >= box.scrollWidth - 1; };
  new ResizeObserver(show).observe(box);
  box.addEventListener("scroll", show);
}

// Without this script, the Markdown can be selected by hand.
const markdown = document.querySelector("#markdown");
const copy = document.createElement("button");
copy.type = "button";
copy.textContent = "Copy as Markdown";
copy.addEventListener("click", async () => {
  const text = markdown.querySelector("pre");
  try {
    await navigator.clipboard.writeText(text.textContent);
    copy.textContent = "Copied";
  } catch {
    markdown.open = true;
    getSelection().selectAllChildren(text);
    text.scrollIntoView();
    copy.textContent = "Selected below: copy it";
  }
});
document.querySelector("header").append(copy);
