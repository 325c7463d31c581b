// Finds mentions by the rules of the API, `src/domain/mention.rs`. `tests/mentions.json` has the test cases of both.

// Letters of these scripts end a URL, because their words follow each other without spaces.
const RUN_SCRIPTS = ["Han", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Yi", "Thai", "Lao", "Khmer", "Myanmar", "Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet", "Ahom"];
const LETTER = `(?:[A-Za-z0-9]|\\p{M}|(?![\\0-\\x7f${RUN_SCRIPTS.map((script) => `\\p{scx=${script}}`).join("")}])[\\p{Alphabetic}\\p{N}])`;

// Hosts.
const LABEL = `${LETTER}(?:-*${LETTER})*`;
const END_OF_HOST = `(?!\\.?${LETTER})`;
const DOMAIN = `(?:${LABEL}\\.)+(?=[A-Za-z]{2})${LABEL}${END_OF_HOST}`;
const HOST_WITH_DOT = `(?:${DOMAIN}|\\d+(?:\\.\\d+){3}${END_OF_HOST})`;
const HOST = `(?:${HOST_WITH_DOT}|${LABEL}${END_OF_HOST})`;

// Links, which contain no mentions. The path of a URL ends where `endOfPath` says.
const WEB_URL = `(?:https?|ftp|ssh)://(?:(?:${LETTER}|[-._~:])*@)?${HOST}(?::\\d*)?`;
const OTHER_URL = `(?<![A-Za-z0-9@])(?!(?:https?|ftp|ssh):)[A-Za-z][A-Za-z0-9+.-]*://(?:${LETTER}|[-._~:@])*`;
const URL_WITHOUT_SCHEME = `(?<!${LETTER}|[/@.-])${DOMAIN}(?::\\d*)?`;
const ATOM = `(?:${LETTER}|[!#$%&'*+/=?^_\`{|}~-])+`;
const EMAIL = `(?<!@)${ATOM}(?:\\.${ATOM})*@${HOST_WITH_DOT}(?![@_~])`;

// The user of another server has a name with a host, `@user@host`.
const AT = "[@＠]";
const HOST_FOLLOWS = `(?:[.-][\\w.-]*)?(?<![.-])${AT}[\\p{Alphabetic}\\p{N}]`;
const MENTION = `(?<![\\w/=@＠])${AT}(?<handle>\\w{1,30})(?!\\w|${HOST_FOLLOWS})`;

const TOKEN = new RegExp(`(?:${WEB_URL}|${OTHER_URL}|${URL_WITHOUT_SCHEME})(?<path>[/?])?|${EMAIL}|${MENTION}`, "gu");
const OUTSIDE_URLS = new RegExp(`(?!${LETTER})[^\\x21-\\x7e]|["<>\`|]`, "u");
/** @type {Record<string, string>} */
const OPENING = { ")": "(", "]": "[", "}": "{" };

/** Returns the positions and handles of all mentions of a text. The API notifies the first ten users. @param {string} text */
export function mentions(text) {
  /** @type {{ start: number, end: number, handle: string }[]} */
  const found = [];
  if (!/[@＠]/.test(text)) return found;
  TOKEN.lastIndex = 0;
  for (let match; (match = TOKEN.exec(text));) {
    const { handle, path } = match.groups ?? {};
    if (handle) found.push({ start: match.index, end: TOKEN.lastIndex, handle });
    if (path) TOKEN.lastIndex = endOfPath(text, TOKEN.lastIndex, text[match.index - 1] === "'");
  }
  return found;
}

/** Returns the end of a path: a bracket or quotation mark that began before the URL, or a character outside URLs. @param {string} text @param {number} start @param {boolean} quoted */
function endOfPath(text, start, quoted) {
  /** @type {Record<string, number>} */
  const open = { "(": 0, "[": 0, "{": 0 };
  let end = start;
  for (const character of text.slice(start)) {
    if (OUTSIDE_URLS.test(character) || (quoted && character === "'")) break;
    if (character in open) open[character] += 1;
    const opening = OPENING[character];
    if (opening && (open[opening] -= 1) < 0) break;
    end += character.length;
  }
  return end;
}
