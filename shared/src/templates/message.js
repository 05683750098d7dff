// The address of a failed login has a code and a state. They are worthless now, and need not stay in the history. To load
// the page again still leads where the user was going.
addEventListener("DOMContentLoaded", () => {
  const failed = new URLSearchParams(location.search).has("state");
  const back = document.querySelector(".actions a[href*='next=']");
  if (failed) history.replaceState(null, "", back ? back.href : location.pathname);
});
