// A page for users who are logged in, behind the authorizer Visitor.

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "content-type": "text/html; charset=utf-8",
  "x-content-type-options": "nosniff",
};

const escape = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const page = (user) => `<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Notebook</title>
<main>
<h1>Notebook of ${escape(user.name ?? "a user")}</h1>
<p>Your UUID at Globus: ${escape(user.sub)}. <a href="/logout">Log out</a></p>
</main>
`;

export const handler = async (event) => {
  const user = event.requestContext.authorizer.lambda;
  if (user.login) return { statusCode: 302, headers: { ...HEADERS, location: user.login } };
  // After an error, API Gateway responds with 500.
  if (!user.sub) throw new Error("The authorizer names no user.");
  return { statusCode: 200, headers: HEADERS, body: page(user) };
};
