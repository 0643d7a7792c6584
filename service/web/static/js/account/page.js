// @ts-check
// The account page: change the password; the account then signs in again.
import { post } from "../api.js";
import { field, find, messageOf, notice } from "../dom.js";

find("#password-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  /** @param {string} id */
  const value = (id) => field(`#${id}`).value;
  if (value("new-password") !== value("again")) return notice("The two new passwords differ.");
  try {
    await post("/api/v1/access/me/password", { password: value("password"), new_password: value("new-password") });
    location.assign("/sign-in?next=/account");
  } catch (problem) {
    notice(messageOf(problem));
  }
});
