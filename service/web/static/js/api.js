// @ts-check
// The API as pages call it: JSON in and out, problems (RFC 9457) as errors, the CSRF token on every request that changes something.

/** An answer that is no success. */
export class Problem extends Error {
  /** @param {number} status @param {{ detail?: string, title?: string, code?: string }} body */
  constructor(status, body) {
    super(body.detail || body.title || `the server answered ${status}`);
    this.status = status;
    this.code = body.code;
  }
}

/** @param {string} name */
const meta = (name) => /** @type {HTMLMetaElement} */ (document.querySelector(`meta[name=${name}]`)).content;
/** Whether the account has a scope. @param {string} scope */
export const may = (scope) => meta("scopes").split(" ").includes(scope);

/**
 * Send a request to the API.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {{ background?: boolean, signal?: AbortSignal }} [options] background: no person caused the request, so it does not prolong the session
 * @returns {Promise<any>} the answer's JSON; null where it has none. Rejects with a `Problem`.
 */
export async function call(method, path, body, { background = false, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (background) headers["X-Background"] = "1";
  if (method !== "GET") headers["X-CSRF-Token"] = meta("csrf-token");
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  const answer = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, answer);
  return answer;
}

/** @param {string} path */
export const get = (path) => call("GET", path);
/** @param {string} path @param {unknown} [body] */
export const post = (path, body) => call("POST", path, body);
/** A request that no person caused. @param {string} path */
export const getInBackground = (path) => call("GET", path, undefined, { background: true });
