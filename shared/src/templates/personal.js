// A browser may keep this page for the back button, where it must not show a name once its owner has logged out: it is
// emptied when it is left, and loaded anew when it is gone back to.
addEventListener("pagehide", () => document.body.replaceChildren());
addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });
