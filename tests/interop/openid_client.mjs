// npm's openid-client logs in: says where to send the browser, hears the callback, and says what it got.
import { hear, load, say, settings } from './judge.mjs';

const client = await load('openid-client');
const authentication = settings.secret ? client.ClientSecretBasic(settings.secret) : client.None();
const config = await client.discovery(new URL(settings.issuer), settings.client_id, undefined, authentication, {
  execute: [client.allowInsecureRequests],
});

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: settings.callback,
  scope: 'openid email',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
});
say({ url: url.href });

const { callback } = await hear();
const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, maxAge: 3600 };
const tokens = await client.authorizationCodeGrant(config, new URL(callback), checks);
const { sub } = tokens.claims();
const info = await client.fetchUserInfo(config, tokens.access_token, sub);
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
await client.tokenRevocation(config, renewed.refresh_token ?? tokens.refresh_token);
const after = await client.refreshTokenGrant(config, renewed.refresh_token ?? tokens.refresh_token).then(
  () => 'refreshed',
  (error) => error.error,
);
say({ sub, email: info.email, renewed_sub: renewed.claims().sub, after });
