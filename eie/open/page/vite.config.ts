import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

const HERE = import.meta.dirname;

/** What the built files depend on; tests/open/test_page_build.py takes the same. */
const SOURCES = ["index.html", "package-lock.json", "package.json", "public", "src", "tsconfig.json", "vite.config.ts"];

function filesUnder(path: string): string[] {
  const entries = readdirSync(join(HERE, path), { withFileTypes: true });
  return entries.flatMap((entry) =>
    entry.isDirectory() ? filesUnder(`${path}/${entry.name}`) : [`${path}/${entry.name}`],
  );
}

function hashOfSources(): string {
  const files = SOURCES.flatMap((path) => (path.includes(".") ? [path] : filesUnder(path))).sort();
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(HERE, file))).update("\0");
  return hash.digest("hex");
}

/** Say of which sources a build is, and under which licences what came into it stands. */
function manifest(): Plugin {
  return {
    name: "manifest",
    generateBundle(_, bundle) {
      const packages = new Set<string>();
      for (const file of Object.values(bundle)) {
        for (const module of file.type === "chunk" ? Object.keys(file.modules) : []) {
          const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(module.replaceAll("\\", "/"))?.[1];
          if (name) packages.add(name);
        }
      }
      const source = [...packages].sort().map(licenceOf).join(`\n\n${"-".repeat(72)}\n\n`);
      this.emitFile({ type: "asset", fileName: "licences.txt", source: `${source}\n` });
      const built = `${JSON.stringify({ sources: hashOfSources() })}\n`;
      this.emitFile({ type: "asset", fileName: "build.json", source: built });
    },
  };
}

function licenceOf(name: string): string {
  const folder = join(HERE, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    version: string;
    license: string;
  };
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt"].map((each) => join(folder, each)).find(existsSync);
  if (!file) throw new Error(`${name} comes without the text of its licence`);
  return `${name} ${version} (${license})\n\n${readFileSync(file, "utf8").trim()}`;
}

export default defineConfig({
  base: "./",
  plugins: [manifest()],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    assetsInlineLimit: 0, // nothing inline: the page's policy has no place for it
    modulePreload: false,
    target: "es2022",
    rollupOptions: {
      output: { entryFileNames: "page.js", assetFileNames: "page[extname]" },
    },
  },
});
