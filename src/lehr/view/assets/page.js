/* The page works without this script, which adds two things: the line under the pointer stands out
   and its numbers are shown, and two buttons show all schedules or none. */
(() => {
  "use strict";
  const learning = document.querySelector(".learning");
  if (!learning) return;
  const numbers = JSON.parse(document.getElementById("numbers").textContent);
  const boxes = [...learning.querySelectorAll(".toggles [id^='k']")];

  const shown = (index) => boxes.length === 0 || boxes[index].checked;

  function emphasize(index) {
    for (const part of learning.querySelectorAll(".hot")) part.classList.remove("hot");
    learning.classList.toggle("dim", index !== null);
    if (index === null) return;
    for (const part of learning.querySelectorAll(`.panel .k${index}`)) part.classList.add("hot");
  }

  function addButtons() {
    const holder = learning.querySelector(".toggles div");
    if (!holder) return;
    for (const [text, checked] of [["All", true], ["None", false]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.addEventListener("click", () => boxes.forEach((box) => { box.checked = checked; }));
      holder.append(button);
    }
    boxes.forEach((box, index) => {
      const option = box.parentElement;
      const on = () => { if (box.checked) emphasize(index); };
      option.addEventListener("pointerenter", on);
      option.addEventListener("pointerleave", () => emphasize(null));
      box.addEventListener("focus", () => { if (box.matches(":focus-visible")) on(); });
      box.addEventListener("blur", () => emphasize(null));
      box.addEventListener("change", () => emphasize(null));
    });
  }

  /* The nearest point of the nearest line to (x, y), in the chart's own units. */
  function nearest(chart, x, y) {
    const [left, right, top, bottom] = chart.dataset.plot.split(" ").map(Number);
    const [first, last] = chart.dataset.x.split(" ").map(Number);
    const [low, high, kind] = chart.dataset.y.split(" ");
    const bend = kind === "log" ? Math.log : (value) => value;
    const [from, to] = [bend(Number(low)), bend(Number(high))];
    let best = null;
    numbers.names.forEach((name, index) => {
      const pair = numbers.pairs[`${chart.dataset.panel}/${index}`];
      if (!pair || !shown(index)) return;
      const at = first + (last - first) * (x - left) / (right - left);
      const near = pair.step.reduce(
        (found, step, i) => (Math.abs(step - at) < Math.abs(pair.step[found] - at) ? i : found), 0);
      const value = pair[chart.dataset.metric][near];
      if (value === null) return;
      const py = bottom + (top - bottom) * (bend(value) - from) / (to - from);
      const px = left + (right - left) * (pair.step[near] - first) / (last - first);
      const distance = Math.abs(py - y);
      if (!best || distance < best.distance) {
        best = { name, index, value, step: pair.step[near], px, py, distance };
      }
    });
    return best && best.distance < 40 ? best : null;
  }

  function readOut(chart) {
    const text = document.createElement("p");
    text.className = "readout";
    text.textContent = "Point at a line to read its value.";
    chart.after(text);
    const resting = text.textContent;
    const mark = document.createElementNS(chart.namespaceURI, "circle");
    mark.setAttribute("r", "4");
    mark.setAttribute("class", "mark-point");
    const clear = () => { emphasize(null); mark.remove(); text.textContent = resting; };
    chart.addEventListener("pointermove", (event) => {
      const point = new DOMPoint(event.clientX, event.clientY)
        .matrixTransform(chart.getScreenCTM().inverse());
      const found = nearest(chart, point.x, point.y);
      if (!found) { clear(); return; }
      emphasize(found.index);
      const measured = chart.dataset.metric === "validations";
      const unit = measured ? numbers.unit : "";
      const rounded = measured && numbers.decimals !== null;
      const value = rounded ? found.value.toFixed(numbers.decimals) : found.value;
      text.textContent = `${found.name}, update ${found.step.toLocaleString("en")}: ${value}${unit}`;
      mark.setAttribute("cx", found.px);
      mark.setAttribute("cy", found.py);
      mark.style.fill = getComputedStyle(chart.querySelector(`.series.k${found.index}`)).stroke;
      chart.append(mark);
    });
    chart.addEventListener("pointerleave", clear);
  }

  addButtons();
  for (const chart of learning.querySelectorAll("svg.curves")) readOut(chart);
})();
