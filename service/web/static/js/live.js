// @ts-check
// Live updates: the ledger's events as they happen, in one stream per page. A hidden page closes its connection, because a browser opens
// at most six to one host.
import { getInBackground } from "./api.js";
import { find } from "./dom.js";

const RETRY_MS = 5000;
const LONG_AWAY_MS = 300_000;

/** @typedef {{ id: number, type: string, timestamp: string, data: any }} LedgerEvent */

/** Show the state of the connection. @param {string} text @param {string} title */
function say(text, title) {
  const shown = find("#live");
  if (!shown) return;
  shown.textContent = text;
  shown.title = title;
}

/**
 * Follow events.
 * @param {{ kinds?: string, study?: string, onOpen?: (value?: unknown) => void }} options kinds: patterns with commas between them;
 *   study: of this study only; onOpen: called when the stream is open
 * @param {(event: LedgerEvent) => void} onEvent
 * @param {() => void} onReset called where events may have been missed: the page loads everything anew
 * @returns {() => void} ends it
 */
export function follow({ kinds = "", study = "", onOpen = () => {} }, onEvent, onReset = () => {}) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {string | null} */
  let lastId = null;
  /** @type {number | undefined} */
  let timer;
  let hiddenAt = 0, ended = false;

  function open() {
    clearTimeout(timer);
    if (ended || source) return;
    const query = new URLSearchParams({ kinds });
    if (study) query.set("study", study);
    if (lastId !== null) query.set("after", lastId);
    const opened = source = new EventSource(`/api/v1/events?${query}`);
    source.addEventListener("open", () => {
      say("● live", "Changes appear by themselves");
      onOpen();
    });
    source.addEventListener("message", (message) => {
      lastId = message.lastEventId;
      onEvent(JSON.parse(message.data));
    });
    source.addEventListener("error", () => {
      say("○ reconnecting", "The page gets no changes; it tries again");
      if (opened.readyState === EventSource.CLOSED) {
        // The answer was no stream. Where the session has ended, this request leads to the sign-in page.
        close();
        timer = setTimeout(() => getInBackground("/api/v1/studies?limit=1").catch(() => {}).finally(open), RETRY_MS);
      }
    });
  }

  function close() {
    source?.close();
    source = null;
  }

  function look() {
    if (document.hidden) {
      hiddenAt = Date.now();
      clearTimeout(timer);
      close();
      say("", "");
    } else if (!source) {
      const missed = hiddenAt && (lastId === null || Date.now() - hiddenAt > LONG_AWAY_MS);
      if (missed) lastId = null;
      open();
      if (missed) onReset();
    }
  }

  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
    close();
    say("", "");
  };
}
