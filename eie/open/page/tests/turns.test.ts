import { describe, expect, it } from "vitest";
import { Turns } from "../src/core/turns";

function started() {
  const open = { value: 0 };
  const told: string[] = [];
  const turns = new Turns(open, async (error) => {
    await Promise.resolve();
    told.push(`failed: ${(error as Error).message}`);
  });
  /** Work that says when it begins, and ends when it is let. */
  const work = (name: string) => {
    let end: () => void = () => {};
    const gate = new Promise<void>((resolve) => (end = resolve));
    const done = turns.take(async () => {
      told.push(`${name} begins`);
      await gate;
      told.push(`${name} ends`);
    });
    return { end, done };
  };
  return { open, told, turns, work };
}

describe("turns", () => {
  it("begin at once where nothing is under way", () => {
    const { told, open, work } = started();
    work("move");
    expect(told).toEqual(["move begins"]);
    expect(open.value).toBe(1);
  });

  it("come when all before is done, in the order asked for", async () => {
    const { told, open, work } = started();
    const move = work("move");
    const remove = work("delete");
    const undo = work("undo");
    undo.end();
    remove.end();
    expect(told).toEqual(["move begins"]);
    move.end();
    await undo.done;
    const order = ["move", "delete", "undo"].flatMap((name) => [`${name} begins`, `${name} ends`]);
    expect(told).toEqual(order);
    expect(open.value).toBe(0);
    work("again");
    expect(told.at(-1)).toBe("again begins");
  });

  it("go on after work that fails, once that is dealt with", async () => {
    const { told, open, turns, work } = started();
    void turns.take(() => Promise.reject(new Error("away")));
    const next = work("next");
    next.end();
    await next.done;
    expect(told).toEqual(["failed: away", "next begins", "next ends"]);
    expect(open.value).toBe(0);
  });

  it("are settled when what was asked for in the meantime is done, too", async () => {
    const { told, turns, work } = started();
    const first = work("first");
    const settled = turns.settled().then(() => told.push("settled"));
    const second = work("second");
    first.end();
    await first.done;
    second.end();
    await settled;
    expect(told.slice(-2)).toEqual(["second ends", "settled"]);
  });
});
