/** Decoders that can be chosen here: not `inpaint`, whose model only a command line names. */
export function offered(decoders: readonly string[]): readonly string[] {
  return decoders.filter((name) => name !== "inpaint");
}
