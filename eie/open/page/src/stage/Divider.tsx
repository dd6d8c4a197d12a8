/** The photo on the left of a line, the edited picture on its right; the line can be dragged. */

import { clamp } from "../core/geometry";
import { canvasSize, divider, view } from "../store";

export function Divider() {
  const share = divider.value ?? 0.5;
  const { width, height } = canvasSize.value;
  const { scale, x, y } = view.value;
  const left = x + share * width * scale;

  const drag = (event: PointerEvent): void => {
    const line = event.currentTarget as HTMLElement;
    if (!line.hasPointerCapture(event.pointerId)) return;
    const stage = line.parentElement!.getBoundingClientRect();
    divider.value = clamp((event.clientX - stage.left - view.value.x) / (width * view.value.scale), 0, 1);
  };
  const keys = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    divider.value = clamp(share + by, 0, 1);
  };
  return (
    <div
      class="divider"
      role="slider"
      tabIndex={0}
      aria-label="Where the photo ends and the edited picture begins"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(100 * share)}
      aria-valuetext={`${Math.round(100 * share)} % photo`}
      style={{ transform: `translate(${left}px, ${y}px)`, height: `${height * scale}px` }}
      onPointerDown={(event) => (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId)}
      onPointerMove={drag}
      onKeyDown={keys}
    >
      <span class="divider-name left">Before</span>
      <span class="divider-name right">After</span>
      <span class="divider-grip" aria-hidden="true" />
    </div>
  );
}
