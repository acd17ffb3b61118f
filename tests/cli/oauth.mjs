// tests/cli/oauth.mjs: a real authorisation server (oidc-provider), and an
// endpoint, POST /hook, that takes its access tokens and no others.
//
//     node oauth.mjs MODULES LIFE [post]
//
// Access tokens hold for LIFE seconds. With "post" the client's secret is taken
// in the body only.
//
// Refresh tokens change with each use, and one that is used twice ends all that
// came of it. In the current folder, "entry" becomes what dpp-vault put takes,
// and then "port" the port. "log" gets a line for each answer; while there is a
// file "hold", answers of the token endpoint are made and not sent. POST
// /refuse: /hook refuses all tokens that it has seen.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, life, way] = process.argv.slice(2);
const root = path.resolve(modules, 'oidc-provider/lib/index.js');
const { default: Provider } = await import(pathToFileURL(root));

const server = http.createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const { port } = server.address();
const at = `http://127.0.0.1:${port}`;
const note = (line) => fs.appendFileSync('log', `${line}\n`);
const secret = 'the client/secret+%:';

const provider = new Provider(at, {
    clients: [{
        client_id: 'dpp',
        client_secret: secret,
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: ['https://example.org/back'],
        token_endpoint_auth_method:
            way === 'post' ? 'client_secret_post' : 'client_secret_basic',
    }],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    rotateRefreshToken: true,
    ttl: { AccessToken: Number(life), RefreshToken: 3600, Grant: 3600 },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});

// The first refresh token, as if somebody had logged in and agreed.
const client = await provider.Client.find('dpp');
const grant = new provider.Grant({ accountId: 'me', clientId: 'dpp' });
grant.addOIDCScope('openid offline_access');
const grantId = await grant.save();
const first = new provider.RefreshToken({
    accountId: 'me', client, grantId, gty: 'authorization_code',
    scope: 'openid offline_access', expiresWithSession: false,
});

const seen = new Set();
const refused = new Set();

async function hook(req, res) {
    const token = (req.headers.authorization ?? '').replace('Bearer ', '');
    for await (const chunk of req) {
        void chunk;
    }
    const good = token && !refused.has(token) &&
        (await provider.AccessToken.find(token))?.isValid;
    seen.add(token);
    res.statusCode = good ? 200 : 401;
    note(`hook ${res.statusCode}`);
    res.end();
}

function held(res) {
    const end = res.end.bind(res);
    res.end = (...body) => {
        note(`token ${res.statusCode}`);
        const go = () => (fs.existsSync('hold') ? setTimeout(go, 20)
            : end(...body));
        go();
        return res;
    };
}

const answer = provider.callback();
server.on('request', (req, res) => {
    if (req.url === '/hook') {
        hook(req, res);
    } else if (req.url === '/refuse') {
        seen.forEach((token) => refused.add(token));
        res.end();
    } else {
        if (way === 'post') {
            delete req.headers.authorization;
        }
        held(res);
        answer(req, res);
    }
});

fs.writeFileSync('entry', JSON.stringify({
    token_url: `${at}/token`, client_id: 'dpp', client_secret: secret,
    refresh_token: await first.save(),
}));
fs.writeFileSync('port', String(port));
