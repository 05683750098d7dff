// The address of a failed login has a code and a state. They are worthless now, and need not stay in the history.
if (new URLSearchParams(location.search).has("state")) history.replaceState(null, "", location.pathname);
