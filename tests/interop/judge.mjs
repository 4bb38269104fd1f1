// What the programs of this folder share: one JSON value per line in and out, and an end when nobody listens any more.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export async function hear() {
  const { done, value } = await lines.next();
  if (done) process.exit(0);
  return JSON.parse(value);
}

export function say(members) {
  console.log(JSON.stringify(members));
}

export const settings = await hear();

const require = createRequire(`${settings.packages}/`);

export function load(name) {
  return import(pathToFileURL(require.resolve(name)));
}
