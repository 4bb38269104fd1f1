// The OAuth clients of Node.js, driven by benchmarks/node.py: a line of JSON asks, a line of JSON answers.
// It runs in a temporary folder, where npm has put the libraries.
import { createInterface } from "node:readline";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";

const calls = {}; // "name grant" -> function that requests tokens once, and rejects when it was not answered well

function configure({ suffix, issuer, url, clientId, clientSecret, scope, callback, state, nonce, verifier, refreshToken, forms }) {
  const metadata = { issuer, token_endpoint: url };
  const redirectUri = callback.slice(0, callback.indexOf("?"));

  for (const [grant, form] of Object.entries(forms)) {
    calls[`fetch ${grant}${suffix}`] = async () => (await fetch(url, { method: "POST", body: new URLSearchParams(form) })).arrayBuffer();
  }

  const config = new openid.Configuration(metadata, clientId, clientSecret, openid.ClientSecretPost(clientSecret));
  openid.allowInsecureRequests(config);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, ...(suffix ? { expectedNonce: nonce } : {}), idTokenExpected: suffix !== "" };
  calls[`openid-client client_credentials${suffix}`] = () => openid.clientCredentialsGrant(config, { scope });
  calls[`openid-client refresh_token${suffix}`] = () => openid.refreshTokenGrant(config, refreshToken);
  calls[`openid-client authorization_code${suffix}`] = () => openid.authorizationCodeGrant(config, new URL(callback), checks);

  const client = { client_id: clientId };
  const authentication = oauth.ClientSecretPost(clientSecret);
  const options = { [oauth.allowInsecureRequests]: true };
  calls[`oauth4webapi client_credentials${suffix}`] = async () => {
    const form = new URLSearchParams({ scope });
    const answer = await oauth.clientCredentialsGrantRequest(metadata, client, authentication, form, options);
    return oauth.processClientCredentialsResponse(metadata, client, answer);
  };
  calls[`oauth4webapi refresh_token${suffix}`] = async () => {
    const answer = await oauth.refreshTokenGrantRequest(metadata, client, authentication, refreshToken, options);
    return oauth.processRefreshTokenResponse(metadata, client, answer);
  };
  calls[`oauth4webapi authorization_code${suffix}`] = async () => {
    const code = oauth.validateAuthResponse(metadata, client, new URL(callback), state);
    const answer = await oauth.authorizationCodeGrantRequest(
      metadata, client, authentication, code, redirectUri, verifier, options);
    return oauth.processAuthorizationCodeResponse(metadata, client, answer, { ...(suffix ? { expectedNonce: nonce, requireIdToken: true } : {}) });
  };
}

// So many at once, wave after wave.
async function waves({ name, count, concurrency }) {
  const call = calls[name];
  const begun = process.hrtime.bigint();
  for (let index = 0; index < count; index++) {
    await Promise.all(Array.from({ length: concurrency }, call));
  }
  return { seconds: Number(process.hrtime.bigint() - begun) / 1e9 };
}

const operations = { configure, waves };

for await (const line of createInterface({ input: process.stdin })) {
  const { id, operation, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = (await operations[operation](given)) ?? {};
  } catch (error) {
    answer = { error: String(error.stack ?? error) };
  }
  console.log(JSON.stringify({ id, ...answer }));
}
