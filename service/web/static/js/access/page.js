// @ts-check
// Accounts, API keys, and the audit log.
import { call, get, post } from "../api.js";
import { find, h, messageOf, notice } from "../dom.js";
import { moment } from "../format.js";

/** @import { ApiKey, Audit, NewApiKey, User, UserChange } from "api-types" */

const ACCESS = "/api/v1/access";
const ROLES = ["viewer", "approver", "admin"];

/**
 * Do something that the server may refuse; afterwards the tables show what the ledger has.
 * @param {() => Promise<any>} action @param {...(() => Promise<void>)} refresh
 */
async function attempt(action, ...refresh) {
  let answer = null;
  try {
    answer = await action();
  } catch (problem) {
    notice(messageOf(problem));
  }
  await Promise.all([...refresh, showAudit].map((show) => show()));
  return answer;
}

/** @param {User} user */
const userPath = (user) => `${ACCESS}/users/${encodeURIComponent(user.name)}`;
/** @param {User} user @param {UserChange} change */
const changeUser = (user, change) => attempt(() => call("PATCH", userPath(user), change), showPeople);

/** @param {User} user */
function roleOf(user) {
  if (user.signs_in === "directory") return user.role;
  const choice = h("select", { "aria-label": `Role of ${user.name}`, onchange: (event) => changeUser(user, { role: event.target.value }) });
  choice.append(...ROLES.map((role) => h("option", { selected: role === user.role }, role)));
  return choice;
}

/** @param {User} user */
function passwordOf(user) {
  if (user.signs_in === "directory") return "–";
  const field = h("input", { type: "password", minlength: 12, maxlength: 256, required: true, autocomplete: "new-password", "aria-label": `New password of ${user.name}` });
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    attempt(() => call("PUT", `${userPath(user)}/password`, { password: field.value }), showPeople);
  };
  return h("form", { class: "row", onsubmit: submit }, field, h("button", { class: "quiet" }, "Set"));
}

async function showPeople() {
  /** @type {{ users: User[] }} */
  const { users } = await get(`${ACCESS}/users`);
  find("#people").replaceChildren(...users.map((user) => h("tr", {},
    h("td", {}, user.name),
    h("td", {}, user.display_name),
    h("td", {}, roleOf(user)),
    h("td", {}, user.signs_in),
    h("td", {}, moment(user.signed_in_at)),
    h("td", {},
      user.disabled ? h("span", { class: "badge warn" }, "closed") : null, " ",
      h("button", { type: "button", class: "quiet", "aria-label": `${user.disabled ? "Open" : "Close"} the account ${user.name}`, onclick: () => changeUser(user, { disabled: !user.disabled }) }, user.disabled ? "Open" : "Close")),
    h("td", {}, passwordOf(user)),
  )));
}

/** @param {ApiKey} key */
function stateOf(key) {
  if (key.revoked_at) return h("span", { class: "badge warn" }, "revoked");
  if (key.expires_at && Date.parse(key.expires_at) <= Date.now()) return h("span", { class: "badge warn" }, "expired");
  const revoke = () => {
    if (!confirm(`Revoke ${key.name}? Software that holds it is shut out at once, for good.`)) return;
    attempt(() => call("DELETE", `${ACCESS}/keys/${encodeURIComponent(key.name)}`), showKeys);
  };
  return h("button", { type: "button", class: "quiet", "aria-label": `Revoke the key ${key.name}`, onclick: revoke }, "Revoke");
}

async function showKeys() {
  /** @type {{ keys: ApiKey[] }} */
  const { keys } = await get(`${ACCESS}/keys`);
  find("#keys").replaceChildren(...keys.map((key) => h("tr", {},
    h("td", {}, key.name),
    h("td", {}, key.scopes.join(", ")),
    h("td", {}, `${moment(key.created_at)} by ${key.created_by}`),
    h("td", {}, key.expires_at ? moment(key.expires_at) : "never"),
    h("td", {}, moment(key.used_at)),
    h("td", {}, stateOf(key)),
  )));
}

/** @type {string | null} */
let cursor = null;

/** @param {string} selector @returns {HTMLFormElement} */
const formOf = (selector) => find(selector);

async function showAudit(older = false) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(formOf("#audit-filter"))) if (value) query.set(name, String(value));
  if (older && cursor) query.set("cursor", cursor);
  /** @type {Audit} */
  const page = await get(`${ACCESS}/audit?${query}`);
  cursor = page.next_cursor;
  const rows = page.entries.map((entry) => h("tr", {},
    h("td", {}, moment(entry.at)), h("td", {}, entry.actor), h("td", {}, entry.action), h("td", {}, entry.subject), h("td", {}, entry.detail)));
  if (older) find("#audit").append(...rows);
  else find("#audit").replaceChildren(...rows);
  find("#older").hidden = cursor === null;
}

find("#add-user").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = formOf("#add-user");
  const user = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
  if (await attempt(() => post(`${ACCESS}/users`, user), showPeople)) form.reset();
});

find("#make-key").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = formOf("#make-key");
  const values = new FormData(form);
  const days = values.get("days");
  const wanted = { name: values.get("name"), scopes: values.getAll("scopes"), ...(days ? { expires_in_days: Number(days) } : {}) };
  if (!wanted.scopes.length) return notice("Choose at least one scope.");
  /** @type {NewApiKey | null} */
  const made = await attempt(() => post(`${ACCESS}/keys`, wanted), showKeys);
  if (!made) return;
  form.reset();
  const shown = find("#secret");
  shown.hidden = false;
  shown.replaceChildren(`The key ${made.name}, shown this once: `, h("code", {}, made.secret));
});

find("#audit-filter").addEventListener("submit", (event) => {
  event.preventDefault();
  showAudit();
});
find("#older").addEventListener("click", () => showAudit(true));

Promise.all([showPeople(), showKeys(), showAudit()]).catch((problem) => notice(messageOf(problem)));
