// A Matrix client that is driven by lines of JSON: matrix-js-sdk with its Rust crypto, its keys in memory.
//
//   node client.mjs '{"url": …, "user": …, "device": …, "token": …, "password": …}'
//
// It reads {"id": 1, "do": "says", …} and answers {"id": 1, "done": …} or {"id": 1, "refused": …}.
// By itself it tells of {"ready": true}, of {"event": …} in its rooms, and of {"membership": …} of its own.
// When standard input ends, so does it.

import * as sdk from "matrix-js-sdk";
import { AllDevicesIsolationMode, OnlySignedDevicesIsolationMode } from "matrix-js-sdk/lib/crypto-api/index.js";
import { answers, tell } from "./lines.mjs";

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error: console.error, getChild: () => silent };
for (const name of ["log", "trace", "debug", "info", "warn"]) console[name] = () => {};

const account = JSON.parse(process.argv[2]);
const client = sdk.createClient({
  baseUrl: account.url,
  userId: account.user,
  deviceId: account.device,
  accessToken: account.token,
  logger: silent,
  cryptoCallbacks: { getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], secretStorageKey] },
});
let secretStorageKey;
await client.initRustCrypto({ useIndexedDB: false });
const crypto = client.getCrypto();

// ── What it tells ────────────────────────────────────────────────────────────────────────────────────────────

const unread = new Set(); // those that could not be decrypted

async function tellEvent(event) {
  if (event.isDecryptionFailure()) unread.add(event.getId());
  const push = client.getPushActionsForEvent(event, true);
  const encryption = event.isEncrypted() ? await crypto.getEncryptionInfoForEvent(event) : null;
  const relation = event.getWireContent()["m.relates_to"];
  tell({
    event: {
      ...event.event,
      type: event.getType(),
      content: { ...event.getOriginalContent(), ...(relation && { "m.relates_to": relation }) },
    },
    room: event.getRoomId(),
    encrypted: event.isEncrypted(),
    failure: event.decryptionFailureReason,
    shield: encryption?.shieldReason ?? null,
    notifies: push?.notify ?? false,
    highlights: push?.tweaks?.highlight ?? false,
  });
}

let told = Promise.resolve(); // one after another, as they stand in their room

client.on(sdk.RoomEvent.Timeline, (event, room, toStart) => {
  if (toStart || event.getSender() === account.user) return;
  told = told.then(() => client.decryptEventIfNeeded(event)).then(() => tellEvent(event));
});

client.on(sdk.MatrixEventEvent.Decrypted, (event) => {
  const late = !event.isDecryptionFailure() && unread.delete(event.getId());
  if (late) told = told.then(() => tellEvent(event));
});

client.on(sdk.RoomMemberEvent.Membership, (event, member) => {
  if (member.userId !== account.user) return;
  tell({ membership: member.membership, room: member.roomId, sender: event.getSender() });
});

// Left to itself it would wait for longer and longer until it looks whether the homeserver is back.
setInterval(() => client.retryImmediately(), 200);

// ── What it is told to do ────────────────────────────────────────────────────────────────────────────────────

async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

const isIn = (room) => client.getRoom(room)?.getMyMembership() === "join";

const eventOf = (room, id) => client.getRoom(room).findEventById(id);

const todo = {
  async bootstrap({ anew }) {
    // Until it has read who it is, what it reads would take the place of what it makes.
    await until(async () => (await crypto.getUserDeviceInfo([account.user])).get(account.user)?.has(account.device));
    await crypto.bootstrapCrossSigning({
      setupNewCrossSigning: anew,
      authUploadDeviceSigningKeys: (upload) =>
        upload({
          type: "m.login.password",
          password: account.password,
          identifier: { type: "m.id.user", user: account.user },
        }),
    });
    await until(() => crypto.isCrossSigningReady());
  },
  async keepSecrets() {
    const made = await crypto.createRecoveryKeyFromPassphrase();
    secretStorageKey = made.privateKey;
    await crypto.bootstrapSecretStorage({ createSecretStorageKey: async () => made, setupNewSecretStorage: true });
    return made.encodedPrivateKey;
  },
  exclude({ insecure }) {
    crypto.setDeviceIsolationMode(insecure ? new OnlySignedDevicesIsolationMode() : new AllDevicesIsolationMode(false));
  },
  async create({ options }) {
    const { room_id: room } = await client.createRoom(options);
    const encrypted = options.initial_state.length > 0;
    // Before it knows the room's state it would send in plain text.
    await until(async () => isIn(room) && (!encrypted || (await crypto.isEncryptionEnabledInRoom(room))));
    return room;
  },
  async join({ room }) {
    await client.joinRoom(room);
    await until(() => isIn(room));
  },
  async send({ room, type, content }) {
    return (await client.sendEvent(room, type, content)).event_id;
  },
  async redact({ room, event }) {
    return (await client.redactEvent(room, event)).event_id;
  },
  async read({ room, event }) {
    await client.sendReadReceipt(eventOf(room, event));
  },
  async devices({ user }) {
    const found = (await crypto.getUserDeviceInfo([user])).get(user) ?? new Map();
    const signed = {};
    for (const id of found.keys()) signed[id] = (await crypto.getDeviceVerificationStatus(user, id))?.signedByOwner;
    return signed;
  },
  async media({ room, event }) {
    const content = eventOf(room, event).getContent();
    const path = (content.file?.url ?? content.url).replace("mxc://", "/_matrix/client/v1/media/download/");
    const answer = await fetch(account.url + path, { headers: { Authorization: `Bearer ${account.token}` } });
    if (!answer.ok) throw new Error(`the homeserver answers ${answer.status}`);
    const data = await answer.arrayBuffer();
    return Buffer.from(content.file ? await decrypted(content.file, data) : data).toString("base64");
  },
};

async function decrypted(file, data) {
  // As the specification has it: client-server API, "Sending encrypted attachments".
  const hash = Buffer.from(await globalThis.crypto.subtle.digest("SHA-256", data)).toString("base64");
  if (hash.replace(/=+$/, "") !== file.hashes.sha256) throw new Error("the file is not the one that was sent");
  const key = await globalThis.crypto.subtle.importKey("jwk", file.key, "AES-CTR", false, ["decrypt"]);
  const counter = Buffer.from(file.iv, "base64");
  return await globalThis.crypto.subtle.decrypt({ name: "AES-CTR", counter, length: 64 }, key, data);
}

// ── Start ────────────────────────────────────────────────────────────────────────────────────────────────────

await client.startClient({ initialSyncLimit: 100, pollTimeout: 10_000 });
await until(() => client.isInitialSyncComplete());
tell({ ready: true });

answers(todo);
