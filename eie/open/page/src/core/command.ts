/** The command line that makes the same file as "Save". */

const SUFFIX: Readonly<Record<string, string>> = {
  png: ".png",
  jpeg: ".jpg",
  webp: ".webp",
  tiff: ".tif",
};

/**
 * @param command as the server tells it; its last word names the picture, a PNG.
 * @param options what differs from the defaults of `eie render`; null for no option.
 */
export function commandLine(
  command: string,
  options: { format: string; quality: number | null; decoder: string | null; seed: number },
): string {
  const parts = [command.replace(/\.png(['"]?)\s*$/, (_, quote: string) => `${SUFFIX[options.format] ?? ".png"}${quote}`)];
  if (options.quality !== null) parts.push(`--quality ${options.quality}`);
  if (options.decoder) parts.push(`--decoder ${options.decoder}`);
  if (options.seed) parts.push(`--seed ${options.seed}`);
  return parts.join(" ");
}

/** The command line with an option a line, for people who read it; shells read it just so. */
export function inLines(command: string): string {
  const pieces = command.split(/ (?=-{1,2}[a-z])|(?<= &&) /);
  let text = pieces[0]!;
  for (const piece of pieces.slice(1)) {
    const quoted = (text.split("'").length - 1) % 2 === 1; // between quotes, all stays as it is
    const ended = text.endsWith(" &&");
    if (quoted || piece.startsWith("-o ")) text += ` ${piece}`;
    else text += ended ? `\n${piece}` : ` \\\n  ${piece}`;
  }
  return text;
}
