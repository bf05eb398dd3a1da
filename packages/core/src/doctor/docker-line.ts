/** `docker run` (and podman's) options that take no value; the short ones may stand together, as in -it. */
const SWITCHES = new Set([
  "--rm",
  "--detach",
  "--interactive",
  "--tty",
  "--init",
  "--privileged",
  "--read-only",
  "--no-healthcheck",
  "--oom-kill-disable",
  "--publish-all",
  "--quiet",
  "--replace",
]);
const SHORT_SWITCHES = /^-[ditPq]+$/;

export type DockerRun =
  | {
      readonly kind: "run";
      readonly image: string;
      /** What follows the image. */
      readonly args: readonly string[];
      readonly env: Map<string, string>;
      /** Variables that are taken from the shell: `-e NAME`. */
      readonly passedOn: readonly string[];
      readonly hasEnvFile: boolean;
    }
  | { readonly kind: "problem"; readonly message: string };

/** Takes the words after `docker` apart. */
export function dockerRun(words: readonly string[]): DockerRun {
  const start = words.indexOf("run");
  if (start < 0) return { kind: "problem", message: "of docker's commands only docker run is understood" };
  const env = new Map<string, string>();
  const passedOn: string[] = [];
  let hasEnvFile = false;
  for (let at = start + 1; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (!word.startsWith("-"))
      return { kind: "run", image: word, args: words.slice(at + 1), env, passedOn, hasEnvFile };
    if (SWITCHES.has(word) || SHORT_SWITCHES.test(word)) continue;
    const { name, value, takesNext } = option(word, words[at + 1]);
    if (takesNext) at += 1;
    if (name === "--env-file") hasEnvFile = true;
    if (name !== "--env" && name !== "-e") continue;
    const equals = value.indexOf("=");
    if (equals < 0) passedOn.push(value);
    else env.set(value.slice(0, equals), value.slice(equals + 1));
  }
  return { kind: "problem", message: "docker run names no image" };
}

/** `--env=K=V`, `-eK=V`, `-e K=V`, `--rm=true`. */
function option(
  word: string,
  next: string | undefined,
): { readonly name: string; readonly value: string; readonly takesNext: boolean } {
  const equals = word.indexOf("=");
  if (word.startsWith("--") && equals > 0)
    return { name: word.slice(0, equals), value: word.slice(equals + 1), takesNext: false };
  if (!word.startsWith("--") && word.length > 2)
    return { name: word.slice(0, 2), value: word.slice(2), takesNext: false };
  return { name: word, value: next ?? "", takesNext: true };
}
