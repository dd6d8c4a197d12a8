/** What is selected, and everything that can be done with it. */

import {
  ArrowLeftRight,
  BringToFront,
  ClipboardPaste,
  Copy,
  CopyPlus,
  TrianglesCenterlineDashedVertical,
  TrianglesCenterlineDashedHorizontal,
  Group as GroupIcon,
  Palette,
  SendToBack,
  Trash2,
} from "lucide";
import { useState } from "preact/hooks";
import {
  afterEdits,
  bringToFront,
  duplicate,
  finishNudge,
  flip,
  group,
  moveTo,
  remove,
  restoreAll,
  scaleTo,
  sendToBack,
  turnBy,
} from "../actions/editing";
import { carried, copy, paste } from "../actions/opening";
import { clear, selectAll, setExtent } from "../actions/selecting";
import { EXTENTS } from "../core/objects";
import { middle } from "../stage/keys";
import { asking, chosen, doc, extent, tellsObjects } from "../store";
import { Button } from "./Button";

export function SelectionPanel() {
  return (
    <section class="panel" aria-labelledby="selection-title">
      <h2 id="selection-title">Selection</h2>
      <Extents />
      {chosen.value ? <Chosen /> : <Nothing />}
      <Paste />
    </section>
  );
}

const TAKES = { part: "A part", object: "The object", whole: "All of it" } as const;

/** How much of a thing a click takes. */
function Extents() {
  if (!tellsObjects.value) {
    return <p class="muted">This file tells no objects; a click takes an element.</p>;
  }
  return (
    <label class="field">
      <span class="field-name">
        A click takes <b>{TAKES[extent.value].toLowerCase()}</b>
      </span>
      <input
        class="steps"
        type="range"
        min={0}
        max={2}
        step={1}
        value={EXTENTS.indexOf(extent.value)}
        aria-valuetext={TAKES[extent.value]}
        onInput={(event) => {
          const extent = EXTENTS[Number(event.currentTarget.value)]!;
          afterEdits(() => setExtent(extent));
        }}
      />
      <span class="ends" aria-hidden="true">
        {EXTENTS.map((each) => (
          <span key={each}>{TAKES[each]}</span>
        ))}
      </span>
    </label>
  );
}

function Nothing() {
  return (
    <div class="nothing">
      <p>Point at the photo and click what you want to change. Then drag it, or press Delete.</p>
      <Button name="Select all" kind="quiet" keys="Ctrl+A" onClick={() => afterEdits(selectAll)} />
      {doc.value?.elements.some((element) => !element.visible) && (
        <Button name="Bring back what was deleted" kind="quiet" onClick={restoreAll} />
      )}
    </div>
  );
}

/** Let the next click say the other thing; or no longer. */
function ask(what: "swap" | "appearance"): void {
  finishNudge();
  asking.value = asking.value === what ? null : what;
}

function Chosen() {
  const what = chosen.value!;
  return (
    <>
      <p class="about">{what.about || "…"}</p>
      <p class="muted small only-wide">
        Too much or too little? Use the slider; Shift-click adds, Alt-click takes away.
      </p>
      <div class="grid" role="toolbar" aria-label="Change what is selected">
        <Button name="Delete" icon={Trash2} keys="Delete" named kind="danger" onClick={remove} />
        <Button name="Duplicate" icon={CopyPlus} keys="Ctrl+D" named onClick={() => duplicate()} />
        <Button name="To the front" icon={BringToFront} keys="]" named onClick={bringToFront} />
        <Button name="To the back" icon={SendToBack} keys="[" named onClick={sendToBack} />
        <Button name="Flip across" icon={TrianglesCenterlineDashedVertical} keys="F" named onClick={() => flip("h")} />
        <Button name="Flip down" icon={TrianglesCenterlineDashedHorizontal} keys="Shift+F" named onClick={() => flip("v")} />
        <Button
          name="Swap with …"
          icon={ArrowLeftRight}
          named
          pressed={asking.value === "swap"}
          onClick={() => ask("swap")}
        />
        <Button
          name="Look like …"
          icon={Palette}
          named
          pressed={asking.value === "appearance"}
          onClick={() => ask("appearance")}
        />
        <Button name="Copy" icon={Copy} keys="Ctrl+C" named onClick={() => afterEdits(copy)} />
        <Button name="Let go" keys="Escape" kind="quiet" onClick={() => afterEdits(clear)} />
      </div>
      <Numbers />
      <Naming />
    </>
  );
}

/** Places, sizes and angles for people who type them. */
function Numbers() {
  const what = chosen.value!;
  const x = Math.round(what.centre.x);
  const y = Math.round(what.centre.y);
  return (
    <fieldset class="numbers">
      <legend class="unseen">Numbers</legend>
      <NumberField name="Centre x" short="x" value={x} onSet={(value) => moveTo({ x: value })} />
      <NumberField name="Centre y" short="y" value={y} onSet={(value) => moveTo({ y: value })} />
      <NumberField name="Size in per cent" short="%" value={100} min={2} max={5000} onSet={(value) => scaleTo(value / 100)} />
      <NumberField name="Turn by degrees" short="°" value={0} onSet={turnBy} />
    </fieldset>
  );
}

interface NumberProps {
  readonly name: string;
  readonly short: string;
  readonly value: number;
  readonly min?: number;
  readonly max?: number;
  readonly onSet: (value: number) => void;
}

function NumberField({ name, short, value, min = -100000, max = 100000, onSet }: NumberProps) {
  const set = (input: HTMLInputElement): void => {
    const typed = Number(input.value);
    if (!input.value.trim() || !Number.isFinite(typed) || typed < min || typed > max) {
      input.value = String(value);
    } else if (typed !== value) {
      onSet(typed);
      input.value = String(value); // what comes of it is shown when it is done
    }
  };
  return (
    <label class="number-field" title={name}>
      <span aria-hidden="true">{short}</span>
      <input
        aria-label={name}
        inputMode="decimal"
        value={value}
        onChange={(event) => set(event.currentTarget)}
      />
    </label>
  );
}

/** A name makes a group of what is selected. */
function Naming() {
  const [name, setName] = useState("");
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim()) group(name.trim());
        setName("");
      }}
    >
      <input
        class="text"
        placeholder="Name for a group"
        aria-label="Name for a group of what is selected"
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <Button name="Group" icon={GroupIcon} named disabled={!name.trim()} onClick={() => {
        group(name.trim());
        setName("");
      }} />
    </form>
  );
}

function Paste() {
  const what = carried.value;
  if (!what || !doc.value) return null;
  return (
    <div class="carried">
      {what.look && <img src={what.look} alt="" />}
      <Button name="Paste" icon={ClipboardPaste} keys="Ctrl+V" named onClick={() => paste(middle())} />
      <span class="muted">from {what.file}</span>
    </div>
  );
}
