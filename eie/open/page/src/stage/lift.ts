/** Pixels under a selection, taken off the picture so that they can be moved as it is shown. */

import type { Affine, Box, Size } from "../core/geometry";
import { canvasBox, type Region } from "../core/region";
import type { Picture } from "../store";

export interface Lifted {
  readonly image: HTMLCanvasElement;
  /** Where it was, in pixels of the canvas. */
  readonly box: Box;
}

const HOLE = "rgb(28 30 34 / 62%)";

function blank(width: number, height: number): [HTMLCanvasElement, CanvasRenderingContext2D] {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  return [canvas, canvas.getContext("2d")!];
}

/** The part of a region in its box as alpha, at the region's size. */
function stencil(region: Region, box: Box): HTMLCanvasElement {
  const width = box.x1 - box.x0;
  const height = box.y1 - box.y0;
  const [canvas, context] = blank(width, height);
  const pixels = context.createImageData(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (region.inside[(box.y0 + y) * region.width + box.x0 + x]) {
        pixels.data[4 * (y * width + x) + 3] = 255;
      }
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** The picture's pixels under a region; null where there are none. */
export function lift(picture: Picture, region: Region, canvas: Size): Lifted | null {
  const box = canvasBox(region, canvas);
  if (!box || !region.box) return null;
  const scale = picture.image.width / canvas.width;
  const width = (box.x1 - box.x0) * scale;
  const height = (box.y1 - box.y0) * scale;
  const [image, context] = blank(width, height);
  context.drawImage(stencil(region, region.box), 0, 0, image.width, image.height);
  context.globalCompositeOperation = "source-in";
  context.drawImage(
    picture.image,
    box.x0 * scale,
    box.y0 * scale,
    width,
    height,
    0,
    0,
    image.width,
    image.height,
  );
  return { image, box };
}

/** What dims the place that a selection leaves. */
export function holeOf(region: Region, canvas: Size): Lifted | null {
  const box = canvasBox(region, canvas);
  if (!box || !region.box) return null;
  const image = stencil(region, region.box);
  const context = image.getContext("2d")!;
  context.globalCompositeOperation = "source-in";
  context.fillStyle = HOLE;
  context.fillRect(0, 0, image.width, image.height);
  return { image, box };
}

export function drawLifted(context: CanvasRenderingContext2D, lifted: Lifted): void {
  const { box, image } = lifted;
  context.drawImage(image, box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0);
}

/** What the picture looks like with holes dimmed and things elsewhere, until the fill is there. */
export function baked(
  picture: Picture,
  canvas: Size,
  holes: readonly (Lifted | null)[],
  things: readonly { lifted: Lifted | null; affine: Affine }[],
): Picture {
  const [image, context] = blank(picture.image.width, picture.image.height);
  context.drawImage(picture.image, 0, 0);
  const scale = picture.image.width / canvas.width;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  for (const hole of holes) if (hole) drawLifted(context, hole);
  for (const { lifted, affine } of things) {
    if (!lifted) continue;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.transform(affine.a, affine.b, affine.c, affine.d, affine.e, affine.f);
    drawLifted(context, lifted);
  }
  return { image, kind: "preview" };
}
