/** What goes on and what went wrong, above the canvas. */

import { X } from "lucide";
import { cancelRendering, percent } from "../actions/showing";
import { asking, busy, changedShare, dialogOpen, picture, problem, progress, status } from "../store";
import { Button } from "./Button";

export function Notices() {
  return (
    <>
      <div class="notices">
        <Asked />
        <Rendering />
      </div>
      {!dialogOpen.value && <Messages />}
    </>
  );
}

/** What went wrong, what one waits for, and what is read out; in front of all else. */
export function Messages() {
  return (
    <>
      <Problem />
      <p class="unseen" role="status" aria-live="polite">
        {status.value}
      </p>
      {busy.value && (
        <div class="busy">
          <div class="busy-box" role="status">
            <span class="spinner" aria-hidden="true" />
            {busy.value}
          </div>
        </div>
      )}
    </>
  );
}

function Asked() {
  if (!asking.value) return null;
  const text =
    asking.value === "swap"
      ? "Click what it changes places with."
      : "Click the element whose look it takes.";
  return (
    <div class="notice">
      <span>{text}</span>
      <Button name="Cancel" kind="quiet" keys="Escape" onClick={() => (asking.value = null)} />
    </div>
  );
}

function Rendering() {
  const now = progress.value;
  if (!now) {
    const share = changedShare.value;
    if (share === null || picture.value?.kind !== "full") return null;
    return <div class="notice faint">{percent(share)} of the picture changed</div>;
  }
  const text = now.quick ? "Filling …" : now.state === "waiting" ? "Waiting …" : "Rendering in full …";
  return (
    <div class="notice">
      <span>{text}</span>
      {!now.quick && (
        <>
          <progress max={1} value={now.done || undefined} aria-label="Rendering" />
          <Button name="Cancel" kind="quiet" onClick={cancelRendering} />
        </>
      )}
    </div>
  );
}

function Problem() {
  const told = problem.value;
  if (!told) return null;
  return (
    <div class="problem" role="alert">
      <div>
        <p>
          {told.where && <b>{told.where}: </b>}
          {told.message}
        </p>
        {told.hint && <p class="muted">{told.hint}</p>}
      </div>
      <Button name="Close" icon={X} kind="quiet" onClick={() => (problem.value = null)} />
    </div>
  );
}
