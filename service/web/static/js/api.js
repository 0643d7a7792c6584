// The API as pages call it: JSON in and out, problems (RFC 9457) as errors, the CSRF token with whatever changes something.

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the server answered ${status}`);
    this.status = status;
    this.code = body.code;
  }
}

const token = () => document.querySelector("meta[name=csrf-token]").content;
export const may = (scope) => document.querySelector("meta[name=scopes]").content.split(" ").includes(scope);

/** Ask the API. background: nobody asked for it, so it does not count as use of the session. */
export async function call(method, path, body, { background = false, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (background) headers["X-Background"] = "1";
  if (method !== "GET") headers["X-CSRF-Token"] = token();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  const answer = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, answer);
  return answer;
}

export const get = (path) => call("GET", path);
export const post = (path, body) => call("POST", path, body);
