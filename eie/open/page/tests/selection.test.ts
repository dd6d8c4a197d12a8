import { describe, expect, it } from "vitest";
import {
  boxText,
  composed,
  groupText,
  idsText,
  type Term,
  withExtent,
  withTerm,
} from "../src/core/selection";

const object = (x: number, y: number) => ({ kind: "object", at: { x, y }, extent: "object" }) as const;

describe("selection texts", () => {
  it("join what shift adds and take away what alt takes away", () => {
    let terms: readonly Term[] = [];
    terms = withTerm(terms, "new", object(10, 20));
    terms = withTerm(terms, "add", object(30.26, 40));
    terms = withTerm(terms, "remove", object(50, 60));
    expect(composed(terms)).toBe("object@10,20+object@30.3,40-object@50,60");
    expect(composed(withTerm(terms, "new", object(1, 2)))).toBe("object@1,2:object");
  });

  it("take nothing away from nothing", () => {
    expect(withTerm([], "remove", object(1, 2))).toEqual([]);
  });

  it("say how much of the last object is taken", () => {
    const terms = withTerm(withTerm([], "new", object(1, 2)), "add", object(3, 4));
    expect(composed(withExtent(terms, "whole"))).toBe("object@1,2+object@3,4:whole");
    expect(composed(withExtent(withExtent(terms, "part"), "object"))).toBe("object@1,2+object@3,4");
  });

  it("are no ranges where ids are taken away", () => {
    const ids = { kind: "text", text: "20-25" } as const;
    const minus = withTerm(withTerm([], "new", ids), "remove", { kind: "text", text: "22" });
    expect(composed(minus)).toBe("20-25 - 22");
  });

  it("write ids in ranges", () => {
    expect(idsText([25, 3, 7, 20, 21, 22, 23, 24, 8])).toBe("3,7,8,20-25");
    expect(idsText([])).toBe("");
  });

  it("write boxes in whole pixels and quote names that need it", () => {
    expect(boxText("object@", { x0: 1.4, y0: 2.6, x1: 30, y1: 40 })).toBe("object@1,3,30,40");
    expect(groupText("cup")).toBe("group:cup");
    expect(groupText("left-eye")).toBe('group:"left-eye"');
  });
});
