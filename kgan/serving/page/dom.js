/** Elements, written as they nest. */

/**
 * A new element.
 * @param {string} tag
 * @param {Object<string, *>} attributes `onclick: f` listens, `value`, `checked` and the like are properties, true is a
 *     bare attribute, and null or false is left out.
 * @param {...(Node|string|null|false)} children null and false are left out.
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (["value", "checked", "className", "textContent"].includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button that does one thing. */
export function button(text, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, text);
}

let labels = 0;

/** A control under its label, and what it stands for in a few words. */
export function field(label, control, hint = null) {
  const id = `field-${(labels += 1)}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return el(
    "div",
    { class: "field" },
    el("label", { for: id }, label),
    control,
    hint && el("small", { id: `${id}-hint`, class: "quiet" }, hint),
  );
}

/**
 * A slider that shows its value.
 * @param {string} label
 * @param {{min: number, max: number, step: number, value: number}} range
 * @param {function(number): void} onchange called while it is dragged.
 * @param {function(number): string} say the value as text.
 * @returns {{node: HTMLElement, input: HTMLInputElement, set: function(number): void}}
 */
export function slider(label, range, onchange, say = (value) => value.toFixed(2)) {
  const input = el("input", { type: "range", ...range, value: range.value });
  const shown = el("output", {});
  const show = () => {
    shown.textContent = say(input.valueAsNumber);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  input.addEventListener("input", () => {
    show();
    onchange(input.valueAsNumber);
  });
  const node = field(label, input);
  node.classList.add("slider");
  node.append(shown);
  show();
  return { node, input, set: (value) => ((input.value = value), show()) };
}
