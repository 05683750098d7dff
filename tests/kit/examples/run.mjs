// Runs a function in Node once, as Lambda would.
//
// The argument is its file. The event comes from standard input, and the result goes to standard output. What the function
// prints is its log.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const output = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);
const { handler } = await import(pathToFileURL(process.argv[2]));
const result = await handler(JSON.parse(readFileSync(0, "utf8")), { awsRequestId: "local" });
// Lambda does not wait for what is left to do either.
output(JSON.stringify(result), () => process.exit());
