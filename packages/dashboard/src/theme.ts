import { h } from "./dom.js";

const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

let chosen: Theme = "auto";

/** As the system says, light, or dark. Not kept: a file opened from disk shares its storage with every other. */
export function themeToggle(): HTMLElement {
  const group = h("fieldset", { class: "theme" }, h("legend", {}, "Theme"));
  for (const theme of THEMES) {
    const input = h("input", {
      type: "radio",
      name: "theme",
      id: `theme-${theme}`,
      value: theme,
      checked: theme === chosen,
    });
    input.addEventListener("change", () => {
      chosen = theme;
      if (theme === "auto") delete document.documentElement.dataset["theme"];
      else document.documentElement.dataset["theme"] = theme;
    });
    group.append(input, h("label", { for: `theme-${theme}` }, theme));
  }
  return group;
}
