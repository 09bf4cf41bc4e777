// In the browser: signs in with Hydrogen, which encrypts, and shows one room at a time.

import {
  Client, FeatureSet, LoadStatus, Platform, RoomView, RoomViewModel, createNavigation, createRouter, viewClassForTile,
} from "hydrogen-view-sdk";

const app = document.querySelector("#app");
const homeserver = new URLSearchParams(location.search).get("homeserver");
const platform = new Platform({
  container: app,
  config: { defaultHomeServer: homeserver },
  options: { development: true },
  assetPaths: {
    downloadSandbox: "assets/download-sandbox.html",
    worker: "assets/main.js",
    olm: { wasm: "olm/olm.wasm", legacyBundle: "olm/olm_legacy.js", wasmBundle: "olm/olm.js" },
    serviceWorker: "sw.js",
  },
});
const navigation = createNavigation();
platform.setNavigation(navigation);
await platform.init();
const urlRouter = createRouter({ navigation, history: platform.history });
urlRouter.attach();
const client = new Client(platform);

window.signsIn = async ({ user, password }) => {
  const login = await client.queryLogin(homeserver).result;
  client.startWithLogin(login.password(user, password));
  const ends = [LoadStatus.Ready, LoadStatus.Error, LoadStatus.LoginFailed];
  await client.loadStatus.waitFor((status) => ends.includes(status)).promise;
  if (client.loginFailure || client.loadError) throw new Error(client.loginFailure ?? client.loadError.message);
};

window.opens = async ({ room: id }) => {
  const { session } = client;
  let room;
  while (!(room = session.rooms.get(id))) await new Promise((resolve) => setTimeout(resolve, 50));
  const features = await FeatureSet.load(platform.settingsStorage);
  const ownUserId = session.userId;
  const model = new RoomViewModel({ room, ownUserId, platform, urlRouter, navigation, features });
  await model.load();
  app.replaceChildren(new RoomView(model, viewClassForTile).mount());
};
