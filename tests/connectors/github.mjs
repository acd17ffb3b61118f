// Posts every example payload of GitHub's own collection, signed by GitHub's
// own code, and notes what was sent: github.mjs MODULES PORT SECRET OUT
import {createRequire} from "module";
import {request, Agent} from "http";
import {writeFileSync} from "fs";

const [modules, port, secret, out] = process.argv.slice(2);
const require = createRequire(modules + "/");
const examples = require("@octokit/webhooks-examples");
const {sign} = await import(
    modules + "/@octokit/webhooks-methods/dist-node/index.js");
const agent = new Agent({keepAlive: true, maxSockets: 1});
const sent = [];

function post(id, type, body, signature) {
    return new Promise((done, fail) => {
        const q = request({host: "127.0.0.1", port, agent, method: "POST",
                           path: "/", headers: {
            "Content-Type": "application/json",
            "X-GitHub-Delivery": id,
            "X-GitHub-Event": type,
            "X-Hub-Signature-256": signature,
        }}, (a) => {
            a.resume();
            a.on("end", () => done(a.statusCode));
        });
        q.on("error", fail);
        q.end(body);
    });
}

for (const {name, examples: payloads} of examples.default ?? examples) {
    for (const payload of payloads) {
        // GitHub sends one line; every third goes as people print it.
        const indent = sent.length % 3 === 2 ? 2 : 0;
        const body = JSON.stringify(payload, null, indent);
        const id = `d-${sent.length}`;
        const good = await sign(secret, body);
        const bad = await post(id + "-bad", name, body + " ", good);
        const status = await post(id, name, body, good);
        sent.push({id, type: name, key: payload.repository?.full_name ?? null,
            body: Buffer.from(body).toString("base64"), status, bad});
    }
}
writeFileSync(out, sent.map((s) => JSON.stringify(s) + "\n").join(""));
agent.destroy();
