/** The canvas: the picture, and what is pointed at and selected above it. */

import { effect, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { photoOf, showDetail } from "../actions/showing";
import { tell } from "../actions/failing";
import { fitted, toScreen } from "../core/view";
import {
  before,
  brushSize,
  canvasSize,
  chosen,
  divider,
  doc,
  editing,
  gesture,
  hover,
  isEdited,
  original,
  picture,
  tool,
  view,
  windowSize,
} from "../store";
import { Divider } from "./Divider";
import { type Colours, drawBase, drawOverlay } from "./draw";
import { holeOf, lift, type Lifted } from "./lift";
import {
  abandon,
  boxDrawn,
  cancelled,
  cursorStyle,
  glide,
  leave,
  pointer,
  press,
  release,
  stroke,
  wheel,
} from "./pointing";

/** Draw at the next frame, once, whatever changes until then. */
function eachFrame(draw: () => void): () => void {
  let asked = 0;
  const stop = effect(() => {
    reads();
    if (!asked) {
      asked = requestAnimationFrame(() => {
        asked = 0;
        draw();
      });
    }
  });
  return () => {
    stop();
    cancelAnimationFrame(asked);
  };
}

/** All that a drawing depends on. */
function reads(): void {
  void [view.value, windowSize.value, picture.value, original.value, before.value, divider.value];
  void [chosen.value, hover.value, gesture.value, tool.value, brushSize.value];
  void [stroke.value, boxDrawn.value, pointer.value, doc.value, editing.value];
}

/** What is lifted while a gesture lasts. */
interface Held {
  readonly lifted: Lifted | null;
  readonly hole: Lifted | null;
}

export function Stage() {
  const frame = useRef<HTMLDivElement>(null);
  const baseCanvas = useRef<HTMLCanvasElement>(null);
  const overCanvas = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const stage = frame.current!;
    const stopDrawing = painter(baseCanvas.current!, overCanvas.current!);
    const stopSizing = sized(stage, [baseCanvas.current!, overCanvas.current!]);
    // Preact's listeners are passive for wheels, and those cannot keep the page from scrolling.
    stage.addEventListener("wheel", wheel, { passive: false });
    return () => {
      stopDrawing();
      stopSizing();
      stage.removeEventListener("wheel", wheel);
    };
  }, []);

  useSignalEffect(() => {
    if (divider.value !== null && doc.value && !original.value) photoOf(doc.value.id).catch(tell);
  });

  useSignalEffect(() => {
    void [view.value.scale, picture.value];
    const timer = setTimeout(() => void showDetail(), 250);
    return () => clearTimeout(timer);
  });

  const name = doc.value?.photo ?? doc.value?.file;
  return (
    <div class="stage" ref={frame}>
      <canvas ref={baseCanvas} class="layer" aria-hidden="true" />
      <canvas
        ref={overCanvas}
        class={`layer cursor-${cursorStyle.value}`}
        data-stage=""
        tabIndex={0}
        role="application"
        aria-roledescription="photo canvas"
        aria-label={name ? `Photo ${name}` : "Photo"}
        aria-describedby="stage-help"
        onPointerDown={press}
        onPointerMove={glide}
        onPointerUp={release}
        onPointerCancel={cancelled}
        onPointerLeave={leave}
        onLostPointerCapture={() => gesture.value && abandon()}
        onContextMenu={(event) => event.preventDefault()}
      />
      <p id="stage-help" class="unseen">
        Arrow keys go from element to element; Enter selects the object there, with Shift adds it,
        with Alt takes it away. Then arrow keys move what is selected, with Shift by ten pixels,
        and Control with arrow keys goes on to other elements. Delete removes, Escape lets go,
        question mark lists all keys.
      </p>
      <Tag />
      {isEdited.value && divider.value !== null && <Divider />}
      {before.value && <span class="chip">The photo, unedited</span>}
    </div>
  );
}

/** How far, how large, what angle, beside the pointer. */
function Tag() {
  const label = gesture.value?.label;
  const at = pointer.value;
  if (!label || !at) return null;
  const { x, y } = toScreen(view.value, at);
  return (
    <output class="tag" style={{ transform: `translate(${x + 16}px, ${y + 18}px)` }}>
      {label}
    </output>
  );
}

/** Keep canvases as large as the stage in device pixels, and the photo in the window. */
function sized(stage: HTMLElement, layers: readonly HTMLCanvasElement[]): () => void {
  const measure = (): void => {
    const { clientWidth: width, clientHeight: height } = stage;
    for (const layer of layers) {
      layer.width = Math.round(width * devicePixelRatio);
      layer.height = Math.round(height * devicePixelRatio);
    }
    const wasFitted = view.peek().scale === fitted(canvasSize.peek(), windowSize.peek()).scale;
    windowSize.value = { width, height };
    if (wasFitted) view.value = fitted(canvasSize.peek(), windowSize.peek());
  };
  const observer = new ResizeObserver(measure);
  observer.observe(stage);
  let seen: string | undefined;
  const stop = effect(() => {
    const id = doc.value?.id;
    if (id && id !== seen) view.value = fitted(canvasSize.peek(), windowSize.peek());
    seen = id;
  });
  return () => {
    observer.disconnect();
    stop();
  };
}

/** Draw both layers when what they show changes. */
function painter(baseLayer: HTMLCanvasElement, overLayer: HTMLCanvasElement): () => void {
  const base = baseLayer.getContext("2d")!;
  const over = overLayer.getContext("2d")!;
  const colours: Colours = coloursOf(overLayer);
  let drawn: unknown[] = [];
  let held: (Held & { of: unknown }) | null = null;

  const hold = (): Held | null => {
    const what = chosen.value;
    const shown = picture.value;
    if (!what || !shown || !gesture.value) return (held = null);
    if (held?.of !== what.region) {
      const canvas = canvasSize.value;
      held = { of: what.region, lifted: lift(shown, what.region, canvas), hole: holeOf(what.region, canvas) };
    }
    return held;
  };

  return eachFrame(() => {
    const shown = picture.value;
    const now = hold();
    const hole = gesture.value?.leaves === false ? null : (now?.hole ?? null);
    const until = before.value ? 1 : isEdited.value ? divider.value : null;
    const behind = until !== null && original.value ? { picture: original.value, until } : null;
    const wanted = [shown, view.value, windowSize.value, hole, behind?.picture, until, devicePixelRatio];
    if (!shown) base.clearRect(0, 0, base.canvas.width, base.canvas.height);
    else if (wanted.some((value, index) => value !== drawn[index])) {
      const transparent = doc.value?.alpha ?? false;
      const canvas = canvasSize.value;
      drawBase(base, { view: view.value, canvas, picture: shown, original: behind, hole, transparent });
    }
    drawn = shown ? wanted : [];
    // Where the photo lies, for programs that drive the page.
    const { scale, x, y } = view.value;
    overLayer.dataset.view = `${scale} ${x} ${y}`;
    const at = pointer.value;
    const brushing = tool.value === "brush" && at;
    drawOverlay(over, {
      view: view.value,
      hover: before.value ? null : hover.value,
      chosen: before.value ? null : chosen.value,
      gesture: gesture.value,
      lifted: now?.lifted ?? null,
      handles: tool.value === "select" && divider.value === null && !editing.value,
      stroke: stroke.value,
      boxDrawn: boxDrawn.value,
      brush: brushing ? { ...at, width: brushSize.value / view.value.scale } : null,
      colours,
    });
  });
}

/** The colours of the canvas, as the style sheet has them. */
function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  return {
    accent: style.getPropertyValue("--mark").trim(),
    object: style.getPropertyValue("--mark-fill").trim(),
  };
}
