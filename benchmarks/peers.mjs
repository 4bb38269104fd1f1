// The libraries of Node.js, driven by benchmarks/node.py: a line of JSON asks, a line of JSON answers.
// It runs in a temporary folder, where npm has put the libraries.
import { createPublicKey, createVerify } from "node:crypto";
import { createInterface } from "node:readline";
import { CognitoJwtVerifier } from "aws-jwt-verify";
import { SimpleFetcher } from "aws-jwt-verify/https";
import { SimpleJwksCache } from "aws-jwt-verify/jwk";
import { createLocalJWKSet, createRemoteJWKSet, jwtVerify } from "jose";

const AWS = "aws-jwt-verify (Node.js)";
const JOSE = "jose (Node.js)";
const RAW = "Node.js's own crypto";

const checks = {}; // name -> function of a token, which throws, rejects or returns

function joseCheck(keys, { issuer, clientId }) {
  return async (token) => {
    const { payload } = await jwtVerify(token, keys, { issuer, algorithms: ["RS256"], requiredClaims: ["exp"] });
    if (payload.client_id !== clientId || payload.token_use !== "access") throw new Error("refused by the application");
    return payload;
  };
}

// Keys in hand.
function withKeys({ jwks, userPoolId, clientId, issuer, token, accessKid }) {
  const verifier = CognitoJwtVerifier.create({ userPoolId, clientId, tokenUse: "access" });
  verifier.cacheJwks(jwks);
  const key = createPublicKey({ key: jwks.keys.find((one) => one.kid === accessKid), format: "jwk" });
  const cut = token.lastIndexOf(".");
  const [input, signature] = [token.slice(0, cut), Buffer.from(token.slice(cut + 1), "base64url")];
  checks[AWS] = (one) => verifier.verifySync(one);
  checks[JOSE] = joseCheck(createLocalJWKSet(jwks), { issuer, clientId });
  checks[RAW] = () => createVerify("RSA-SHA256").update(input).verify(key, signature);
}

// Keys to be fetched, from a server on loopback in place of AWS.
function withServer({ subject, name, url, userPoolId, clientId, issuer, cacheMaxAge = 600000 }) {
  if (name === AWS) {
    const fetcher = new SimpleFetcher();
    const jwksCache = new SimpleJwksCache({ fetcher: { fetch: (uri, ...more) => fetcher.fetch(url, ...more) } });
    const verifier = CognitoJwtVerifier.create({ userPoolId, clientId, tokenUse: "access" }, { jwksCache });
    checks[subject] = (token) => verifier.verify(token);
  } else {
    checks[subject] = joseCheck(createRemoteJWKSet(new URL(url), { cacheMaxAge }), { issuer, clientId });
  }
}

async function time({ name, token, count, refused }) {
  const check = checks[name];
  const begun = process.hrtime.bigint();
  for (let index = 0; index < count; index++) {
    try {
      const result = check(token);
      if (result instanceof Promise) await result;
    } catch (error) {
      if (!refused) throw error;
    }
  }
  return { seconds: Number(process.hrtime.bigint() - begun) / 1e9 };
}

// Verify tokens at once, and say of each how it went and how long it took.
async function verify({ name, tokens }) {
  const one = async (token) => {
    const begun = process.hrtime.bigint();
    const outcome = await Promise.resolve()
      .then(() => checks[name](token))
      .then(() => "accepted", (error) => error.constructor.name);
    return [outcome, Number(process.hrtime.bigint() - begun) / 1e9];
  };
  return { outcomes: await Promise.all(tokens.map(one)) };
}

function memory() {
  globalThis.gc();
  return { bytes: process.memoryUsage().heapUsed };
}

const operations = { withKeys, withServer, time, verify, memory };

for await (const line of createInterface({ input: process.stdin })) {
  const { id, operation, ...rest } = JSON.parse(line);
  const answer = async () => {
    try {
      return { ...(await operations[operation](rest)) };
    } catch (error) {
      return { error: String(error) };
    }
  };
  // Not awaited: what hangs must not keep the next question waiting.
  answer().then((result) => process.stdout.write(`${JSON.stringify({ id, ...result })}\n`));
}
