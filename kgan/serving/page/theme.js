/** Light or dark: as the system says, until somebody says otherwise. */

const NEXT = { system: "light", light: "dark", dark: "system" };
const SYMBOL = { system: "◐", light: "☀", dark: "☾" };

/** Make the button go round the three. */
export function themeSwitch(button) {
  let theme = stored();
  const show = () => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `${SYMBOL[theme]} ${theme}`;
    button.setAttribute("aria-label", `Colours: ${theme}; change to ${NEXT[theme]}`);
  };
  button.addEventListener("click", () => {
    theme = NEXT[theme];
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // Where nothing may be stored, it holds until the page is closed.
    }
    show();
  });
  show();
}

function stored() {
  try {
    const theme = localStorage.getItem("theme");
    return theme in NEXT ? theme : "system";
  } catch {
    return "system";
  }
}
