// npm's oidc-provider on a free port of loopback: says its issuer, and ends with its standard input.
import { createServer } from 'node:http';
import { hear, load, say, settings } from './judge.mjs';

const { Provider } = await load('oidc-provider');

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const common = {
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: [settings.callback],
  post_logout_redirect_uris: [settings.goodbye],
};
const provider = new Provider(issuer, {
  clients: [
    { ...common, client_id: 'public', token_endpoint_auth_method: 'none' },
    {
      ...common,
      client_id: 'confidential',
      client_secret: settings.secret,
      token_endpoint_auth_method: 'client_secret_basic',
    },
    {
      ...common,
      client_id: 'posting',
      client_secret: settings.secret,
      token_endpoint_auth_method: 'client_secret_post',
    },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false, // the scopes' claims in the ID token too, as Cognito has them
  cookies: { keys: ['a key of the tests'] },
  features: { revocation: { enabled: true } },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@acme.com`, email_verified: true }),
  }),
  issueRefreshToken: () => true, // without offline_access, which Cognito does not know
  pkce: { required: () => true },
  ttl: { AccessToken: 3600, IdToken: 3600 },
});
provider.on('server_error', (ctx, error) => console.error(error));
server.on('request', provider.callback());
say({ issuer });
await hear();
