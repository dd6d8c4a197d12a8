/** Several fills of the same holes, to choose one from. */

import { useEffect, useRef, useState } from "preact/hooks";
import { isAbort, tell } from "../actions/failing";
import { showCurrent, variationsOf } from "../actions/showing";
import { seed, status, variationsOpen } from "../store";
import { Dialog } from "./Dialog";
import { Decoder } from "./Save";
import { decoder } from "../store";

const MOST = 4;

export function Variations() {
  const [pictures, setPictures] = useState<readonly ImageBitmap[] | null>(null);
  const [done, setDone] = useState(0);
  const close = () => {
    variationsOpen.value = false;
    void showCurrent();
  };
  useEffect(() => {
    const asked = new AbortController();
    setPictures(null);
    setDone(0);
    variationsOf(MOST, asked.signal, setDone).then(
      (found) => {
        setPictures(found);
        status.value = `${found.length} variations to choose from.`;
      },
      (error: unknown) => {
        if (isAbort(error)) return;
        setPictures([]);
        tell(error);
      },
    );
    return () => asked.abort();
  }, [decoder.value]);
  return (
    <Dialog title="Variations of the fill" wide onClose={close}>
      <Decoder />
      {pictures === null && (
        <div class="waiting">
          <progress max={1} value={done || undefined} aria-label="Rendering variations" />
          <p class="muted">Rendering …</p>
        </div>
      )}
      {pictures?.length === 1 && (
        <p class="muted">There is one good fill; others would be no better. Another decoder may make more.</p>
      )}
      <ul class="photos large">
        {pictures?.map((picture, index) => (
          <li key={index}>
            <button
              type="button"
              class="photo"
              aria-current={seed.value === index ? "true" : undefined}
              onClick={() => {
                seed.value = index;
                close();
              }}
            >
              <Thumbnail of={picture} />
              <span class="photo-name">{index === 0 ? "First choice" : `Variation ${index + 1}`}</span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function Thumbnail({ of }: { of: ImageBitmap }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    canvas.current!.getContext("2d")!.drawImage(of, 0, 0);
  }, [of]);
  return <canvas ref={canvas} width={of.width} height={of.height} aria-hidden="true" />;
}
