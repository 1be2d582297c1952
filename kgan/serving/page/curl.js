/** A request as a command that any shell runs. */

const LONG = 2000; // characters, beyond which a here-document is easier on shells and eyes

/** The command; what is long goes in by a here-document, of which `-d @-` takes the line ends out again. */
export function curl(url, body) {
  if (body.length <= LONG) return `curl ${quoted(url)} -d ${quoted(body)}`;
  return `curl ${quoted(url)} -d @- <<'EOF'\n${body.replaceAll("]],", "]],\n")}\nEOF`;
}

/** One word of a POSIX shell. */
export function quoted(word) {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
