// A real OpenID provider for tests: `node oidc.mjs '{"port": 0, "clients": [...]}'` prints its issuer in a line.
// Whoever comes is whom the form at /interaction/:uid says: its fields are the claims.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const { clients } = JSON.parse(process.argv[2]);
const people = new Map();

const jwk = (kind, options, alg) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }),
  alg,
  use: 'sig',
  kid: `${alg}-1`,
});

const server = createServer();
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients,
  jwks: {
    keys: [
      jwk('rsa', { modulusLength: 2048 }, 'RS256'),
      jwk('ec', { namedCurve: 'P-256' }, 'ES256'),
      jwk('ed25519', {}, 'EdDSA'),
    ],
  },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  cookies: { keys: ['a key for tests'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Grant: 600, Session: 600 },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => people.get(sub) }),
  async loadExistingGrant(ctx) {
    const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid email profile');
    await grant.save();
    return grant;
  },
});

const read = async (request) => {
  let body = '';
  for await (const part of request) body += part;
  return Object.fromEntries(new URLSearchParams(body));
};

const handle = provider.callback();
server.on('request', async (request, response) => {
  if (!request.url.startsWith('/interaction/')) return handle(request, response);
  try {
    const details = await provider.interactionDetails(request, response);
    if (request.method === 'GET') {
      response.setHeader('Content-Type', 'text/html');
      const fields = ['sub', 'email', 'email_verified', 'name'].map((name) => `<input name="${name}">`).join('');
      return response.end(
        `<p>Provider's form<form method="post" action="/interaction/${details.uid}">${fields}<button>Go on</button></form>`,
      );
    }
    const { refuse, ...claims } = await read(request);
    if (refuse) {
      return provider.interactionFinished(request, response, { error: 'access_denied' });
    }
    people.set(claims.sub, { ...claims, email_verified: claims.email_verified === 'true' });
    return provider.interactionFinished(request, response, { login: { accountId: claims.sub } });
  } catch (error) {
    response.statusCode = 500;
    return response.end(String(error));
  }
});

process.stdin.on('end', () => process.exit(0)).resume(); // ends with whoever started it
console.log(issuer);
