import { describe, expect, it } from "vitest";
import { fitted, panned, toCanvas, toScreen, wheelFactor, zoomedAt } from "../src/core/view";

const canvas = { width: 4000, height: 3000 };
const window = { width: 1000, height: 800 };

describe("view", () => {
  it("fits the whole photo into the middle", () => {
    const view = fitted(canvas, window, 0);
    expect(view).toEqual({ scale: 0.25, x: 0, y: 25 });
  });

  it("goes to the screen and back", () => {
    const view = { scale: 1.7, x: -30, y: 12 };
    const place = toCanvas(view, toScreen(view, { x: 123, y: 45 }));
    expect(place.x).toBeCloseTo(123);
    expect(place.y).toBeCloseTo(45);
  });

  it("keeps what is under the pointer when it zooms", () => {
    const view = fitted(canvas, window);
    const at = { x: 700, y: 300 };
    const closer = zoomedAt(view, at, 3, canvas, window);
    expect(closer.scale).toBeCloseTo(view.scale * 3);
    expect(toCanvas(closer, at).x).toBeCloseTo(toCanvas(view, at).x);
    expect(toCanvas(closer, at).y).toBeCloseTo(toCanvas(view, at).y);
  });

  it("never zooms beyond its bounds, nor loses the photo", () => {
    let view = fitted(canvas, window);
    for (let step = 0; step < 50; step++) view = zoomedAt(view, { x: 0, y: 0 }, 2, canvas, window);
    expect(view.scale).toBe(32);
    const far = panned(view, -1e9, 1e9, canvas, window);
    expect(far.x + canvas.width * far.scale).toBeGreaterThan(0);
    expect(far.y).toBeLessThan(window.height);
  });

  it("undoes a wheel step by one back", () => {
    const away = wheelFactor({ deltaY: 100, deltaMode: 0, ctrlKey: false });
    const back = wheelFactor({ deltaY: -100, deltaMode: 0, ctrlKey: false });
    expect(away * back).toBeCloseTo(1);
    expect(away).toBeLessThan(1);
  });
});
