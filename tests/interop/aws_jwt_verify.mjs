// npm's aws-jwt-verify, which AWS wrote, judges tokens: hears them with their key set, and says what it thinks.
import { hear, load, say, settings } from './judge.mjs';

const { CognitoJwtVerifier } = await load('aws-jwt-verify');
const { userPoolId, clientId, jwks } = settings;
for (;;) {
  const { token, tokenUse } = await hear();
  const verifier = CognitoJwtVerifier.create({ userPoolId, clientId, tokenUse });
  verifier.cacheJwks(jwks);
  try {
    say({ sub: verifier.verifySync(token).sub });
  } catch (error) {
    say({ error: error.constructor.name });
  }
}
