/** Saving what is shown, and the command line that does the same. */

import { computed, signal } from "@preact/signals";
import * as api from "../core/api";
import { commandLine } from "../core/command";
import { decoder, doc, problem, seed, status } from "../store";
import { settled, whileBusy } from "./editing";
import { attempt } from "./failing";
import { usesDefaultDecoder } from "./showing";

export const FORMATS = [
  { name: "png", title: "PNG", about: "every pixel as it is" },
  { name: "jpeg", title: "JPEG", about: "small, for sharing" },
  { name: "webp", title: "WebP", about: "smaller, for the web" },
  { name: "tiff", title: "TIFF", about: "for print and archives" },
  { name: "h5", title: "Element file", about: "to go on editing elsewhere" },
  { name: "json", title: "Edit script", about: "to play on other photos" },
] as const;

export type Format = (typeof FORMATS)[number]["name"];

export const format = signal<Format>("png");
export const quality = signal<number | null>(null); // null: as eie render has it
export const hasQuality = computed(() => format.value === "jpeg" || format.value === "webp");
export const isPicture = computed(() => format.value !== "h5" && format.value !== "json");

const options = computed(() => ({
  format: format.value,
  quality: hasQuality.value ? quality.value : null,
  decoder: usesDefaultDecoder() ? null : decoder.value,
  seed: seed.value,
}));

export const command = computed(() => {
  const told = doc.value?.command;
  if (!told) return "";
  return isPicture.value ? commandLine(told, options.value) : commandLine(told, { ...options.value, format: "png" });
});

const ENDINGS: Readonly<Record<Format, string>> = {
  png: "-edited.png",
  jpeg: "-edited.jpg",
  webp: "-edited.webp",
  tiff: "-edited.tif",
  h5: ".h5",
  json: "-edits.json",
};

export async function save(): Promise<boolean> {
  await settled();
  const current = doc.value;
  if (!current) return false;
  return attempt(async () => {
    const file = await whileBusy("Rendering in full …", () => api.download(current.id, options.value));
    const stem = (current.photo ?? current.file).replace(/\.[^.]*$/, "");
    const name = file.name ?? stem + ENDINGS[format.value];
    const address = URL.createObjectURL(file.blob);
    const link = document.createElement("a");
    link.href = address;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    status.value = `Saved as ${name}.`;
  });
}

export async function copyCommand(): Promise<boolean> {
  // Browsers have a clipboard for pages of this machine or with a certificate only.
  if (!isSecureContext) {
    const message = "the browser lets this page not copy by itself";
    problem.value = { message, where: null, hint: "select the text below and copy it" };
    return false;
  }
  return attempt(async () => {
    await navigator.clipboard.writeText(command.value);
    status.value = "The command line is copied.";
  });
}
