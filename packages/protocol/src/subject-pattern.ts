const TOKEN = /^[^\s.*>]+$/;

/** A subject to publish on: tokens joined by dots, no wildcards. */
export function isSubject(text: string): boolean {
  return text.split(".").every((token) => TOKEN.test(token));
}

/** A subject to subscribe to: `*` stands for one token, `>` at the end for one or more. */
export function isSubjectPattern(text: string): boolean {
  const tokens = text.split(".");
  return tokens.every(
    (token, i) => token === "*" || (token === ">" && i === tokens.length - 1) || TOKEN.test(token),
  );
}

/** Whether a pattern takes a subject, by NATS's rules. */
export function matchesSubject(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  for (const [i, token] of wanted.entries()) {
    if (token === ">") return tokens.length > i;
    if (i >= tokens.length || (token !== "*" && token !== tokens[i])) return false;
  }
  return wanted.length === tokens.length;
}
