// npm's oidc-client-ts logs in, its UserManager as an application uses it, with a browser's window that says its URLs.
import { hear, load, say, settings } from './judge.mjs';

const { InMemoryWebStorage, UserManager, WebStorageStateStore } = await load('oidc-client-ts');

const browser = {
  prepare: async () => ({ navigate: async ({ url }) => say({ url }), close: () => {} }),
  callback: async () => {},
};
const manager = new UserManager(
  {
    authority: settings.issuer,
    client_id: settings.client_id,
    client_secret: settings.secret ?? undefined,
    client_authentication: settings.authentication,
    redirect_uri: settings.callback,
    scope: 'openid email',
    loadUserInfo: true,
    automaticSilentRenew: false,
    revokeTokenTypes: ['refresh_token'],
    stateStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
    userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
  },
  browser,
);

await manager.signinRedirect({ nonce: crypto.randomUUID(), state: { page: '/orders' } });
const { callback } = await hear();
const user = await manager.signinRedirectCallback(callback);
const renewed = await manager.signinSilent();
const { refresh_token } = renewed;
await manager.revokeTokens();
await manager.storeUser(Object.assign(await manager.getUser(), { refresh_token })); // which it has forgotten by now
const after = await manager.signinSilent().then(
  () => 'refreshed',
  (error) => error.error,
);
say({
  sub: user.profile.sub,
  email: user.profile.email,
  page: user.state.page,
  renewed_sub: renewed.profile.sub,
  renewed: renewed.access_token === user.access_token ? 'the same token' : 'another token',
  after,
});
await manager.removeUser(); // and the timers of its tokens
