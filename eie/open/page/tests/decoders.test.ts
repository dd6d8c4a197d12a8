import { describe, expect, it } from "vitest";
import { offered } from "../src/core/decoders";

describe("decoders", () => {
  it("are offered if they need no model that the page cannot name", () => {
    expect(offered(["classical", "inpaint", "learned"])).toEqual(["classical", "learned"]);
    expect(offered(["classical"])).toEqual(["classical"]);
  });
});
