// Live updates: the ledger's events as they happen, in one stream for a page. A page that nobody sees holds no connection, because
// browsers open six to one host and no more.
import { call } from "./api.js";
import { find } from "./dom.js";

const RETRY_MS = 5000;
const LONG_AWAY_MS = 300_000;

function say(text, title) {
  const shown = find("#live");
  if (!shown) return;
  shown.textContent = text;
  shown.title = title;
}

/**
 * Follow events of these kinds (patterns with commas between them), of one study or of all. onOpen is called when the stream stands.
 * onEvent gets { id, type, timestamp, data }. onReset is called where events may have been missed: load everything anew.
 * Returns a function that ends it.
 */
export function follow({ kinds = "", study = "", onOpen = () => {} }, onEvent, onReset = () => {}) {
  let source = null, lastId = null, timer = null, hiddenAt = 0, ended = false;

  function open() {
    clearTimeout(timer);
    if (ended || source) return;
    const query = new URLSearchParams({ kinds });
    if (study) query.set("study", study);
    if (lastId !== null) query.set("after", lastId);
    source = new EventSource(`/api/v1/events?${query}`);
    source.addEventListener("open", () => {
      say("● live", "Changes appear by themselves");
      onOpen();
    });
    source.addEventListener("message", (message) => {
      lastId = message.lastEventId;
      onEvent(JSON.parse(message.data));
    });
    source.addEventListener("error", () => {
      say("○ reconnecting", "The page does not hear of changes; it tries again");
      if (source.readyState === EventSource.CLOSED) {
        // An answer that is no stream. Where the session ended, this question leads to the sign-in.
        close();
        timer = setTimeout(() => call("GET", "/api/v1/studies?limit=1", undefined, { background: true }).catch(() => {}).finally(open), RETRY_MS);
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
