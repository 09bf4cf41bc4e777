// A web client in Chromium that is driven by lines of JSON: Hydrogen, which encrypts.
//
//   node web.mjs '{"url": …, "user": …, "password": …, "chromium": …, "width": …, "height": …}'
//
// It reads {"id": 1, "do": "opens", …} and answers {"id": 1, "done": …} or {"id": 1, "refused": …}.
// When it has signed in it tells {"ready": true}. When standard input ends, so does it.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { answers, tell } from "./lines.mjs";

const { url, user, password, chromium: executablePath, width, height } = JSON.parse(process.argv[2]);

// ── The page, served on loopback ─────────────────────────────────────────────────────────────────────────────

// A machine may have no emoji: the page brings them, and they are part of the one font that Hydrogen asks for.
const emoji = [400, 500, 600, 700].map(
  (weight) => `@font-face { font-family: Inter; font-weight: ${weight}; unicode-range: U+203C-3299, U+1F000-1FAFF;
                            src: url(emoji/noto-color-emoji-emoji-400-normal.woff2) }`,
);
const INDEX = `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="assets/theme-element-light.css">
<style>${emoji.join("")} html, body, #app { height: 100%; margin: 0 } #app > * { height: 100% }</style>
<body class="hydrogen"><div id="app" class="hydrogen"></div><script type="module" src="page.js"></script>`;

const bundle = await build({
  entryPoints: [join(import.meta.dirname, "page.js")],
  bundle: true,
  write: false,
  format: "esm",
  logLevel: "error",
  external: ["crypto", "path", "fs"],
});

const made = { "/": INDEX, "/page.js": bundle.outputFiles[0].contents };
const folders = {
  "/": "hydrogen-view-sdk/lib-build",
  "/assets/": "hydrogen-view-sdk/asset-build/assets",
  "/olm/": "@matrix-org/olm",
  "/emoji/": "@fontsource/noto-color-emoji/files",
};
const TYPES = { ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".woff2": "font/woff2" };

const server = createServer(async (request, answer) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const [, folder, name] = pathname.match("^(.*/)([^/]*)$");
  try {
    const file = join(import.meta.dirname, "node_modules", folders[folder] ?? "none", name);
    const body = made[pathname] ?? (await readFile(file));
    answer.writeHead(200, { "Content-Type": TYPES[extname(name)] ?? "text/html" }).end(body);
  } catch {
    answer.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

// ── The browser ──────────────────────────────────────────────────────────────────────────────────────────────

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor: 2 });
page.on("pageerror", (error) => console.error(String(error)));
page.on("requestfailed", (request) => console.error(`${request.url()}: ${request.failure()?.errorText}`));
await page.goto(`http://127.0.0.1:${server.address().port}/?homeserver=${encodeURIComponent(url)}`);
await page.waitForFunction(() => window.opens);
await page.evaluate((who) => window.signsIn(who), { user, password });
tell({ ready: true });

answers(
  {
    async opens({ room }) {
      await page.evaluate((which) => window.opens(which), { room });
    },
    async shows({ text }) {
      await page.getByText(text).last().waitFor();
    },
    async shown() {
      return await page.locator("#app").innerText();
    },
    async photograph({ path }) {
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path });
    },
  },
  () => browser.close(),
);
