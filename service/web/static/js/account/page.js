// Somebody's own account: another password, after which they sign in again.
import { post } from "../api.js";
import { find, notice } from "../dom.js";

find("#password-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const value = (id) => find(`#${id}`).value;
  if (value("new-password") !== value("again")) return notice("The two new passwords differ.");
  try {
    await post("/api/v1/access/me/password", { password: value("password"), new_password: value("new-password") });
    location.assign("/sign-in?next=/account");
  } catch (problem) {
    notice(problem.message);
  }
});
