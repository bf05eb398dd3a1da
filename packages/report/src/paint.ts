/** Colours a text, or leaves it alone where no colour is wanted. Every text must say the same without colour. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
  cyan(text: string): string;
}

const ESCAPE = String.fromCharCode(27);
const style = (on: number, off: number) => (text: string) =>
  text === "" ? text : `${ESCAPE}[${on}m${text}${ESCAPE}[${off}m`;
const same = (text: string): string => text;

const COLOURED: Paint = {
  bold: style(1, 22),
  dim: style(2, 22),
  green: style(32, 39),
  yellow: style(33, 39),
  red: style(31, 39),
  cyan: style(36, 39),
};
const PLAIN: Paint = { bold: same, dim: same, green: same, yellow: same, red: same, cyan: same };

export function paint(colour: boolean): Paint {
  return colour ? COLOURED : PLAIN;
}
